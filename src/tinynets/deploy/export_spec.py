"""Input of an export: the model in portable form, and the metadata of its file."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class ExportSpec:
    """A model to export, with its metadata.

    Attributes:
        name: name of the model.
        model: the portable form, on the CPU in fp32.
        input_size: (C, H, W).
        mean: mean of the normalization, one number per channel, for pixels in 0..1.
        std: standard deviation of the normalization, one number per channel.
        class_names: names of the classes, empty if unknown.
        pixels: whether the input is pixels (N, H, W, C) in 0..255, with the normalization inside the file. Otherwise it
            is normalized images: (N, C, H, W) in the formats of PyTorch and ONNX, (N, H, W, C) in TFLite's.
    """

    name: str
    model: nn.Module
    input_size: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...]
    pixels: bool

    def example(self, count: int) -> Tensor:
        """Return noise of the file's input shape and dtype, channels first unless the input is pixels."""
        channels, height, width = self.input_size
        if self.pixels:
            return torch.randint(0, 256, (count, height, width, channels), dtype=torch.uint8)
        return torch.randn(count, channels, height, width)

    def network(self) -> nn.Module:
        """Return the model, preceded by the normalization if the input is pixels."""
        return nn.Sequential(InputNormalize(self.mean, self.std), self.model).eval() if self.pixels else self.model

    def inputs(self, images: Tensor) -> Tensor:
        """Convert uint8 images (N, C, H, W) to the input of the file."""
        if self.pixels:
            return images.permute(0, 2, 3, 1).contiguous()
        mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (self.mean, self.std))
        return (images.float() / 255 - mean) / std


class InputNormalize(nn.Module):
    """Normalize pixels by one multiply-add: (N, H, W, C) in 0..255 of any dtype -> (N, C, H, W)."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        channels = len(mean)
        self.scale = nn.Conv2d(channels, channels, 1, groups=channels).requires_grad_(False)
        self.scale.weight.copy_(1 / (255 * torch.tensor(std)).view(-1, 1, 1, 1))
        bias = self.scale.bias
        assert bias is not None
        bias.copy_(-torch.tensor(mean) / torch.tensor(std))

    def forward(self, x: Tensor) -> Tensor:
        # channels_last is faster in PyTorch, but makes torch.onnx write adaptive_avg_pool2d as a mean and a Gather
        layout = torch.contiguous_format if torch.onnx.is_in_onnx_export() else torch.preserve_format
        return self.scale(x.permute(0, 3, 1, 2).to(self.scale.weight.dtype, memory_format=layout))
