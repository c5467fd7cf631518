"""`python -m tinynets COMMAND`, the same as `tinynets COMMAND`.

It starts more slowly: Python imports the package, and with it torch and timm, before it runs this file.
"""

from tinynets.cli import main

if __name__ == "__main__":
    main()
