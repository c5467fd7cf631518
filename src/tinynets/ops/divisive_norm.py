from torch import Tensor
from torch.nn import functional as F

from ._precision import accumulable


def divisive_norm(x: Tensor, kernel_size: int = 3, eps: float = 1e-3) -> Tensor:
    """y = x / (eps + mean_window(|x|)), per channel, the window clipped at the border.

    Args:
        x: (N, C, H, W), any floating type; half precision is accumulated in fp32.
        kernel_size: odd side of the window in pixels.
        eps: positive constant that bounds the gain where the window is silent.

    Returns:
        (N, C, H, W) in the type of x.

    Source: Carandini and Heeger, Normalization as a canonical neural computation, 2012.
    """
    wide = accumulable(x)
    mean = F.avg_pool2d(wide.abs(), kernel_size, stride=1, padding=kernel_size // 2, count_include_pad=False)
    return (wide / (mean + eps)).to(x.dtype)
