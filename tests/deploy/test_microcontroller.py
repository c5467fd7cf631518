import shutil
import subprocess

import numpy as np
import pytest

from tinynets.deploy import FORMATS, artifact
from tinynets.deploy.microcontroller import arena_bytes, has_micro, load_micro, write_c_array
from tinynets.weights import list_weights, read_manifest

micro = pytest.mark.skipif(not has_micro(), reason="needs tflite-micro")


def smooth_pixels(count, shape):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 4, 4, shape[-1]))
    return coarse.repeat(shape[0] // 4, 1).repeat(shape[1] // 4, 2).astype(np.uint8)


@micro
@pytest.mark.parametrize("name", list_weights())
def test_shipped_files_run_on_a_microcontrollers_interpreter(name):
    """The same classes as LiteRT, in the arena that the manifest promises."""
    if not FORMATS["tflite-int8"].installed():
        pytest.skip("needs litert")
    path = artifact(name)
    content = path.read_bytes()
    side = 28 if "mnist" in name else 32
    pixels = smooth_pixels(50, (side, side, 1 if "mnist" in name else 3))
    lite, small = FORMATS["tflite-int8"].load(path)(pixels), load_micro(content)(pixels)
    assert np.mean(lite.argmax(1) == small.argmax(1)) >= 0.98
    assert len(set(small.argmax(1))) > 1
    promised = read_manifest()[name].facts["files"]["tflite-int8"]["arena_bytes"]
    assert abs(arena_bytes(content) - promised) <= 0.1 * promised


@micro
def test_a_file_that_it_cannot_run_is_one_line():
    with pytest.raises(RuntimeError, match="TensorFlow Lite Micro cannot run this file: .+"):
        arena_bytes(b"nonsense" * 100)


def test_c_array_holds_the_bytes(tmp_path):
    content = bytes(range(256)) + b"end"
    header, source = write_c_array(content, tmp_path / "my net.tflite")
    assert header.name == "my net.h"
    assert "extern const unsigned char g_my_net[];" in header.read_text()
    text = source.read_text()
    array = text[text.index("{") + 1 : text.index("}")]
    assert bytes(int(item, 16) for item in array.split(",")) == content
    assert "g_my_net_len = 259" in text


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_c_array_compiles(tmp_path):
    _, source = write_c_array(b"\x00\x01\xff", tmp_path / "net")
    main = tmp_path / "main.cc"
    main.write_text('#include "net.h"\nint main() { return g_net_len == 3 && g_net[2] == 255 ? 0 : 1; }\n')
    program = tmp_path / "program"
    subprocess.run(["g++", "-Wall", "-Werror", str(main), str(source), "-o", str(program)], check=True)
    subprocess.run([str(program)], check=True)
