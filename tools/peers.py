"""The published figures of other people's nets, in peers.csv."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PEERS = Path(__file__).with_name("peers.csv")


@dataclass(frozen=True)
class Peer:
    """Somebody else's net of comparable size, with the figures that its authors publish.

    Attributes:
        data: name of the data set.
        model: name of the net.
        params: number of parameters.
        macs: multiply-adds for an image, None if unpublished.
        top1: test accuracy in percent.
        training: how it was trained, in a few words.
        best_on_test: whether the figure is that of the best epoch on the test set, which is higher than an honest one.
        installable: whether its weights come with a pip package.
        source: where the figures are published.
    """

    data: str
    model: str
    params: int
    macs: float | None
    top1: float
    training: str
    best_on_test: bool
    installable: bool
    source: str


@cache
def list_peers() -> list[Peer]:
    """List the nets in peers.csv, which our results are compared with."""
    with open(PEERS, encoding="utf-8", newline="") as file:
        return [
            Peer(
                row["data"],
                row["model"],
                int(row["params"]),
                float(row["macs"]) if row["macs"] else None,
                float(row["top1"]),
                row["training"],
                row["best_on_test"] == "yes",
                row["installable"] == "yes",
                row["source"],
            )
            for row in csv.DictReader(file)
        ]
