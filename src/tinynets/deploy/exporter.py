"""Export of models to files of any format, verified against the model in the format's own runtime."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tinynets._checks import check_positive, unknown
from tinynets._context import plain_defaults
from tinynets._files import check_new_folder, check_writable, write_file, write_folder
from tinynets._modules import image_size_of, unwrapped

from .draft import run_file, write_draft
from .export_spec import ExportSpec
from .firmware.folder import read_metadata
from .firmware.projects import PROJECTS, wrap
from .formats import Format, find_format
from .images import synthetic_images
from .inference import portable

_PROVED = 1000  # minimum number of images on which C is compared bitwise with its reference


@dataclass(frozen=True)
class Exported:
    """An exported file, and the result of its comparison with the model.

    Attributes:
        model: name of the model.
        format: one of `FORMATS`.
        path: the file.
        bytes: size of the file in bytes.
        seconds: duration of the conversion in seconds.
        images: number of images of the comparison.
        real: whether the images were passed by the caller; otherwise they are synthetic.
        agreement: percentage of images with the same predicted class.
        largest_difference: maximum absolute difference between logits.
        largest_logit: maximum absolute logit of the model.
        model_top1: accuracy of the model in percent, None without labels.
        file_top1: accuracy of the file in percent, None without labels.
        proved: number of images with output bytes identical to the reference, None for formats without a reference.
            Firmware formats are tested on at least 1,000 images, supplemented by synthetic ones if necessary.

    Examples:
        >>> from pathlib import Path
        >>> from tinynets.deploy import Exported
        >>> made = Exported("net", "onnx", Path("net.onnx"), 9000, 2.5, 64, False, 100.0, 1e-5, 9.8, None, None)
        >>> made.largest_difference / made.largest_logit < 0.001
        True
    """

    model: str
    format: str
    path: Path
    bytes: int
    seconds: float
    images: int
    real: bool
    agreement: float
    largest_difference: float
    largest_logit: float
    model_top1: float | None
    file_top1: float | None
    proved: int | None = None


def export(
    model: nn.Module | str | Path,
    to: str,
    path: str | Path,
    *,
    images: Tensor | None = None,
    labels: Tensor | None = None,
    calibration: Tensor | None = None,
    pixels: bool = False,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    class_names: Sequence[str] = (),
    img_size: Sequence[int] | None = None,
    tolerance: float | None = None,
    project: str | None = None,
    flash: int | None = None,
    ram: int | None = None,
) -> Exported:
    """Export a model to a file of another runtime, and compare the file's outputs with the model's.

    The file contains the fused model (`tinynets.fuse`) in fp32 or int8. ONNX and PyTorch files have a dynamic batch
    size, TFLite and ExecuTorch files a batch size of 1.

    Args:
        model: a classifier, or an argument of `engine.load_trained`: the name of a model with weights, or a checkpoint.
        to: one of `FORMATS`.
        path: the file to write; for C the folder, which must be new or empty.
        images: uint8 (N, C, H, W), images for the comparison, preferably a test set. None for 64 synthetic images.
        labels: int64 (N,), labels of these images, to compare accuracies.
        calibration: uint8 (N, C, H, W), training images for the calibration of int8 ranges; 256 are sufficient.
        pixels: whether the file's input is pixels, (N, H, W, C) in 0..255, with the normalization inside the file.
        mean: per-channel mean of the normalization. None for the one in `pretrained_cfg`.
        std: per-channel standard deviation of the normalization. None for the one in `pretrained_cfg`.
        class_names: names of the classes, stored in formats that support them.
        img_size: (H, W) of the images. None for the model's own.
        tolerance: maximum deviation of the file. fp32: maximum difference between logits as a fraction of the largest
            logit, None for 0.001. int8: loss of accuracy in percentage points, None for 1; without labels, percentage
            of images with a different predicted class, None for 5.
        project: for C: generate a project, "esp-idf", "zephyr" or "arduino".
        flash: for C: flash of the board in bytes, None for no limit.
        ram: for C: RAM of the board in bytes, None for no limit.

    Returns:
        The file and the comparison.

    Raises:
        ImportError: the format's packages are not installed.
        OSError: path cannot be written.
        RuntimeError: the format does not support the model, the file exceeds the tolerance (it is not written then), or
            the board is too small.
        ValueError: the format is unknown, images or normalization do not match the model, or calibration is missing for
            int8.

    Examples:
        >>> import torch
        >>> from tinynets.deploy import export
        >>> made = export("simplecnn_mnist", "pt2", "digits.pt2", pixels=True)
        >>> torch.export.load(made.path).module()(torch.zeros(2, 28, 28, 1, dtype=torch.uint8)).shape
        torch.Size([2, 10])
    """
    kind = find_format(to)
    kind.require()
    path = Path(path)
    if project is not None and project not in PROJECTS:
        raise unknown("project", project, PROJECTS)
    (check_new_folder if kind.c_source else check_writable)(path)
    from tinynets.engine import Normalize, load_trained, predict

    net: Any = model
    if isinstance(model, str | Path):
        trained = load_trained(model)
        metadata = trained.metadata
        name, net = trained.name, trained.model
        mean, std, class_names = mean or metadata.mean, std or metadata.std, class_names or metadata.class_names
    else:
        net = unwrapped(model)
        name = (getattr(net, "pretrained_cfg", None) or {}).get("architecture") or type(net).__name__
    spec = spec_of(name, net, mean, std, class_names, img_size, pixels or kind.c_source)
    if kind.integer and calibration is None:
        raise ValueError(
            f"{to} needs training images to calibrate its quantization ranges: pass calibration (256 are enough)"
        )
    for tensor in (images, calibration):
        _check(tensor, spec)
    real = images is not None
    images = synthetic_images(_PROVED if kind.c_source else 64, spec.input_size) if images is None else images
    tested = images
    if kind.exact and len(images) < _PROVED:
        tested = torch.cat([images.cpu(), synthetic_images(_PROVED - len(images), spec.input_size)])
    with plain_defaults(), tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / f"model{kind.suffix}"
        seconds = write_draft(kind, spec, draft, calibration)
        if kind.c_source:
            _check_fits(draft, flash, ram)
            draft = draft if project is None else wrap(draft, project, Path(folder) / project)
        expected = predict(net, images, Normalize(spec.mean, spec.std)).numpy()
        got = run_file(kind, draft, spec, tested)
        report = _compare(expected, got[: len(images)], labels)
        _check_tolerance(kind, report, len(images), labels, tolerance)
        proved = _prove(kind, draft, spec, tested, got) if kind.exact else None
        size = _move(draft, path)
    return Exported(name, to, path, size, seconds, len(images), real, **report, proved=proved)


def spec_of(
    name: str,
    model: nn.Module,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    class_names: Sequence[str] = (),
    img_size: Sequence[int] | None = None,
    pixels: bool = False,
) -> ExportSpec:
    """Return the spec of a model, in portable form, with arguments that are None read from its `pretrained_cfg`."""
    cfg: Any = getattr(model, "pretrained_cfg", None) or {}
    mean, std = mean or cfg.get("mean"), std or cfg.get("std")
    if not (mean and std):
        raise ValueError("the normalization of the model is unknown: pass mean and std, one number per channel")
    if len(mean) != len(std):
        raise ValueError(f"mean and std must have one number per channel each, got {len(mean)} and {len(std)}")
    size = img_size or image_size_of(model)
    if size is None:
        raise ValueError("the image size of the model is unknown: pass img_size=(H, W)")
    check_positive(height=size[0], width=size[1])
    with plain_defaults():
        form = portable(model).float().cpu()
    return ExportSpec(name, form, (len(mean), size[0], size[1]), tuple(mean), tuple(std), tuple(class_names), pixels)


def _check(images: Tensor | None, spec: ExportSpec) -> None:
    if images is None:
        return
    if images.dtype != torch.uint8 or tuple(images.shape[1:]) != spec.input_size or len(images) == 0:
        shape = ", ".join(map(str, spec.input_size))
        raise ValueError(f"images must be uint8 (N, {shape}) with N > 0, got {images.dtype} {tuple(images.shape)}")


def _check_fits(folder: Path, flash: int | None, ram: int | None) -> None:
    """Raise RuntimeError unless a folder's model fits the board."""
    net = read_metadata(folder)
    for kind, needed, available in (("flash", net.flash, flash), ("RAM", net.ram, ram)):
        if available is not None and needed > available:
            raise RuntimeError(
                f"{net.name} needs {needed / 1000:,.1f} kB of {kind}, the board has {available / 1000:,.1f} kB: use "
                "a smaller net or smaller images (tinynets info MODEL --firmware shows what a net needs)"
            )


