"""Functional forms of the layers' arithmetic: plain tensors in, plain tensors out, no parameters of their own."""

from ._dispatch import inference_pieces, pieces, use_triton
from .depthwise_conv2d import depthwise_conv2d
from .divisive_norm import divisive_norm
from .gated_dilated_conv2d import gated_dilated_conv2d
from .gradient_layout import keep_gradient_layout
from .gumbel_gate import gumbel_gate
from .local_variance import local_variance
from .projected_variance import projected_variance
from .symmetric_weight import pack_symmetric, symmetric_weight

__all__ = [
    "depthwise_conv2d",
    "divisive_norm",
    "gated_dilated_conv2d",
    "gumbel_gate",
    "inference_pieces",
    "keep_gradient_layout",
    "local_variance",
    "pack_symmetric",
    "pieces",
    "projected_variance",
    "symmetric_weight",
    "use_triton",
]
