"""What the package changes in the process inside a `with` block."""

import torch

from tinynets._context import cudnn_benchmark


def test_cudnn_tries_its_kernels_inside_and_on_cuda_only():
    before = torch.backends.cudnn.benchmark
    with cudnn_benchmark(torch.device("cpu")):
        assert torch.backends.cudnn.benchmark == before
    with cudnn_benchmark(torch.device("cuda")):
        assert torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.benchmark == before
