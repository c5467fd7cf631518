from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def gated_stencil(x: Tensor, weight: Tensor, bias: Tensor, gate: Tensor, dilations: Sequence[int]) -> Tensor:
    """`gated_dilated_conv2d` as an expression of shifted maps, which inductor fuses into a single pass over x.

    Compilation is slow, and execution fast for small batches: for steps that are compiled once and run many times.
    """
    y = bias.view(1, -1, 1, 1)
    wide, taps = _wide(x), _taps(weight)
    for gate_k, dilation in zip(gate.split(1, 1), dilations, strict=True):
        y = y + gate_k * sum([shifted * taps[tap] for tap, shifted in _shifted(wide, weight.shape[-1], dilation)])
    return y.to(x.dtype)


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def _taps(weight: Tensor) -> list[Tensor]:
    """Return the kernel's elements, each as (1, C, 1, 1), contiguous in C.

    The product with the identity matrix is an exact copy that inductor does not eliminate. Without it every load
    gathers from C memory locations, which halves the speed.
    """
    taps = _wide(weight).flatten(1).t()
    if not taps.is_contiguous():
        taps = torch.eye(taps.shape[0], dtype=taps.dtype, device=taps.device) @ taps
    return [tap.view(1, -1, 1, 1) for tap in taps.unbind(0)]


def _shifted(x: Tensor, kernel_size: int, dilation: int) -> Iterator[tuple[int, Tensor]]:
    """Yield every kernel element that overlaps more than padding, with the map shifted accordingly."""
    height, width = x.shape[2], x.shape[3]
    reach = kernel_size // 2
    if dilation >= height and dilation >= width:  # only the center tap counts; padding by the dilation would be large
        yield reach * kernel_size + reach, x
        return
    padding = dilation * reach
    padded = F.pad(x, [padding] * 4)
    for i in range(kernel_size):
        for j in range(kernel_size):
            if abs(i - reach) * dilation < height and abs(j - reach) * dilation < width:
                yield i * kernel_size + j, padded.narrow(2, i * dilation, height).narrow(3, j * dilation, width)
