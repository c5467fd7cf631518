"""What the benchmarks share: paired timings, peak memory, the copy bandwidth, the table and who made it."""

import csv
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

Function = Callable[[], Any]


def paired(functions: Mapping[str, Function], rounds: int, device: torch.device) -> dict[str, list[float]]:
    """Milliseconds of every function, round by round. In a round every function runs twice and the second is timed, so
    that none pays for the memory and the caches that the one before it has left."""
    for function in functions.values():
        function()
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            function()
            synchronize(device)
            started = time.perf_counter()
            function()
            synchronize(device)
            times[name].append(1e3 * (time.perf_counter() - started))
    return times


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def ratio(slow: list[float], fast: list[float]) -> float:
    """How many times faster, the median over rounds."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def peak_megabytes(function: Function, device: torch.device) -> float:
    """The most memory that one call holds at a time beyond what was there before it."""
    if device.type == "cuda":
        function()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        function()
        return (torch.cuda.max_memory_allocated(device) - before) / 1e6
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        function()
    held = peak = 0
    for event in profiled.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak / 1e6


def copy_bandwidth(device: torch.device) -> float:
    """Gigabytes per second read plus written by a copy far larger than the caches."""
    source = torch.rand(64 << 20, device=device)
    target = torch.empty_like(source)
    times = paired({"copy": lambda: target.copy_(source)}, 9, device)["copy"]
    return 2 * source.nbytes / 1e6 / statistics.median(times)


def made_by(device: torch.device) -> dict[str, Any]:
    """Device and versions, the last columns of every table."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{platform.machine()} CPU"
    return {"device": name, "threads": torch.get_num_threads(), "torch": torch.__version__}


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def put_row(path: Path, row: dict[str, Any], *keys: str) -> None:
    """Add a row to a table that is sorted by the columns `keys`, or replace the row that has the same values there."""

    def key(row: dict[str, Any]) -> tuple[str, ...]:
        return tuple(str(row[name]) for name in keys)

    kept = [before for before in read_csv(path) if key(before) != key(row)] if path.exists() else []
    write_csv(path, sorted([*kept, row], key=key))


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
