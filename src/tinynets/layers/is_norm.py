import torch.fx
from torch import Tensor, nn

from tinynets._checks import check_channels, check_positive

from .registry import register_layer

torch.fx.wrap("check_channels")


@register_layer
class ISNorm(nn.Module):
    """Iteration-specific batch norm for a layer that is applied to itself: y = BN_step(x).

    Every step has its own affine pair and its own running statistics, since the distribution of a recursion's
    state changes from step to step. The steps are plain BatchNorm2d modules, so SyncBN conversion, averaging of
    weights and loading work as everywhere.

    Args:
        num_features: channels.
        num_steps: how many steps there are.

    Shape: (N, num_features, H, W), step in 0..num_steps-1 -> (N, num_features, H, W).
    Raises: IndexError if step is out of range.
    """

    def __init__(
        self, num_features: int, num_steps: int, eps: float = 1e-5, momentum: float = 0.1, device=None, dtype=None
    ) -> None:
        check_positive(num_features=num_features, num_steps=num_steps)
        super().__init__()
        self.num_features = num_features
        self.num_steps = num_steps
        self.steps = nn.ModuleList(
            nn.BatchNorm2d(num_features, eps=eps, momentum=momentum, device=device, dtype=dtype)
            for _ in range(num_steps)
        )

    def forward(self, x: Tensor, step: int) -> Tensor:
        check_channels(x, self.num_features)
        if not isinstance(step, int) or step < 0 or step >= self.num_steps:
            raise IndexError(f"step must be in 0..{self.num_steps - 1}, got {step}")
        for index, norm in enumerate(self.steps):  # TorchScript indexes a ModuleList by constants only
            if index == step:
                x = norm(x)
        return x

    def extra_repr(self) -> str:
        return f"num_steps={self.num_steps}"
