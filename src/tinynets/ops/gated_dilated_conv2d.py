from torch import Tensor
from torch.nn import functional as F


def gated_dilated_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: list[int]) -> Tensor:
    """y = sum_k gate_k * depthwise_conv(x, weight, dilation=dilations[k]) + bias: one kernel seen at several scales.

    Args:
        x: (N, C, H, W).
        weight: (C, 1, K, K), K odd; the same kernel serves every dilation.
        bias: (C,) or None.
        gate: (N, len(dilations), H, W), how much of each dilation every pixel takes.
        dilations: spacing of the kernel's taps in pixels, one per gate channel.

    Returns:
        (N, C, H, W): zero padding keeps the size.
    """
    reach = weight.shape[-1] // 2
    channels = weight.shape[0]
    y = F.conv2d(x, weight, None, 1, dilations[0] * reach, dilations[0], channels)
    gate = gate.to(y.dtype)  # under autocast the convolution decides the type
    y = y * gate.narrow(1, 0, 1)
    for index in range(1, len(dilations)):
        dilation = dilations[index]
        branch = F.conv2d(x, weight, None, 1, dilation * reach, dilation, channels)
        y = y + branch * gate.narrow(1, index, 1)
    if bias is not None:
        y = y + bias.to(y.dtype).view(1, -1, 1, 1)
    return y
