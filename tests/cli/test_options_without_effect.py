"""An option that has no effect on a call is refused or reported, in one line."""

import pytest
import torch

from tinynets.engine.data.builtin import has_files

DIGITS = ("simplecnn_mnist", "--data", "digits")
TRAIN = ("train", *DIGITS, "--epochs", "1")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((*TRAIN, "--data-dir", "."), "data_dir (--data-dir) has no effect on digits"),
        ((*TRAIN, "--background", "black"), "background (--background) has no effect on digits"),
        ((*TRAIN, "--skip-bad"), "skip_bad (--skip-bad) has no effect on digits"),
        ((*TRAIN, "--set", "distill.temperature=2"), "distill.temperature has no effect without distill.teacher"),
        ((*TRAIN, "--set", "augment.cutout_prob=0.5"), "augment.cutout_prob has no effect without augment.cutout"),
        ((*TRAIN, "--set", "mixing.ramp_epochs=0.5"), "mixing.ramp_epochs has no effect without mixing"),
        ((*TRAIN, "--set", "optimizer.wd=0.5"), "did you mean optimizer.weight_decay?"),
        ((*TRAIN, "--set", "bs=8"), "did you mean batch_size?"),
        (
            (*TRAIN, "--pretrained", "--img-size", "20"),
            "--img-size has no effect: simplecnn_mnist supports only images of",
        ),
        (
            ("augment-preview", "simplecnn_mnist", "--data", "digits", "--set", "optimizer.lr=1"),
            "no effect on a preview",
        ),
        (
            ("evaluate", "simplecnn_mnist", "--data", "digits", "--data-dir", "."),
            "(--data-dir) has no effect on digits",
        ),
        (("export", "simplecnn_mnist", "--to", "pt2", "--calibration", "9"), "--calibration has no effect on pt2"),
        (("export", "simplecnn_mnist", "--to", "pt2", "--images", "9"), "have no effect without data"),
    ],
)
def test_it_is_refused(run, tmp_path, monkeypatch, argv, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*argv)
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_the_settings_of_another_optimizer_are_named(run):
    sgd = ("recipe", "simplecnn_mnist", "--set", "optimizer.name=sgd")
    code, _, err = run(*sgd)
    assert code == 0
    assert "chosen for muon, not sgd: optimizer.lr 0.01, optimizer.weight_decay 0.1. Set them too" in err
    assert (
        run("recipe", "simplecnn_mnist", "--set", "optimizer.name=sgd", "--lr", 1, "--set", "optimizer.weight_decay=0")[
            2
        ]
        == ""
    )


def test_the_size_of_an_fp32_export(run, tmp_path):
    """Without data the size is that of the option, not that of the weights."""
    code, _, _ = run(
        "export", "c1c2c3c4o_cifar10", "--to", "pt2", "--img-size", 48, "--out", tmp_path / "net", "--json"
    )
    assert code == 0

    program = torch.export.load(tmp_path / "net")
    (example,) = program.example_inputs[0]
    assert tuple(example.shape[1:]) == (3, 48, 48)


def test_a_run_knows_its_data(run, finished):
    out, _ = finished
    assert "synthetic" not in run("export", out, "--to", "pt2", "--out", out / "net")[2]


def test_an_fp32_export_downloads_nothing(tmp_path):
    assert not has_files("cifar10", tmp_path)
    (tmp_path / "cifar-10-batches-py").mkdir()
    assert has_files("cifar10", tmp_path)
    assert has_files("digits", None)
