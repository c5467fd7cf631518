"""Functional interface of the layers."""

from ._depthwise_conv2d import depthwise_conv2d
from ._dispatch import chunks as chunks
from ._dispatch import inference_chunks as inference_chunks
from ._dispatch import use_triton
from ._divisive_norm import divisive_norm
from ._gated_dilated_conv2d import gated_dilated_conv2d
from ._gumbel_gate import gumbel_gate
from ._local_variance import local_variance
from ._symmetric_weight import pack_symmetric as pack_symmetric
from ._symmetric_weight import symmetric_weight

__all__ = [
    "depthwise_conv2d",
    "divisive_norm",
    "gated_dilated_conv2d",
    "gumbel_gate",
    "local_variance",
    "symmetric_weight",
    "use_triton",
]
