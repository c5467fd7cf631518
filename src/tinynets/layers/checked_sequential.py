from collections import OrderedDict

import torch
import torch.fx
from torch import Tensor, nn

from tinynets._checks import check_channels
from tinynets._modules import has_forward_hooks

torch.fx.wrap("check_channels")


class CheckedSequential(nn.Sequential):
    """Sequential container for feature maps of in_chans channels that checks its input once."""

    def __init__(self, in_chans: int, modules: "OrderedDict[str, nn.Module]") -> None:
        super().__init__(modules)
        self.in_chans = in_chans

    def forward(self, input: Tensor) -> Tensor:
        """Check the input, (N, in_chans, H, W), and apply the modules in order."""
        check_channels(input, self.in_chans)
        for module in self:
            input = module(input)
            if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript prunes by this condition alone)
                if has_forward_hooks(module):
                    input = input.clone()  # an in-place activation follows
        return input
