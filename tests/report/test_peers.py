import csv

from tinynets.report import list_peers
from tinynets.report.peers import PEERS


def test_every_row_of_the_table_is_a_net():
    with open(PEERS, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["installable"] for row in rows} == {"yes", "no"}
    for row, peer in zip(rows, list_peers(), strict=True):
        assert (peer.model, peer.data, peer.source) == (row["model"], row["data"], row["source"])
        assert peer.installable == (row["installable"] == "yes")
        assert peer.macs == (float(row["macs"]) if row["macs"] else None)
        assert 50 < peer.top1 <= 100
