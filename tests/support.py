"""What tests share: recipes, a model of a user's own, reading a run's figures, and the maintainers' tools."""

import importlib.util
import multiprocessing
from pathlib import Path

import timm
import torch
from torch import nn

from tinynets.engine import Augment, Mixing, Optimizer, Recipe, Recursion, Schedule, read_metrics, train

EGRR_ARGS = {"channels": (8, 16), "num_steps": (2, 3), "strides": (1, 2)}

QUICK = Recipe(
    batch_size=16,
    optimizer=Optimizer("adamw", lr=1e-2),
    schedule=Schedule(epochs=3, warmup_epochs=0.5),
    augment=Augment(pad=1),
    val_size=0.25,
)

# for a small EGRR: everything with state or random numbers is enabled
EVERYTHING = Recipe(
    batch_size=8,
    optimizer=Optimizer("adamw", lr=3e-3),
    schedule=Schedule(epochs=20, warmup_epochs=2),
    augment=Augment(pad=1, flip=True, policy="autoaugment", rotate=10, shift=0.1, cutout=2),
    mixing=Mixing(mixup=0.3, cutmix=0.3, ricap=0.2, ramp_epochs=2, off_epoch=8),
    recursion=Recursion(depth_warmup_epochs=8, tau_end=0.1),
    label_smoothing=0.1,
    class_weights="balanced",
    clip_grad=1.0,
    ema_decay=0.95,
    drop_rate=0.2,
    bn_images=40,
    val_size=0.25,
)


@torch.no_grad()
def randomised(model, seed=0):
    """The model in evaluation mode, its norms and scales about as training leaves them.

    The statistics fit the activations: with others the signal dies away, and every image gets the same logits.
    """
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.ndim == 0:
            parameter.uniform_(0.5, 1.5, generator=generator)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d) and m.running_mean is not None]
    for norm in norms:
        norm.weight.mul_(torch.rand(norm.weight.shape, generator=generator) + 0.5)
        norm.bias.normal_(0, 0.2, generator=generator)
        norm.momentum = 1.0
    size = getattr(model, "img_size", None) or model.pretrained_cfg["input_size"][1:]
    model.train()(torch.randn(4, model.in_chans, *size, generator=generator))
    for norm in norms:
        norm.momentum = 0.1
        norm.running_mean.add_(
            0.3 * norm.running_var.sqrt() * torch.randn(norm.running_mean.shape, generator=generator)
        )
        norm.running_var.mul_(0.5 + torch.rand(norm.running_var.shape, generator=generator))
    return model.eval()


class GroupNormNet(nn.Module):
    """A user's own model, registered with timm, whose norms see one image at a time."""

    def __init__(self, num_classes=10, in_chans=3, fail_at=None):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_chans, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.ReLU(), nn.Conv2d(8, 8, 3)
        )
        self.fc = nn.Linear(8, num_classes)
        self.num_classes, self.in_chans = num_classes, in_chans
        self.fail_at, self.calls = fail_at, 0

    def forward(self, x):
        self.calls += self.training
        logits = self.fc(self.body(x).mean((2, 3)))
        return logits * float("nan") if self.training and self.calls == self.fail_at else logits


@timm.models.register_model
def groupnorm_net(pretrained=False, **kwargs):
    kwargs = {k: v for k, v in kwargs.items() if k in ("num_classes", "in_chans", "fail_at")}
    return GroupNormNet(**kwargs)


def rows_of(out):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in read_metrics(out)]


def train_everything(data, out, resume=True, recipe=EVERYTHING):
    """A small EGRR with everything on, its state saved at almost every step."""
    torch.set_num_threads(1)
    train("egrr_cifar100", data, recipe, out, model_args=EGRR_ARGS, resume=resume, save_seconds=0.05)


def forkserver():
    """Start processes from a server that has imported the package."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tinynets.engine", "tinynets.models"])
    return context


def load_tool(name):
    """The module tools/NAME.py."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / f"tools/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
