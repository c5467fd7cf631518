"""Put small faults into the package, one at a time, and see whether the quick tests notice.

    python tools/mutations.py                   # all of mutation_list.py
    python tools/mutations.py schedules mixing  # those whose file or tests name one of these words

Each fault gets a line: caught, SURVIVED, or "not run" where the tests need a package that is not installed. A fault
that survives is a hole in the tests, and makes the script exit with 1. The faults are made in a copy of the
repository. Let pytest pass first: a test that fails anyway seems to catch everything. Needs a system with fork, which
saves importing torch for every fault.
"""

import os
import re
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from mutation_list import MUTATIONS

ROOT = Path(__file__).parents[1]
QUIET = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # plugins that came in with timm


def run_tests(copy: Path, tests: str) -> int:
    """pytest's exit code, in a process of its own."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 99
    try:
        log = os.open(copy / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(copy)
        import pytest

        paths = [f"tests/{test}" for test in tests.split()]
        code = int(pytest.main(["-x", "-n", "0", "-p", "no:cacheprovider", *QUIET, *paths]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def outcome(copy: Path, file: str, old: str, new: str, tests: str) -> str:
    """What the tests make of the fault: "caught", "SURVIVED" or "not run"."""
    path = copy / "src/tinynets" / file
    sound = path.read_text(encoding="utf-8")
    if sound.count(old) != 1:
        raise SystemExit(f"{file} holds {old!r} {sound.count(old)} times: name a text that stands there once")
    path.write_text(sound.replace(old, new), encoding="utf-8")
    code = run_tests(copy, tests)
    path.write_text(sound, encoding="utf-8")
    log = (copy / "log").read_text(errors="replace")
    if code not in (0, 1):
        raise SystemExit(f"pytest {tests} ended with {code}:\n{log[-2000:]}")
    if code == 1:
        return "caught"
    return "SURVIVED" if re.search(r"\d passed", log) else "not run"


def main() -> None:
    words = sys.argv[1:]
    every = [(file, *fault) for file, faults in MUTATIONS.items() for fault in faults]
    chosen = [(*fault, tests) for *fault, tests in every if not words or any(w in fault[0] + tests for w in words)]
    counts = {"caught": 0, "SURVIVED": 0, "not run": 0}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("src", "tests", "docs", "tools", "examples", "README.md", "pyproject.toml"):
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, copy / name)
        os.environ["PYTHONPATH"] = str(copy / "src")
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        sys.path.insert(0, str(copy / "src"))
        sys.dont_write_bytecode = True
        import hypothesis  # noqa: F401
        import timm  # noqa: F401
        import torch
        import torchvision  # noqa: F401

        torch.set_num_threads(1)
        for file, old, new, tests in chosen:
            started = time.perf_counter()
            found = outcome(copy, file, old, new, tests)
            counts[found] += 1
            seconds = time.perf_counter() - started
            print(f"{found} ({seconds:.0f} s)  {file}: {old!r} -> {new!r}", flush=True)
    survived = counts.pop("SURVIVED")
    print(f"{len(chosen)} faults: {counts['caught']} caught, {survived} survived, {counts['not run']} not run")
    sys.exit(bool(survived))


if __name__ == "__main__":
    main()
