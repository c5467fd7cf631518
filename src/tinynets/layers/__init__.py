"""The building blocks of the models, each usable in any network, and a registry that creates them by name."""

from .blur_pool import BlurPool
from .conv_bn_act import ConvBnAct
from .divisive_norm import DivisiveNorm
from .dw_separable import DWSeparable
from .entropy_gate import EntropyGate
from .gated_dilated_conv2d import GatedDilatedConv2d
from .is_norm import ISNorm
from .registry import create_layer, list_layers, register_layer
from .symmetric_conv1x1 import SymmetricConv1x1

__all__ = [
    "BlurPool",
    "ConvBnAct",
    "DWSeparable",
    "DivisiveNorm",
    "EntropyGate",
    "GatedDilatedConv2d",
    "ISNorm",
    "SymmetricConv1x1",
    "create_layer",
    "list_layers",
    "register_layer",
]
