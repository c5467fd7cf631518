"""Inference benchmarks of all installed runtimes, timed in turns in one process."""

import contextlib
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch
from torch import nn

from tinynets._checks import check_positive, unknown
from tinynets._context import plain_defaults
from tinynets._modules import unwrapped

from .draft import run_file, write_draft
from .export_spec import ExportSpec
from .exporter import spec_of
from .formats import FORMATS, Format
from .images import synthetic_images
from .inference import fuse
from .quiet import quiet

_logger = logging.getLogger(__name__)

RUNTIMES: dict[str, str | None] = {
    "eager": None,
    "fused": None,
    "compiled": None,
    "onnxruntime": "onnx",
    "onnxruntime-int8": "onnx-int8",
    "litert": "tflite",
    "litert-int8": "tflite-int8",
}
"""The runtimes that `bench` times, by name, with the format of their files. None for forms that are no file."""

_BLOCK = 5  # consecutive calls per turn, so that the runtime's data are in the cache, as without other runtimes


@dataclass(frozen=True)
class Timing:
    """Latency of one runtime at one batch size and thread count.

    Attributes:
        model: name of the model.
        runtime: one of `RUNTIMES`.
        batch_size: images per call.
        threads: number of threads.
        median_ms: median latency of a call in milliseconds.
        p90_ms: 90th percentile of the latency in milliseconds.
        images_per_second: throughput, batch_size divided by the median.
        file_bytes: size of the file in bytes, None for runtimes without a file.

    Examples:
        >>> from tinynets.deploy import Timing
        >>> Timing("net", "fused", 128, 1, 64.0, 70.0, 2000.0, None).median_ms
        64.0
    """

    model: str
    runtime: str
    batch_size: int
    threads: int
    median_ms: float
    p90_ms: float
    images_per_second: float
    file_bytes: int | None


def installed_runtimes() -> list[str]:
    """Return the runtimes that can be timed on this machine."""
    return [name for name, to in RUNTIMES.items() if to is None or FORMATS[to].installed()]


def bench(
    model: nn.Module,
    name: str = "model",
    *,
    runtimes: Sequence[str] | None = None,
    batch_sizes: Sequence[int] = (1, 128),
    threads: Sequence[int] | None = None,
    seconds: float = 2.0,
    img_size: Sequence[int] | None = None,
) -> list[Timing]:
    """Benchmark a classifier's inference on the CPU.

    LiteRT files have a fixed batch size of 1, so a batch takes several calls. int8 files are calibrated on synthetic
    images, which affects their results but not their speed. The compiled form is recompiled for each batch size and
    thread count, and functions that the caller has compiled are recompiled at their next call.

    Args:
        model: any classifier on the CPU whose `pretrained_cfg` contains its input size and normalization.
        name: name of the model in the results.
        runtimes: a subset of `RUNTIMES`. None for all installed ones, of which those that cannot run the model are
            skipped with a warning.
        batch_sizes: images per call.
        threads: thread counts. None for one thread and for all.
        seconds: duration of the timed calls per runtime, batch size and thread count, with a minimum of five calls.
        img_size: (H, W) of the images, None for the model's own.

    Returns:
        One `Timing` per runtime, batch size and thread count.

    Raises:
        ImportError: a requested runtime is not installed.
        RuntimeError: a requested runtime cannot run the model.
        ValueError: a runtime is unknown, or a number is not positive.

    Examples:
        >>> import tinynets
        >>> from tinynets.deploy import bench
        >>> model = tinynets.create_model("simplecnn_mnist", pretrained=True)
        >>> rows = bench(model, runtimes=["eager", "fused"], batch_sizes=[1], threads=[1], seconds=0.01)
        >>> print(*(row.runtime for row in rows))
        eager fused
    """
    for runtime in runtimes or ():
        if runtime not in RUNTIMES:
            raise unknown("runtime", runtime, list(RUNTIMES))
    all_threads = torch.get_num_threads()
    threads = list(dict.fromkeys(threads or (1, all_threads)))
    check_positive(**{f"batch_sizes[{i}]": size for i, size in enumerate(batch_sizes)})
    check_positive(**{f"threads[{i}]": count for i, count in enumerate(threads)})
    chosen = list(runtimes or installed_runtimes())
    spec = spec_of(name, unwrapped(model), img_size=img_size)
    rows: list[Timing] = []
    _logger.info(f"timing {name} in {', '.join(chosen)}: fewer runtimes, batch sizes and threads take less time")
    with plain_defaults(), tempfile.TemporaryDirectory() as folder:
        files = _files(chosen, spec, Path(folder), must=runtimes is not None)
        chosen = list(files)
        modules = _modules(model, [runtime for runtime in chosen if RUNTIMES[runtime] is None])
        for batch_size in batch_sizes:
            for count in threads:
                with _torch_threads(count):
                    batch = spec.inputs(synthetic_images(batch_size, spec.input_size))
                    calls = {r: _call(r, files[r], modules.get(r), batch, count) for r in chosen}
                    for runtime, times in _in_turns(calls, seconds).items():
                        path = files[runtime]
                        size = None if path is None else path.stat().st_size
                        rows.append(_row(name, runtime, batch_size, count, times, size))
    return rows


