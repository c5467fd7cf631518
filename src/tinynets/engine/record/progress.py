import sys
from typing import Any

from tqdm import tqdm

from tinynets._text import printable


class _Bar(tqdm):
    monitor_interval = 0  # no monitor thread, which would outlive the run


class ProgressBar:
    """Progress display on stderr: a bar with the remaining time on a terminal, otherwise one line per epoch.

    Args:
        steps: number of steps per epoch.
        epochs: number of epochs.
        done: number of completed steps.
        shown: whether to print anything; in a distributed run only one process does.

    Examples:
        >>> from tinynets.engine.record import ProgressBar
        >>> progress = ProgressBar(steps=2, epochs=1)
        >>> progress.step(epoch=1)
        >>> progress.close()
    """

    def __init__(self, steps: int, epochs: int, done: int = 0, shown: bool = True) -> None:
        self.steps, self.epochs, self.shown = steps, epochs, shown
        isatty = getattr(sys.stderr, "isatty", None)  # stderr may be None or any object with a write method
        self.bar = _Bar(
            total=steps * epochs,
            initial=done,
            unit="step",
            leave=False,
            dynamic_ncols=True,
            disable=not (shown and isatty and isatty()),
        )

    def step(self, epoch: int) -> None:
        """Count one step."""
        if not self.bar.disable:
            self.bar.set_description(f"epoch {epoch}/{self.epochs}", refresh=False)
        self.bar.update()

    def epoch(self, row: dict[str, Any], seconds_left: float) -> None:
        """Print the metrics of an epoch."""
        val = f"  val {row['val_top1']:6.2f} %" if "val_top1" in row else ""
        left = f"  {duration(seconds_left)} left" if seconds_left else ""
        self.line(
            f"epoch {row['epoch']:{len(str(self.epochs))}}/{self.epochs}  loss {row['train_loss']:.4f}  "
            f"train {row['train_top1']:6.2f} %{val}  lr {row['lr']:.2g}  {row['seconds']:.1f} s{left}"
        )

    def line(self, text: str) -> None:
        """Print a line."""
        if self.shown and sys.stderr is not None:
            tqdm.write(printable(text), file=sys.stderr)

    def close(self) -> None:
        """Remove the bar."""
        self.bar.close()


def duration(seconds: float) -> str:
    """Format a duration as 45 s, 12 min or 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
