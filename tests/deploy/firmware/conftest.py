import pytest
from firmware_support import SIZE, Small, exported

from tinynets.deploy import FORMATS
from tinynets.deploy.images import synthetic_images


@pytest.fixture(scope="session")
def small_c(tmp_path_factory):
    """The folder of the small net in int8, and what was reported."""
    if not FORMATS["c"].installed():
        pytest.skip("needs tinynets[c] and a C compiler")
    path = tmp_path_factory.mktemp("c") / "net"
    return path, exported(Small(), "c", path)


@pytest.fixture
def pixels():
    return synthetic_images(20, SIZE).permute(0, 2, 3, 1).contiguous().numpy()
