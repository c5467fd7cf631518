"""Compilation of C sources with the system's compiler, and their execution in a subprocess."""

import os
import shlex
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

FLAGS = ("-O3", "-std=c11")

# Reads images from standard input one by one and writes their scores in binary.
SCORES = """\
#include <stdio.h>
#include "{name}.h"

int main(void) {{
    static uint8_t pixels[{NAME}_PIXELS];
    static {name}_score scores[{NAME}_CLASSES];
    while (fread(pixels, 1, sizeof pixels, stdin) == sizeof pixels) {{
        {name}_classify(pixels, scores);
        fwrite(scores, sizeof scores[0], {NAME}_CLASSES, stdout);
    }}
    return 0;
}}
"""


def find_compiler() -> list[str] | None:
    """Return the command of the system's C compiler: $CC, else cc, gcc or clang; None if there is none."""
    if os.environ.get("CC"):
        return shlex.split(os.environ["CC"])
    found = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    return [found] if found else None


def build(sources: Sequence[Path], program: Path, command: Sequence[str], *includes: Path) -> None:
    """Compile sources into a program.

    Args:
        sources: the .c files.
        program: the file to write.
        command: the compiler and its flags.
        *includes: folders of headers.

    Raises:
        RuntimeError: they do not compile, or there is no such compiler (one-line message).
    """
    flags = [f"-I{folder}" for folder in includes]
    try:
        done = subprocess.run(
            [*command, *flags, "-o", str(program), *map(str, sources), "-lm"],
            capture_output=True,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise RuntimeError(
            f"the C compiler {command[0]} cannot be run ({error.strerror}): install it, or set CC"
        ) from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error:" in line] or done.stderr.splitlines() or ["?"]
        raise RuntimeError(f"{command[0]} cannot compile the C code: {lines[0]}")


def scorer(
    name: str, sources: Sequence[Path], includes: Sequence[Path], dtype: type, classes: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Compile sources to a function from pixels, uint8 (N, H, W, C), to scores (N, classes) of a dtype."""
    command = find_compiler()
    assert command is not None  # Format.require
    folder = Path(tempfile.mkdtemp())
    program, driver = folder / "scores", folder / "scores.c"
    size = classes * np.dtype(dtype).itemsize

    def run(pixels: np.ndarray) -> np.ndarray:
        done = subprocess.run([str(program)], input=np.ascontiguousarray(pixels).tobytes(), capture_output=True)
        if done.returncode or len(done.stdout) != len(pixels) * size:
            raise RuntimeError(f"the compiled program ended with status {done.returncode} before the last image")
        return np.frombuffer(done.stdout, dtype).reshape(-1, classes)

    weakref.finalize(run, shutil.rmtree, folder, ignore_errors=True)
    driver.write_text(SCORES.format(name=name, NAME=name.upper()))
    build([*sources, driver], program, [*command, *FLAGS], *includes)
    return run
