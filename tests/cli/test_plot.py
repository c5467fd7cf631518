import torch

from tinynets.engine import Normalize, load_data, load_trained, predict


def test_samples_show_the_predicted_class(run, finished, monkeypatch):
    """Augmented samples are denormalized."""
    grids = {}
    monkeypatch.setattr(
        "tinynets.report.plots.plot_grid", lambda images, path, titles: grids.update({path.stem: (images, titles)})
    )
    out, _ = finished
    code, _, err = run("plot", out)
    assert code == 0, err
    trained, data = load_trained(out), load_data("digits")
    logits = predict(trained.model, data.test_images, Normalize(data.mean, data.std))
    expected = {}
    for image, label, guess in zip(data.test_images, data.test_labels, logits.argmax(1), strict=True):
        name, said = data.class_names[label], data.class_names[guess]
        expected[image.numpy().tobytes()] = name if name == said else f"{name} → {said}"
    for grid in ("samples", "mistakes"):
        images, titles = grids[grid]
        pixels = (255 * images).round().to(torch.uint8)
        assert titles == [expected[image.numpy().tobytes()] for image in pixels]
    assert len(grids["samples"][1]) == 16
    assert len(titles) == min(16, int((logits.argmax(1) != data.test_labels).sum()))
    assert all(" → " in title for title in titles)
    images, _ = grids["augmented"]
    assert 0 <= images.min() < images.max() <= 1
