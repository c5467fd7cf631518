import io
import pickle
from pathlib import Path
from typing import Any

import torch

from tinynets._files import write_file


def save_state(path: Path, state: dict[str, Any], backup: Path) -> None:
    """Write the state for resuming a run atomically, moving the previous one to backup."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_file(path, buffer.getvalue(), backup)


def load_state(path: Path) -> dict[str, Any]:
    """Read a file written by `save_state` onto the CPU, without executing any code in it.

    Raises:
        ValueError: the file is damaged, is not a state, or contains code.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} is not a training state: it contains more than tensors and plain values (nothing was executed)"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} is not readable ({reason}): it may be truncated") from error
    if not isinstance(state, dict) or "identity" not in state:
        raise ValueError(f"{path} is not the state of a run")
    return state
