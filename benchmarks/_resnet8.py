"""ResNet-8, MLPerf Tiny's image classifier for CIFAR-10, after github.com/mlcommons/tiny.

78,186 parameters; theirs, 78,666, count the running statistics of the batch norms too.
"""

from torch import Tensor, nn


def conv_bn(in_chans: int, out_chans: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_chans, out_chans, 3, stride, 1), nn.BatchNorm2d(out_chans))


class Block(nn.Module):
    def __init__(self, in_chans: int, out_chans: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = conv_bn(in_chans, out_chans, stride), conv_bn(out_chans, out_chans)
        self.shortcut = nn.Conv2d(in_chans, out_chans, 1, stride) if stride > 1 else nn.Identity()
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.shortcut(x) + self.second(self.act(self.first(x))))


def resnet8() -> nn.Sequential:
    blocks = [Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(conv_bn(3, 16), nn.ReLU(), *blocks, *head)
