"""What the tests of several processes train, and the start of those processes from a server that has imported torch."""

import contextlib
import os
import signal
import socket
import sys

import torch
from conftest import stripes
from support import QUICK, forkserver  # registers groupnorm_net

from tinynets.engine import ImageData, override, train
from tinynets.engine.loop import Run

RECIPE = override(
    QUICK,
    {
        "batch_size": 32,
        "schedule.epochs": 10,
        "val_size": 0.0,
        "optimizer.name": "sgd",
        "optimizer.lr": 0.1,
        "ema_decay": 0.9,
        "mixing.mixup": 0.3,
        "mixing.cutmix": 0.3,
        "mixing.ricap": 0.3,
        "augment.pad": 1,
        "augment.policy": "autoaugment",
        "augment.cutout": 2,
        "label_smoothing": 0.1,
        "clip_grad": 5.0,
        "class_weights": "balanced",
    },
)


def train_stripes(out, stop=False, resume=False):
    """Train and write every step's loss to OUT.losses; with `stop` a Ctrl-C comes after step 6."""
    torch.set_num_threads(1)
    images, labels = stripes(96, 0)
    kept = (labels != 1) | (torch.arange(96) < 24)  # classes of 32, 8 and 32 images
    data = ImageData("stripes", images[kept], labels[kept], *stripes(48, 1), ("top", "left", "dark"), (0.3,), (0.3,))
    real = Run._train_step

    def step(self, rows):
        real(self, rows)
        if self.distributed.is_main:
            with open(f"{out}.losses", "a") as file:
                file.write(f"{self.loss_sum.item()}\n")  # summed since the epoch began
            if self.step == 6 and stop:
                os.kill(os.getpid(), signal.SIGINT)

    Run._train_step = step
    try:
        train("groupnorm_net", data, RECIPE, out, resume=resume)
    finally:
        Run._train_step = real


def start(out, stop=False, resume=False, processes=2):
    """Train in several processes, started as torchrun starts them; gives their exit codes and what they wrote."""
    context = forkserver()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = out.with_suffix(".stderr")
    log.write_text("")
    children = [
        context.Process(target=_rank, args=(rank, processes, port, log, out, stop, resume)) for rank in range(processes)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(240)
    return [child.exitcode for child in children], log.read_text()


def _rank(rank, processes, port, log, *arguments):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    environment = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in environment.items()}, MASTER_ADDR="127.0.0.1")
    with log.open("a") as file, contextlib.redirect_stderr(file):
        try:
            train_stripes(*arguments)
        except KeyboardInterrupt as error:
            print(error, file=sys.stderr)
            raise SystemExit(130) from None
