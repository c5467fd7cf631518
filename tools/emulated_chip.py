"""Build the C folder of a net for a Cortex-M and run it on a chip that QEMU emulates.

    python tools/emulated_chip.py DIR image.rgb --board m4

DIR is what `tinynets export --to c` wrote. The images are raw pixels, one after the other. It prints classes, flash and
RAM of the net, and instructions an image. It needs qemu-system-arm and arm-none-eabi-gcc with newlib (Debian:
qemu-system-arm, gcc-arm-none-eabi, libnewlib-arm-none-eabi).
"""

import argparse
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinynets.deploy.firmware.folder import read_metadata
from tinynets.deploy.firmware.net import Net

COMPILER, EMULATOR = "arm-none-eabi-gcc", "qemu-system-arm"
INSTRUCTIONS_PER_TICK = 40  # with -icount shift=0 an instruction takes 1 ns; the board's timer runs at 25 MHz
HERE = Path(__file__).with_name("emulated_chip")


@dataclass(frozen=True)
class Board:
    """A board of QEMU.

    Attributes:
        machine: its name in QEMU.
        flags: of the compiler.
    """

    machine: str
    flags: tuple[str, ...]


BOARDS = {
    "m4": Board("mps2-an386", ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")),
    "m7": Board("mps2-an500", ("-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16")),
}


@dataclass(frozen=True)
class Run:
    """What an emulated run gave.

    Attributes:
        scores: (N, classes), int8 or float32.
        flash: bytes of the net's code and constants.
        ram: bytes of the net's static memory.
        instructions: executed for an image, on average.
    """

    scores: np.ndarray
    flash: int
    ram: int
    instructions: int


def available() -> bool:
    """Whether compiler and emulator are there."""
    return all(map(shutil.which, (COMPILER, EMULATOR)))


def emulate(folder: Path, pixels: np.ndarray, board: str = "m4", optimize: str = "-O3") -> Run:
    """Run images, uint8 (N, H, W, C), on a board.

    Raises:
        RuntimeError: it does not compile, does not fit or does not end. One line.
    """
    net, chip = read_metadata(folder), BOARDS[board]
    upper = net.name.upper()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        driver = work / "driver.c"
        driver.write_text(
            f'#include "{net.name}.h"\n#define NET(x) {net.name}_##x\n#define PIXELS {upper}_PIXELS\n'
            f"#define CLASSES {upper}_CLASSES\n" + (HERE / "driver.c").read_text()
        )
        own = [_compile(folder / file, work, [*chip.flags, optimize, f"-I{folder}"]) for file in net.sources]
        rest = [_compile(file, work, [*chip.flags, "-O2", f"-I{folder}"]) for file in (driver, HERE / "start.c")]
        program, table = work / "net.elf", work / "net.map"
        link = [f"-T{HERE / 'memory.ld'}", f"-Wl,--gc-sections,-Map={table}", "-nostartfiles", "--specs=rdimon.specs"]
        _checked([COMPILER, *chip.flags, *link, *map(str, own + rest), "-lm", "-o", str(program)])
        flash, ram = _sizes(table.read_text(), [file.name for file in own])
        (work / "images").write_bytes(np.ascontiguousarray(pixels).tobytes())
        quiet = ["-nographic", "-monitor", "none", "-serial", "none"]
        clock = ["-icount", "shift=0", "-semihosting-config", "enable=on,target=native"]
        output = _checked([EMULATOR, "-M", chip.machine, *quiet, *clock, "-kernel", str(program)], work)
        scores = np.frombuffer((work / "scores").read_bytes(), np.int8 if net.integer else np.float32)
    ticks = [int(text) for text in re.findall(r"^ticks (\d+)$", output, re.MULTILINE)]
    if len(ticks) != len(pixels) or scores.size != len(pixels) * len(net.classes):
        raise RuntimeError(f"{chip.machine} classified {len(ticks)} of {len(pixels)} images: {output[-200:]!r}")
    return Run(scores.reshape(len(pixels), -1), flash, ram, round(INSTRUCTIONS_PER_TICK * sum(ticks) / len(ticks)))


def _compile(file: Path, work: Path, flags: list[str]) -> Path:
    output = work / f"{file.stem}.o"
    _checked([COMPILER, *flags, "-std=c11", "-ffunction-sections", "-c", str(file), "-o", str(output)])
    return output


_PLACED = re.compile(r"^ \.(text|rodata|data|bss)\S*\s+0x[0-9a-f]+\s+0x([0-9a-f]+) (\S+)$", re.MULTILINE)


def _sizes(table: str, objects: list[str]) -> tuple[int, int]:
    """Flash and RAM of object files in the linker's map: code, constants, initial values; initial values, zeroes."""
    placed = table[table.index("Linker script and memory map") :]
    sizes = dict.fromkeys(("text", "rodata", "data", "bss"), 0)
    for kind, size, file in _PLACED.findall(placed):
        if Path(file).name in objects:
            sizes[kind] += int(size, 16)
    return sizes["text"] + sizes["rodata"] + sizes["data"], sizes["data"] + sizes["bss"]


def _checked(command: list[str], folder: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", cwd=folder, timeout=3600)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[:500]}")
    return done.stdout + done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--board", choices=BOARDS, default="m4")
    args = parser.parse_args()
    net: Net = read_metadata(args.folder)
    channels, height, width = net.size
    pixels = np.fromfile(args.images, np.uint8).reshape(-1, height, width, channels)
    run = emulate(args.folder, pixels, args.board)
    for index in run.scores.argmax(1):
        print(net.classes[index])
    print(f"{run.flash:,} B of flash, {run.ram:,} B of RAM, {run.instructions:,} instructions an image")


if __name__ == "__main__":
    main()
