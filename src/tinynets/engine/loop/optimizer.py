from collections.abc import Callable, Iterable
from typing import Any

import torch
from timm.optim import create_optimizer_v2
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim.adamw import adamw

from tinynets.engine.recipes import Optimizer
from tinynets.layers import SymmetricConv1x1
from tinynets.ops import pack_symmetric, symmetric_weight

_COEFFICIENTS = (  # of the quintic Newton-Schulz iterations, from modded-nanogpt
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
)
_EPS = 1e-7


class Muon(torch.optim.Optimizer):
    """Muon for matrices and convolution kernels, AdamW for the rest, with the same updates as timm's "muon".

    M <- momentum M + (1 - momentum) grad
    W <- (1 - lr weight_decay) W - 0.2 sqrt(max(rows, columns)) lr orthogonalized(M)

    A convolution kernel counts as a matrix with out_chans rows. For SymmetricConv1x1, whose packed parameter is L with
    W = L + L^T, the update is computed for W; it preserves symmetry, since the gradient of W is symmetric and so is its
    orthogonalization. AdamW updates depthwise kernels, vectors, and matrices with a dimension below 4 or an aspect
    ratio above 128.

    Args:
        params: parameters or parameter groups.
        lr: learning rate, shared with AdamW.
        momentum: momentum of the matrices.
        precision: dtype of the orthogonalization, torch.bfloat16 or torch.float32.
        symmetric: sizes of the symmetric matrices, by their packed parameter.

    Source: Jordan et al., Muon, 2024 (https://kellerjordan.github.io/posts/muon/), with the scale of Liu et al., Muon
    is Scalable for LLM Training, 2025 (https://arxiv.org/abs/2502.16982).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float,
        precision: torch.dtype,
        symmetric: dict[Parameter, int],
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": 0.0, "capturable": False})
        self.precision, self.symmetric = precision, symmetric

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Perform a single optimization step."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            rest = []
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p in self.symmetric:
                    weight, grad = (symmetric_weight(t, self.symmetric[p]) for t in (p, p.grad / 2))
                    grad.diagonal().div_(2)  # the diagonal of L counts twice in W
                    self._move(weight, grad, self.state[p], group)
                    p.copy_(pack_symmetric(weight).view_as(p))
                elif _is_matrix(p):
                    self._move(p, p.grad, self.state[p], group)
                else:
                    rest.append(p)
            if rest:
                self._adamw(rest, group)
        return loss

    def _move(self, weight: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        momentum = state["momentum_buffer"].lerp_(grad, 1 - group["momentum"])
        matrix = momentum.reshape(len(momentum), -1)
        lr, scale = group["lr"], 0.2 * max(matrix.shape) ** 0.5
        weight.mul_(1 - lr * group["weight_decay"])
        weight.sub_(orthogonalized(matrix, self.precision).to(weight.dtype).reshape(weight.shape) * (lr * scale))

    def _adamw(self, params: list[Tensor], group: dict[str, Any]) -> None:
        capturable = group["capturable"]
        for p in params:
            if not self.state[p]:
                step = torch.zeros((), device=p.device if capturable else "cpu")
                self.state[p] |= {"step": step, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
        averages, squares, steps = ([self.state[p][k] for p in params] for k in ("exp_avg", "exp_avg_sq", "step"))
        adamw(
            params,
            [p.grad for p in params if p.grad is not None],
            averages,
            squares,
            [],
            steps,
            capturable=capturable,
            fused=capturable,
            foreach=False,
            amsgrad=False,
            beta1=0.9,
            beta2=0.95,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=_EPS,
            maximize=False,
        )


def orthogonalized(matrix: Tensor, precision: torch.dtype) -> Tensor:
    """Approximate U V^T of a matrix's singular value decomposition U S V^T by five Newton-Schulz iterations."""
    x = matrix.to(precision)
    if tall := x.shape[0] > x.shape[1]:
        x = x.t()
    x = x / x.norm().clamp(min=_EPS)
    for a, b, c in _COEFFICIENTS:
        square = x @ x.t()
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.t() if tall else x


def _is_matrix(p: Tensor) -> bool:
    if p.ndim < 2 or 1 in p.shape[:2]:
        return False
    short, long = sorted((len(p), p[0].numel()))
    return short >= 4 and long <= 128 * short


def create_optimizer(model: nn.Module, recipe: Optimizer) -> torch.optim.Optimizer:
    """Create timm's optimizer of that name, or `Muon` for "muon", without weight decay on norms and biases.

    Raises:
        ValueError: timm has no such optimizer.
    """
    momentum = 0.9 if recipe.used_momentum is None else recipe.used_momentum  # ignored by optimizers without one
    name = "sgd" if recipe.name == "muon" else recipe.name
    optimizer = create_optimizer_v2(model, opt=name, lr=recipe.lr, weight_decay=recipe.weight_decay, momentum=momentum)
    if recipe.name != "muon":
        return optimizer
    groups = [{key: group[key] for key in ("params", "weight_decay")} for group in optimizer.param_groups]
    symmetric = {m.packed: m.channels for m in model.modules() if isinstance(m, SymmetricConv1x1)}
    precision = torch.float32 if recipe.muon_precision == "fp32" else torch.bfloat16
    return Muon(groups, recipe.lr, momentum, precision, symmetric)
