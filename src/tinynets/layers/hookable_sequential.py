import torch
from torch import Tensor, nn

from tinynets._modules import has_forward_hooks


class HookableSequential(nn.Sequential):
    """Sequential container whose in-place activation does not overwrite an output that a hook keeps."""

    def forward(self, input: Tensor) -> Tensor:
        for module in self:
            input = module(input)
            if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript prunes by this condition alone)
                if has_forward_hooks(module):
                    input = input.clone()  # an in-place activation follows
        return input