def _prove(kind: Format, path: Path, spec: ExportSpec, images: Tensor, got: np.ndarray) -> int:
    """Raise RuntimeError unless the output is bitwise equal to the reference; return the number of images."""
    run = kind.load_reference(path)
    expected = np.concatenate([run(spec.inputs(batch).numpy()) for batch in images.split(250)])
    if wrong := int((expected != got).any(1).sum()):
        raise RuntimeError(
            f"the {kind.name} code differs from its reference for {wrong:,} of {len(images):,} images and was not "
            "written: please report it"
        )
    return len(images)


def _move(draft: Path, path: Path) -> int:
    """Move a file or a folder to its destination; return its size in bytes."""
    if draft.is_dir():
        return write_folder(path, draft)
    content = draft.read_bytes()
    write_file(path, content)
    return len(content)


def _compare(expected: np.ndarray, got: np.ndarray, labels: Tensor | None) -> dict[str, Any]:
    truth = None if labels is None else labels.cpu().numpy()
    return {
        "agreement": 100 * float((expected.argmax(1) == got.argmax(1)).mean()),
        "largest_difference": float(np.abs(expected - got).max()),
        "largest_logit": float(np.abs(expected).max()),
        "model_top1": None if truth is None else 100 * float((expected.argmax(1) == truth).mean()),
        "file_top1": None if truth is None else 100 * float((got.argmax(1) == truth).mean()),
    }


def _check_tolerance(
    kind: Format, report: dict[str, Any], count: int, labels: Tensor | None, tolerance: float | None
) -> None:
    """Raise RuntimeError if the file exceeds the tolerance, as NaN always does."""
    if not kind.integer:
        allowed = 0.001 if tolerance is None else tolerance
        deviation = report["largest_difference"] / max(report["largest_logit"], 1e-6)
        reason = f"logits differ by {deviation:.2g} of the largest logit, tolerance {allowed:g}"
    else:
        few = 200 / count  # always allow two images: with few images a single one can exceed the tolerance
        if labels is None:
            allowed, deviation = max(5 if tolerance is None else tolerance, few), 100 - report["agreement"]
            reason = f"{deviation:.2f} % of {count:,} images are predicted as another class, tolerance {allowed:g} %"
        else:
            allowed = max(1 if tolerance is None else tolerance, few)
            deviation = report["model_top1"] - report["file_top1"]
            reason = f"accuracy drops by {deviation:.2f} percentage points on {count:,} images, tolerance {allowed:g}"
    if not deviation <= allowed:
        raise RuntimeError(f"the {kind.name} file differs too much from the model and was not written: {reason}")
