import platform

import timm
import torch
import torchvision

import tinynets
from tinynets.engine.record import environment


def test_versions_and_machine():
    facts = environment(torch.device("cpu"))
    assert facts["versions"] == {
        "tinynets": tinynets.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "timm": timm.__version__,
    }
    assert facts["threads"] == torch.get_num_threads()
    assert facts["device"] == platform.machine()
