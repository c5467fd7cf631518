"""The operations of the portable layers, in PyTorch operations that every converter supports."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F


class ExportOps:
    """The functions of the layers as convolutions, poolings, products and sums; `OnnxFunctions` overrides them.

    The variance is computed as mean(x^2) - mean(x)^2, which is less precise than `tinynets.ops.local_variance` where
    the mean is much larger than the standard deviation.
    """

    def entropy_gate(self, x: Tensor, reduce: nn.Conv2d, expand: nn.Conv2d, kernel_size: int, hard: bool) -> Tensor:
        """`EntropyGate` in evaluation mode."""
        mean = window_mean(x, kernel_size)
        variance = window_mean(x * x, kernel_size) - mean * mean
        logits = expand(F.relu(reduce(variance)))
        if hard:
            return F.one_hot(logits.argmax(1), logits.shape[1]).permute(0, 3, 1, 2).to(x.dtype)
        return logits.softmax(1)

    def gated_dilated_conv2d(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: Sequence[int]
    ) -> Tensor:
        """sum_k gate_k * (depthwise_conv(x, weight, dilation=dilations[k]) + bias)."""
        reach = weight.shape[-1] // 2
        total = None
        for dilation, factor in zip(dilations, gate.split(1, 1), strict=True):
            pad = dilation * reach
            branch = F.conv2d(x, weight, bias, 1, [pad, pad], dilation, weight.shape[0]) * factor
            total = branch if total is None else total + branch
        assert total is not None
        return total

    def relu6(self, x: Tensor) -> Tensor:
        """min(max(x, 0), 6)."""
        return F.relu6(x)

    def divisive_norm(self, x: Tensor, kernel_size: int, eps: float | Tensor) -> Tensor:
        """`tinynets.ops.divisive_norm`. eps may differ between channels, (1, C, 1, 1)."""
        return x / (window_mean(x.abs(), kernel_size) + eps)

    def symmetric_weight(self, weight: Tensor, triangle: Tensor) -> Tensor:
        """Return the symmetric kernel of a 1x1 convolution, passed both as weight and as rows of its lower triangle."""
        return weight


TORCH = ExportOps()


def window_mean(x: Tensor, kernel_size: int) -> Tensor:
    """Compute the mean over the window around each pixel, clipped at the border."""
    return F.avg_pool2d(x, kernel_size, 1, kernel_size // 2, count_include_pad=False)
