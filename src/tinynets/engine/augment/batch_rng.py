import torch
from torch import Tensor


class BatchRNG:
    """Random numbers for the images of a batch, drawn from one generator on the CPU.

    Numbers are drawn for the whole batch even if a process handles only a slice of it, so the augmentation of an image
    depends neither on the device nor on the number of processes.

    Args:
        generator: source of the numbers, None for torch's default generator.
        total: number of images in the whole batch.
        part: slice of the batch that this process handles, None for all.
        device: device of the returned numbers.

    Examples:
        >>> import torch
        >>> from tinynets.engine.augment import BatchRNG
        >>> BatchRNG(torch.Generator().manual_seed(0), total=4, part=slice(2, 4)).integers(10)
        tensor([3, 0])
    """

    def __init__(
        self,
        generator: torch.Generator | None,
        total: int,
        part: slice | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.generator, self.total, self.part, self.device = generator, total, part or slice(None), device

    def on_cpu(self) -> "BatchRNG":
        """Return the same draws on the CPU, for control flow that must not synchronize with a GPU."""
        return BatchRNG(self.generator, self.total, self.part)

    def uniform(self, *lead: int) -> Tensor:
        """Draw (*lead, N) numbers in [0, 1)."""
        return self._own(torch.rand(*lead, self.total, generator=self.generator))

    def integers(self, high: int, *lead: int) -> Tensor:
        """Draw (*lead, N) integers from 0 to high - 1."""
        return self._own(torch.randint(high, (*lead, self.total), generator=self.generator))

    def beta(self, a: float) -> Tensor:
        """Draw (N,) numbers from Beta(a, a), fp32, computed from two Gamma(a) draws in fp64, where small a do not
        underflow.
        """
        shape = torch.full((2, self.total), a, dtype=torch.float64)
        gammas = torch._standard_gamma(shape, generator=self.generator).clamp_min(1e-300)
        return self._own((gammas[0] / gammas.sum(0)).float())

    def signed(self, *lead: int) -> Tensor:
        """Draw (*lead, N) numbers in [-1, 1)."""
        return self.uniform(*lead) * 2 - 1

    def chosen(self, probability: float) -> Tensor:
        """Draw (N,) bools, each true with the given probability. Nothing is drawn for a probability of 1."""
        if probability >= 1:
            return torch.ones(self.total, dtype=torch.bool, device=self.device)[self.part]
        return self.uniform() < probability

    def once(self) -> float:
        """Draw one number in [0, 1) for the whole batch."""
        return torch.rand((), generator=self.generator).item()

    def _own(self, numbers: Tensor) -> Tensor:
        return numbers[..., self.part].to(self.device, non_blocking=True)
