import platform
from importlib.metadata import version
from typing import Any

import timm
import torch
import torchvision


def environment(device: torch.device) -> dict[str, Any]:
    """Describe software versions and hardware for summary.json.

    Args:
        device: device of the run.

    Returns:
        Plain values by name.

    Examples:
        >>> import torch
        >>> from tinynets.engine.record import environment
        >>> sorted(environment(torch.device("cpu")))
        ['device', 'host', 'threads', 'versions']
    """
    return {
        "versions": {
            "tinynets": version("tinynets"),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "timm": timm.__version__,
        },
        "host": platform.node(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "threads": torch.get_num_threads(),
    }