def _files(chosen: Sequence[str], spec: ExportSpec, folder: Path, must: bool) -> dict[str, Path | None]:
    """Write a file for each runtime that needs one; with must, raise for a runtime that cannot run the model."""
    files: dict[str, Path | None] = {}
    images = synthetic_images(64, spec.input_size)
    for runtime in chosen:
        kind = _format(runtime)
        if kind is None:
            files[runtime] = None
            continue
        path = folder / f"{runtime}{kind.suffix}"
        try:
            write_draft(kind, spec, path, images if kind.integer else None)
            run_file(kind, path, spec, images[:4])
        except (RuntimeError, OSError, MemoryError) as error:
            if must:
                raise
            _logger.warning(f"{runtime} is left out: {error}")
        else:
            files[runtime] = path
    return files


def _format(runtime: str) -> Format | None:
    """Return the format of a runtime's files, None for a runtime without files."""
    to = RUNTIMES[runtime]
    return None if to is None else FORMATS[to]


def _modules(model: nn.Module, forms: Sequence[str]) -> dict[str, nn.Module]:
    """Return the model's PyTorch forms in channels_last, the fastest layout on a CPU."""
    modules: dict[str, nn.Module] = {}
    for form in forms:
        module = model.eval() if form == "eager" else fuse(model)
        module = module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        if form == "compiled":
            torch.compiler.reset()  # torch compiles a function a few times only, then runs it in eager mode
            module.compile(dynamic=False)
        modules[form] = module
    return modules


def _call(
    runtime: str, path: Path | None, module: nn.Module | None, batch: torch.Tensor, threads: int
) -> Callable[[], Any]:
    if module is not None:
        x = batch.contiguous(memory_format=torch.channels_last)

        def call() -> Any:
            with torch.inference_mode():
                return module(x)

        return call
    kind = _format(runtime)
    assert kind is not None
    assert path is not None
    run, array = kind.load(path, threads), batch.numpy()
    return lambda: run(array)


def _in_turns(calls: dict[str, Callable[[], Any]], seconds: float) -> dict[str, list[float]]:
    """Time the calls in seconds, in round-robin blocks."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        with quiet():
            call()
    while any(len(samples) < _BLOCK or sum(samples) < seconds for samples in times.values()):
        for name, call in calls.items():
            if len(times[name]) >= _BLOCK and sum(times[name]) >= seconds:
                continue
            call()  # warm-up: the previous runtime has evicted the data from the cache
            for _ in range(_BLOCK):
                started = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - started)
    return times


def _row(name: str, runtime: str, batch_size: int, threads: int, times: list[float], size: int | None) -> Timing:
    middle, high = median(times), quantiles(times, n=10)[-1]
    return Timing(name, runtime, batch_size, threads, 1000 * middle, 1000 * high, batch_size / middle, size)


@contextlib.contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
