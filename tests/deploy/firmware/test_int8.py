import json
import shutil
import subprocess

import numpy as np
import pytest
from firmware_support import COMPILERS, NAMES, STRICT, Small, compiled_scores, exported

from tinynets.deploy import FORMATS
from tinynets.deploy.firmware.compiler import find_compiler
from tinynets.deploy.firmware.folder import read_metadata
from tinynets.deploy.formats import c_int8


def test_output_is_bitwise_equal_to_the_reference(small_c, pixels):
    path, made = small_c
    assert made.proved == 1000  # 64 were passed
    code, reference = FORMATS["c"].load(path)(pixels), FORMATS["c"].load_reference(path)(pixels)
    assert np.array_equal(code, reference)
    assert len(np.unique(code, axis=0)) > 10
    assert made.bytes == sum(file.stat().st_size for file in path.iterdir())


def test_different_bytes_write_no_output(small_c, tmp_path, monkeypatch):
    reference = c_int8.load_reference

    def one_off(path):
        run = reference(path)
        return lambda batch: run(batch) + (np.arange(len(batch)) == 7)[:, None]

    monkeypatch.setattr(c_int8, "load_reference", one_off)
    monkeypatch.setattr(c_int8, "write", lambda source, path, calibration: shutil.copytree(small_c[0], path))
    with pytest.raises(RuntimeError, match="differs from its reference for 4 of 1,000 images and was not written"):
        exported(Small(), "c", tmp_path / "net")
    assert list(tmp_path.iterdir()) == []


def test_make_and_classify(small_c, pixels, tmp_path):
    if shutil.which("make") is None:
        pytest.skip("needs make")
    folder = tmp_path / "net"
    shutil.copytree(small_c[0], folder)
    subprocess.run(
        ["make", f"CC={' '.join(find_compiler())}", "CFLAGS=-O1"], cwd=folder, check=True, capture_output=True
    )
    expected = [NAMES[index] for index in FORMATS["c"].load(folder)(pixels).argmax(1)]
    (folder / "image.rgb").write_bytes(pixels.tobytes())
    from_file = subprocess.run(["./classify", "image.rgb"], cwd=folder, capture_output=True, check=True)
    from_input = subprocess.run(["./classify"], cwd=folder, input=pixels.tobytes(), capture_output=True, check=True)
    assert from_file.stdout.decode().splitlines() == from_input.stdout.decode().splitlines() == expected
    short = subprocess.run(["./classify"], cwd=folder, input=pixels.tobytes()[:-1], capture_output=True, check=False)
    assert short.returncode == 1
    assert b"the last image has 359 bytes, expected 12x10x3 = 360: height x width x channels" in short.stderr
    missing = subprocess.run(["./classify", "nowhere"], cwd=folder, capture_output=True, check=False)
    assert missing.returncode == 1
    assert b"cannot open nowhere" in missing.stderr


@pytest.mark.parametrize(
    "command", COMPILERS[:2] + [pytest.param(*c.values, marks=[*c.marks, pytest.mark.slow]) for c in COMPILERS[2:]]
)
def test_no_compiler_warnings_or_sanitizer_errors(small_c, pixels, tmp_path, command):
    scores = compiled_scores(small_c[0], pixels, tmp_path, [command, *STRICT])
    net = read_metadata(small_c[0])
    assert np.array_equal(
        np.float32(net.scale) * (scores - np.float32(net.zero_point)), FORMATS["c"].load(small_c[0])(pixels)
    )


def test_metadata(small_c):
    metadata = json.loads((small_c[0] / "net.json").read_text(encoding="utf-8"))
    assert metadata["name"] == "small_net"
    assert tuple(metadata["classes"]) == NAMES
    assert metadata["size"] == [3, 12, 10]
    assert metadata["generator"] == "BakeNN (Apache License 2.0)"
    assert len((small_c[0] / "main.c").read_text().splitlines()) <= 40
    assert len((small_c[0] / "README.md").read_text().splitlines()) <= 25
