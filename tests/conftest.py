import os
import shutil
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from tinynets.engine import ImageData
from tinynets.weights import manifest

MODELS = [
    "c1c2c3c4o_cifar10",
    "ecnet_cifar10",
    "egrr_cifar100",
    "mote_100k",
    "optimized200k_cifar10",
    "simplecnn_mnist",
]

settings.register_profile("tests", database=None)  # a checkout may be read-only
settings.load_profile("tests")


def pytest_configure(config):
    # decoded photos of tests are not kept for the user's next start
    os.environ["XDG_CACHE_HOME"] = folder = tempfile.mkdtemp(prefix="tinynets-tests-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    if "PYTEST_XDIST_WORKER" in os.environ:
        torch.set_num_threads(1)
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # of child processes


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture(params=MODELS)
def name(request):
    return request.param


@pytest.fixture
def unshipped(monkeypatch):
    """The name of a model that ships no weights, whatever the package holds."""
    name = "c1c2c3c4o_cifar10"
    entries = {other: weights for other, weights in manifest.read_manifest().items() if other != name}
    monkeypatch.setattr(manifest, "read_manifest", lambda: entries)
    return name


@pytest.fixture
def real_data():
    """The folder with the real data sets; tests that need them skip where it is not named."""
    folder = os.environ.get("TINYNETS_DATA")
    if not folder:
        pytest.skip("TINYNETS_DATA does not name the folder of the real data sets")
    return Path(folder)


def stripes(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy 8x8 images of three kinds (bright top, bright left, dark) that any model learns in seconds."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    images = torch.randint(0, 60, (count, 1, 8, 8), generator=generator)
    images[labels == 0, :, :4] += 150
    images[labels == 1, :, :, :4] += 150
    return images.to(torch.uint8), labels


@pytest.fixture
def tiny_data() -> ImageData:
    return ImageData("stripes", *stripes(96, 0), *stripes(48, 1), ("top", "left", "dark"), (0.3,), (0.3,))
