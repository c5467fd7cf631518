import torch
from torch import Tensor


class Draws:
    """Random numbers for the images of one batch, from one generator on the CPU.

    They are drawn for the whole batch even where a process works on a slice of it, so that what happens to an image
    depends neither on the device nor on the number of processes.

    Args:
        generator: where numbers come from, None for torch's default.
        total: images of the whole batch.
        part: the slice of them that is worked on, None for all.
        device: where the numbers are wanted.
    """

    def __init__(
        self,
        generator: torch.Generator | None,
        total: int,
        part: slice | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.generator, self.total, self.part, self.device = generator, total, part or slice(None), device

    def on_cpu(self) -> "Draws":
        """The same draws, left on the CPU: for what decides which operations run, so that no GPU is waited for."""
        return Draws(self.generator, self.total, self.part)

    def uniform(self, *lead: int) -> Tensor:
        """(*lead, N) in [0, 1)."""
        return self._own(torch.rand(*lead, self.total, generator=self.generator))

    def integers(self, high: int, *lead: int) -> Tensor:
        """(*lead, N) of 0 .. high - 1."""
        return self._own(torch.randint(high, (*lead, self.total), generator=self.generator))

    def beta(self, a: float) -> Tensor:
        """(N,) fp32 from Beta(a, a), by two Gamma(a) draws; fp64 inside, as small a underflow."""
        shape = torch.full((2, self.total), a, dtype=torch.float64)
        gammas = torch._standard_gamma(shape, generator=self.generator).clamp_min(1e-300)
        return self._own((gammas[0] / gammas.sum(0)).float())

    def signed(self, *lead: int) -> Tensor:
        """(*lead, N) in [-1, 1)."""
        return self.uniform(*lead) * 2 - 1

    def chosen(self, probability: float) -> Tensor:
        """(N,) bool, each true with that probability. Certainty costs no draw."""
        if probability >= 1:
            return torch.ones(self.total, dtype=torch.bool, device=self.device)[self.part]
        return self.uniform() < probability

    def once(self) -> float:
        """One number in [0, 1) for the whole batch."""
        return torch.rand((), generator=self.generator).item()

    def _own(self, numbers: Tensor) -> Tensor:
        return numbers[..., self.part].to(self.device, non_blocking=True)
