import torch
from torch import Tensor, nn

from tinynets._checks import check_positive

from .registry import register_layer


@register_layer
class ISNorm(nn.Module):
    """Iteration-specific batch norm with separate parameters and running statistics for every step: y = BN_step(x).

    A weight-tied layer sees a different distribution at every step of its recursion. The steps are BatchNorm2d modules,
    so SyncBatchNorm conversion, weight averaging and checkpoint loading work as usual.

    Args:
        num_features: number of channels.
        num_steps: number of steps.
        eps: added to the variance, as in BatchNorm2d.
        momentum: weight of a new batch in the running statistics, as in BatchNorm2d.
        device: device of the parameters.
        dtype: floating-point type of the parameters.

    Shape: (N, num_features, H, W), step in 0..num_steps-1 -> (N, num_features, H, W).

    Raises:
        ValueError: num_features or num_steps is not positive.
        IndexError: step is out of range.

    Examples:
        >>> import torch
        >>> from tinynets.layers import ISNorm
        >>> norm, x = ISNorm(8, num_steps=3), torch.randn(4, 8, 5, 5)
        >>> for step in range(3):
        ...     x = x + norm(x, step)
    """

    def __init__(
        self,
        num_features: int,
        num_steps: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_positive(num_features=num_features, num_steps=num_steps)
        super().__init__()
        self.num_steps = num_steps
        self.steps = nn.ModuleList(
            nn.BatchNorm2d(num_features, eps=eps, momentum=momentum, device=device, dtype=dtype)
            for _ in range(num_steps)
        )

    def forward(self, x: Tensor, step: int) -> Tensor:
        """Normalize x with the norm of the given step: (N, num_features, H, W) -> (N, num_features, H, W)."""
        if not isinstance(step, int) or step < 0 or step >= self.num_steps:
            raise IndexError(f"step must be in 0..{self.num_steps - 1}, got {step}")
        for index, norm in enumerate(self.steps):  # TorchScript indexes a ModuleList by constants only
            if index == step:
                x = norm(x)
        return x

    def extra_repr(self) -> str:
        return f"num_steps={self.num_steps}"
