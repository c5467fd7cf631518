"""What the pictures show, read from matplotlib's figures."""

import pytest
import torch
from PIL import Image

from tinynets.report import plots


@pytest.fixture
def drawn(monkeypatch):
    """The axes of every figure that is saved."""
    from matplotlib.figure import Figure

    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda self, path, **options: figures.append(self.axes))
    return figures


def test_curves(drawn, tmp_path):
    rows = [
        {"epoch": e, "train_top1": 10 * e, "val_top1": 9 * e, "train_loss": 3 - e, "val_loss": 4 - e} for e in (1, 2)
    ]
    plots.plot_curves({"run": rows}, tmp_path / "x.png")
    accuracy, loss = drawn[0]
    assert [(line.get_label(), list(line.get_ydata())) for line in accuracy.lines] == [
        ("run, train", [10, 20]),
        ("run, validation", [9, 18]),
    ]
    assert [list(line.get_ydata()) for line in loss.lines] == [[2, 1], [3, 2]]
    assert list(loss.lines[0].get_xdata()) == [1, 2]


def test_confusion_is_in_percent_of_the_labels(drawn, tmp_path):
    plots.plot_confusion(torch.tensor([[8, 2], [1, 3]]), ["cat", "dog"], tmp_path / "x.png")
    axes = drawn[0][0]
    cells = {text.get_position(): text.get_text() for text in axes.texts}  # (column, row): prediction, label
    assert cells == {(0, 0): "80.0", (1, 0): "20.0", (0, 1): "25.0", (1, 1): "75.0"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "label")


def test_calibration_leaves_out_empty_levels(drawn, tmp_path):
    bins = torch.tensor([[0.0, 0.0, 0.0], [0.25, 0.4, 0.3], [0.75, 0.9, 0.8]])
    plots.plot_calibration(bins, tmp_path / "x.png")
    reliability, histogram = drawn[0]
    assert list(reliability.lines[1].get_xdata()) == pytest.approx([40, 90])
    assert list(reliability.lines[1].get_ydata()) == pytest.approx([30, 80])
    assert [bar.get_height() for bar in histogram.patches] == [0, 25, 75]


def test_a_grid_has_its_images_in_rows(drawn, tmp_path):
    images = torch.rand(5, 3, 4, 6)
    plots.plot_grid(images, tmp_path / "x.png", list("abcde"), columns=3)
    assert [axes.get_title() for axes in drawn[0]] == ["a", "b", "c", "d", "e", ""]
    for axes, image in zip(drawn[0], images, strict=False):
        assert torch.equal(torch.from_numpy(axes.images[0].get_array()), image.permute(1, 2, 0))


def test_tiles_are_enlarged_by_a_whole_factor(tmp_path):
    image = torch.zeros(3, 4, 6)
    image[0, 0, 5] = 1  # red, at the top right
    plots.save_tiles(torch.stack([image, image]), ["cat", "a/b"], tmp_path / "tiles", side=20)
    assert [path.name for path in sorted((tmp_path / "tiles").iterdir())] == ["00_cat.png", "01_a-b.png"]
    with Image.open(tmp_path / "tiles/00_cat.png") as tile:
        assert tile.size == (18, 12)
        assert tile.getpixel((17, 0)) == tile.getpixel((15, 2)) == (255, 0, 0)
        assert tile.getpixel((14, 0)) == (0, 0, 0)
    plots.save_tiles(torch.zeros(1, 1, 30, 40), ["large"], tmp_path / "large", side=20)
    with Image.open(tmp_path / "large/00_large.png") as tile:
        assert tile.size == (40, 30)
