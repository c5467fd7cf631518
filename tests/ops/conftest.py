import pytest
import torch


@pytest.fixture(autouse=True)
def every_input_counts_as_large(monkeypatch):
    monkeypatch.setattr("tinynets.ops._box_filter._SMALL", 0)


@pytest.fixture
def by_window():
    """Computes an op pixel by pixel in fp64: function(pixel (N, C), window cut out of the image (N, C, pixels))."""

    def call(function, x, kernel_size=3):
        x = x.double()
        radius = kernel_size // 2
        out = torch.empty_like(x)
        for i in range(x.shape[2]):
            for j in range(x.shape[3]):
                window = x[:, :, max(i - radius, 0) : i + radius + 1, max(j - radius, 0) : j + radius + 1]
                out[:, :, i, j] = function(x[:, :, i, j], window.flatten(2))
        return out

    return call
