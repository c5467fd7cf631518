import numpy as np
import pytest

emulated_chip = pytest.importorskip("emulated_chip")

import tinynets  # noqa: E402
from tinynets.deploy import FORMATS, export  # noqa: E402
from tinynets.deploy.firmware.folder import read_metadata  # noqa: E402
from tinynets.deploy.images import synthetic_images  # noqa: E402


@pytest.mark.slow
@pytest.mark.skipif(not emulated_chip.available(), reason="needs qemu-system-arm and arm-none-eabi-gcc")
@pytest.mark.skipif(not FORMATS["c"].installed(), reason="needs tinynets[c] and a C compiler")
def test_the_same_bytes_as_on_the_pc(tmp_path):
    """A mote of random weights on 16x16 pixels."""
    model = tinynets.create_model("mote_25k", width=0.5)
    images = synthetic_images(100, (3, 16, 16))
    options = {"images": images[:32], "calibration": images[:32], "tolerance": 100, "img_size": (16, 16)}
    result = export(model, "c", tmp_path / "net", **options)
    pixels = images.permute(0, 2, 3, 1).contiguous().numpy()
    net, expected = read_metadata(result.path), FORMATS["c"].load(result.path)(pixels)
    for board in emulated_chip.BOARDS:
        run = emulated_chip.emulate(result.path, pixels, board)
        assert np.array_equal(np.float32(net.scale) * (run.scores - np.float32(net.zero_point)), expected)
        assert run.ram == net.ram
        assert run.flash == pytest.approx(net.flash, rel=0.1)
        assert run.instructions > 100_000
