"""tools/results.py: the tables and the picture of the README."""

from dataclasses import replace
from pathlib import Path

import pytest
from support import load_tool

from tinynets.weights import list_weights, read_manifest

README = Path(__file__).parents[1] / "README.md"
results = load_tool("results")


def test_results_are_the_manifests_and_the_peers():
    rows = results.all_rows()
    assert {row["model"]: row["top1"] for row in rows if row["ours"]} == {
        name: weights.metadata["top1"] for name, weights in read_manifest().items()
    }
    assert {row["model"] for row in rows if not row["ours"]} == {peer.model for peer in results.list_peers()}
    assert [row["top1"] for row in rows] == sorted((row["top1"] for row in rows), reverse=True)


def test_results_as_text(capsys):
    results.main([])
    out = capsys.readouterr().out
    cifar10 = out[out.index("CIFAR-10\n") : out.index("MNIST\n")]
    assert cifar10.index("xvel Tiniest") < cifar10.index("TinyVision")  # the best first, ahead of us or not
    assert "97.5 K" in cifar10
    assert "43.9 M" in cifar10
    assert all(name in out for name in list_weights())


def test_several_seeds_are_shown_as_their_mean(monkeypatch, capsys):
    name, weights = next(iter(read_manifest().items()))
    metadata = weights.metadata | {"seeds": {"0": 99.0, "1": 98.5}}
    monkeypatch.setattr(results, "read_manifest", lambda: {name: replace(weights, metadata=metadata)})
    results.main([])
    assert "; mean of 2 seeds 98.75" in capsys.readouterr().out


def test_the_readmes_results_are_up_to_date(tmp_path):
    """`python tools/results.py --write README.md` changes nothing."""
    copy = tmp_path / "README.md"
    text = README.read_text(encoding="utf-8")
    copy.write_text(text.replace("| **simplecnn_mnist** |", "| **lost** |"), encoding="utf-8")
    assert copy.read_text(encoding="utf-8") != text
    results.main(["--write", str(copy)])
    assert copy.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (None, FileNotFoundError, "there is no"),
        ("# page\n", ValueError, "must hold the lines '<!-- results -->' and '<!-- end of results -->', once each"),
        ("<!-- end of results -->\n<!-- results -->\n", ValueError, "must hold the lines"),
        ("<!-- results -->\n<!-- end of results -->\n" * 2, ValueError, "must hold the lines"),
    ],
)
def test_results_refuse_a_file_without_their_markers(tmp_path, text, error, message):
    page = tmp_path / "page.md"
    if text is not None:
        page.write_text(text)
    with pytest.raises(error, match=message):
        results.main(["--write", str(page)])
    assert text is None or page.read_text() == text


def test_plot_of_accuracy_against_parameters(tmp_path):
    results.main(["--plot", str(tmp_path / "accuracy.svg")])
    text = (tmp_path / "accuracy.svg").read_text()
    assert "CIFAR-10" in text
    assert text.startswith("<?xml")


def test_every_peer_is_a_net():
    for peer in results.list_peers():
        assert 50 < peer.top1 <= 100
        assert peer.macs is None or peer.macs > 0
