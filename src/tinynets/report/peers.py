import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PEERS = Path(__file__).with_name("peers.csv")


@dataclass(frozen=True)
class Peer:
    """Somebody else's net of comparable size, with the figures its own authors publish.

    macs: multiply-adds of an image, None where nobody says. top1: test accuracy in percent. training: what it took.
    installable: its weights come with a pip package. source: who says so.
    """

    data: str
    model: str
    params: int
    macs: float | None
    top1: float
    training: str
    installable: bool
    source: str


@cache
def list_peers() -> list[Peer]:
    """The nets in peers.csv, which ours are shown beside."""
    with open(PEERS, encoding="utf-8", newline="") as file:
        return [
            Peer(
                row["data"],
                row["model"],
                int(row["params"]),
                float(row["macs"]) if row["macs"] else None,
                float(row["top1"]),
                row["training"],
                row["installable"] == "yes",
                row["source"],
            )
            for row in csv.DictReader(file)
        ]
