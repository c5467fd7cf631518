import platform

import timm
import torch
import torchvision

import tinynets
from tinynets.engine.record import environment


def test_versions_and_machine():
    metadata = environment(torch.device("cpu"))
    assert metadata["versions"] == {
        "tinynets": tinynets.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "timm": timm.__version__,
    }
    assert metadata["threads"] == torch.get_num_threads()
    assert metadata["device"] == platform.machine()
