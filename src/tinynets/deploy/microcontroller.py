"""int8 TFLite files for microcontrollers: execution by TensorFlow Lite Micro's interpreter, and C arrays."""

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinynets._files import check_writable, write_file

from .formats.tflite import as_nhwc, dequantized, quantized
from .quiet import quiet


def arena_bytes(content: bytes) -> int:
    """Find the smallest arena, in steps of 16 bytes, that TensorFlow Lite Micro needs for the activations of a file.

    The file itself stays in flash.

    Raises:
        ImportError: tflite_micro is not installed.
        RuntimeError: tflite_micro cannot run the file, such as for an operation that it lacks.
    """
    _runtime()
    script = Path(__file__).with_name("arena_probe.py")
    crashed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        while True:
            command = [sys.executable, str(script), str(path), *crashed]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace")
            *_, last = done.stdout.split() or [""]
            if done.returncode == 0 and "found" in done.stdout:
                return int(last)
            if done.returncode >= 0 or not last or last in crashed:
                reason = next(iter(done.stderr.splitlines()), "no reason given")
                raise RuntimeError(f"TensorFlow Lite Micro cannot run this file: {reason}")
            crashed.append(last)


def load_micro(content: bytes, arena: int | None = None) -> Callable[[np.ndarray], np.ndarray]:
    """Load a file into TensorFlow Lite Micro; return a function from a batch to its logits.

    The batch is normalized images (N, C, H, W), or pixels (N, H, W, C) for a file with pixel input.

    Args:
        content: bytes of a .tflite file of `export`, whose weights are inside the flatbuffer.
        arena: bytes of RAM, None for the result of `arena_bytes`.

    Raises:
        ImportError, RuntimeError: as in `arena_bytes`.
    """
    arena = arena_bytes(content) if arena is None else arena
    with quiet():
        interpreter = _runtime().Interpreter.from_bytes(content, arena_size=arena)
    input_details, output_details = (
        _details(get(0)) for get in (interpreter.get_input_details, interpreter.get_output_details)
    )

    def one(image: np.ndarray) -> np.ndarray:
        interpreter.set_input(image, 0)
        interpreter.invoke()
        return interpreter.get_output(0)

    def run(batch: np.ndarray) -> np.ndarray:
        images = quantized(as_nhwc(batch, input_details["shape"]), input_details)
        return dequantized(np.concatenate([one(image[None]) for image in images]), output_details)

    return run


def write_c_array(content: bytes, path: str | Path) -> tuple[Path, Path]:
    """Write NAME.h and NAME.cc, which embed a file in a program for a microcontroller.

    Args:
        content: bytes of the .tflite file.
        path: NAME, with or without one of these suffixes. The array is named after it.

    Returns:
        Paths of the header and of the source.
    """
    header, source = Path(path).with_suffix(".h"), Path(path).with_suffix(".cc")
    check_writable(header)
    name = "".join(c if c.isascii() and c.isalnum() else "_" for c in header.stem)
    name = f"g_{name}"
    guard = f"{name.upper()}_H_"
    write_file(
        header,
        f"#ifndef {guard}\n#define {guard}\n\nextern const unsigned char {name}[];\n"
        f"extern const unsigned int {name}_len;\n\n#endif  // {guard}\n",
    )
    rows = [", ".join(f"0x{byte:02x}" for byte in content[i : i + 16]) for i in range(0, len(content), 16)]
    lines = ",\n".join(f"    {row}" for row in rows)
    write_file(
        source,
        f'#include "{header.name}"\n\nalignas(16) const unsigned char {name}[] = {{\n{lines}}};\n'
        f"const unsigned int {name}_len = {len(content)};\n",
    )
    return header, source


def has_micro() -> bool:
    return importlib.util.find_spec("tflite_micro") is not None


def _runtime() -> Any:
    if not has_micro():
        raise ImportError("tflite_micro is not installed: pip install tflite-micro (Linux)")
    from tflite_micro.python.tflite_micro import runtime

    return runtime


def _details(details: dict[str, Any]) -> dict[str, Any]:
    """Describe a tensor in the form of LiteRT's interpreter."""
    scales, zero_points = (details["quantization_parameters"][key] for key in ("scales", "zero_points"))
    return {**details, "quantization": (float(scales[0]), int(zero_points[0])) if len(scales) else (0.0, 0)}
