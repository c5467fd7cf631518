"""Lines of Python code per folder, without docstrings, comments and blank lines.

    python tools/lines.py [REVISION]

With a revision, its count stands beside that of the working tree.
"""

import ast
import io
import subprocess
import sys
import tokenize
from collections import Counter
from pathlib import Path

ROOTS = ("src", "tests", "tools", "benchmarks")
NO_CODE = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def code_lines(text: str) -> int:
    """Number of lines that hold a token other than comments and docstrings."""
    used = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            used |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str):
                used -= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return len(used)


def git(*args: str) -> str:
    return subprocess.run(["git", *args], capture_output=True, text=True, check=True).stdout


def tally(revision: str | None) -> Counter[str]:
    """Lines by folder, three levels deep, and by root."""
    listing = ["ls-tree", "-r", "--name-only", revision] if revision else ["ls-files"]
    lines: Counter[str] = Counter()
    for name in git(*listing, *ROOTS).splitlines():
        if name.endswith(".py"):
            count = code_lines(git("show", f"{revision}:{name}") if revision else Path(name).read_text())
            lines["/".join(Path(name).parent.parts[:3])] += count
            lines[f"{name.partition('/')[0]} in all"] += count
    return lines


if __name__ == "__main__":
    counts = [tally(revision) for revision in (*sys.argv[1:2], None)]
    for folder in sorted(set().union(*counts)):
        print(f"{folder:32}" + "".join(f"{count[folder]:8,}" for count in counts))
