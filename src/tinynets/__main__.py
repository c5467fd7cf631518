"""`python -m tinynets COMMAND`: `tinynets COMMAND` with a slower start, as Python imports the whole package first."""

from tinynets.cli import main

if __name__ == "__main__":
    main()
