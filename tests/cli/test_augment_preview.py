import pytest
import torch
from PIL import Image

from tinynets.engine import load_data

COMMAND = ("augment-preview", "simplecnn_mnist", "--data", "digits")


def test_the_picture(run, tmp_path):
    path = tmp_path / "preview.png"
    settings = ["--set", "mixing.mixup=0.5", "--set", "mixing.ricap=0.5"]
    code, text, _ = run(*COMMAND, *settings, "--out", path)
    assert (code, text) == (0, f"{path}\n")
    with Image.open(path) as image:
        assert image.size[0] > 800


def test_a_row_is_an_image_with_its_class_and_its_views(run, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        "tinynets.report.plots.plot_grid",
        lambda images, path, titles, columns: drawn.update(images=images, titles=titles, columns=columns),
    )
    halves = ["--set", "mixing.cutmix=1"]  # of two images each
    code, _, err = run(*COMMAND, *halves, "--out", tmp_path / "p.png")
    assert code == 0, err
    assert (drawn["columns"], len(drawn["images"]), len(drawn["titles"])) == (8, 64, 64)
    data = load_data("digits")
    originals = (255 * drawn["images"][::8]).round().to(torch.uint8)
    for original, title in zip(originals, drawn["titles"][::8], strict=True):
        (index,) = (data.train_images == original).flatten(1).all(1).nonzero().flatten().tolist()
        assert title == data.class_names[data.train_labels[index]]
    for column in range(1, 8):
        views = drawn["images"][column::8]
        assert not torch.equal(views, drawn["images"][::8])
        assert views.min() >= 0  # pixels again, not normalized
        assert views.max() <= 1
        for original, title in zip(drawn["titles"][::8], drawn["titles"][column::8], strict=True):
            names, shares = title.split()[::2], [float(share) for share in title.split()[1::2]]
            assert original in names
            assert sum(shares) == pytest.approx(1, abs=0.15)  # rounded, and very small values are omitted
