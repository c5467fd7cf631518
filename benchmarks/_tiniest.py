"""Tiniest, a net of 97,530 parameters for CIFAR-10, after the description in github.com/xvel/cifar10-tiniest.

A block mixes pixels on quarters of the channels: none, 3x3, 7x7, and 7x7 with dilation 3 behind an average pooling.
Then it mixes channels with a gated unit, and adds its input times a learned scale per channel.
"""

import torch
from timm.layers import LayerNorm2d
from torch import Tensor, nn


def depthwise(channels: int, kernel_size: int, dilation: int = 1) -> nn.Conv2d:
    padding = dilation * (kernel_size // 2)
    return nn.Conv2d(channels, channels, kernel_size, 1, padding, dilation, groups=channels)


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        quarter = channels // 4
        wide = nn.Sequential(nn.AvgPool2d(3, 1, 1), depthwise(quarter, 7, dilation=3))
        self.pixels = nn.ModuleList([nn.Identity(), depthwise(quarter, 3), depthwise(quarter, 7), wide])
        self.norm = LayerNorm2d(channels, eps=1e-5)
        self.expand = nn.Conv2d(channels, 2 * channels, 1)
        self.contract = nn.Conv2d(channels, channels, 1)
        self.scale = nn.Parameter(torch.ones(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        mixed = [mix(part) for mix, part in zip(self.pixels, x.chunk(4, 1), strict=True)]
        gate, value = self.expand(self.norm(torch.cat(mixed, 1))).chunk(2, 1)
        return self.contract(gate * torch.tanh(gate.exp()) * value) + self.scale * x


def tiniest() -> nn.Sequential:
    stem = [nn.Conv2d(3, 48, 3, 1, 1), LayerNorm2d(48, eps=1e-5)]
    down = [nn.Conv2d(48, 80, 4, 2, 1, groups=16), LayerNorm2d(80, eps=1e-5)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(80, 10)]
    return nn.Sequential(*stem, *[Block(48) for _ in range(3)], *down, *[Block(80) for _ in range(3)], *head)
