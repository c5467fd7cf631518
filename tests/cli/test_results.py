import json
from dataclasses import replace
from pathlib import Path

import pytest

from tinynets.report import list_peers
from tinynets.weights import list_weights, read_manifest

README = Path(__file__).parents[2] / "README.md"


def test_results_are_the_manifests_and_the_peers(run):
    code, out, _ = run("results", "--json")
    rows = json.loads(out)["results"]
    assert code == 0
    assert {row["model"]: row["top1"] for row in rows if row["ours"]} == {
        name: weights.facts["top1"] for name, weights in read_manifest().items()
    }
    assert {row["model"] for row in rows if not row["ours"]} == {peer.model for peer in list_peers()}
    assert [row["top1"] for row in rows] == sorted((row["top1"] for row in rows), reverse=True)


def test_results_as_text(run):
    code, out, _ = run("results")
    assert code == 0
    cifar10 = out[out.index("CIFAR-10\n") : out.index("MNIST\n")]
    assert cifar10.index("xvel Tiniest") < cifar10.index("TinyVision")  # the best first, ahead of us or not
    assert "97.5 K" in cifar10
    assert "43.9 M" in cifar10
    assert all(name in out for name in list_weights())


def test_several_seeds_are_shown_as_their_mean(run, monkeypatch):
    name, weights = next(iter(read_manifest().items()))
    facts = weights.facts | {"seeds": {"0": 99.0, "1": 98.5}}
    monkeypatch.setattr("tinynets.cli.results.read_manifest", lambda: {name: replace(weights, facts=facts)})
    assert "; mean of 2 seeds 98.75" in run("results")[1]


def test_the_readmes_results_are_up_to_date(run, tmp_path):
    """`tinynets results --write README.md` changes nothing."""
    copy = tmp_path / "README.md"
    text = README.read_text(encoding="utf-8")
    copy.write_text(text.replace("| **simplecnn_mnist** |", "| **lost** |"), encoding="utf-8")
    assert copy.read_text(encoding="utf-8") != text
    assert run("results", "--write", copy)[0] == 0
    assert copy.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no"),
        ("# page\n", "must hold the lines '<!-- results -->' and '<!-- end of results -->', once each"),
        ("<!-- end of results -->\n<!-- results -->\n", "must hold the lines"),
        ("<!-- results -->\n<!-- end of results -->\n" * 2, "must hold the lines"),
    ],
)
def test_results_refuse_a_file_without_the_place_for_them(run, tmp_path, text, message):
    page = tmp_path / "page.md"
    if text is not None:
        page.write_text(text)
    code, out, err = run("results", "--write", page)
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert message in err
    assert text is None or page.read_text() == text


def test_plot_of_accuracy_against_parameters(run, tmp_path):
    code, _, stderr = run("results", "--plot", tmp_path / "accuracy.svg")
    assert code == 0, stderr
    text = (tmp_path / "accuracy.svg").read_text()
    assert "CIFAR-10" in text
    assert text.startswith("<?xml")
