"""What a trained net mistakes: the worst confusions, and the photos misclassified with the highest confidence."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinynets.engine import ImageData

_CONFUSIONS, _PHOTOS = 5, 10


def find_mistakes(run: str | Path, data: "ImageData", device: str) -> dict[str, Any]:
    """The mistakes of a run's last weights on the test photos.

    Args:
        run: directory of the run.
        data: the data set, with names of files.
        device: device for the model.

    Returns:
        confusions: class, what it is predicted as, how often, of how many photos; the most frequent first. mistakes:
        file, class, what it is predicted as and the probability of that in 0..1; the most confident first.
    """
    from tinynets.engine import Normalize, confusion_matrix, load_trained, match_data, predict

    trained = load_trained(run)
    data = match_data(data, trained)
    normalize = Normalize(trained.metadata.mean, trained.metadata.std)
    logits = predict(trained.model.to(device), data.test_images, normalize)
    names, labels = data.class_names, data.test_labels
    counts = confusion_matrix(logits, labels)
    totals = counts.sum(1).tolist()
    wrong = counts.clone().fill_diagonal_(0)
    confusions = []
    for index in wrong.flatten().argsort(descending=True)[:_CONFUSIONS].tolist():
        label, predicted = divmod(index, len(names))
        if count := int(wrong[label, predicted]):
            confusions.append(
                {"class": names[label], "predicted": names[predicted], "photos": count, "of": totals[label]}
            )
    confidence, predicted = logits.softmax(1).max(1)
    order = confidence.argsort(descending=True)
    mistakes = [
        {
            "file": data.files["test"][row],
            "class": names[labels[row]],
            "predicted": names[predicted[row]],
            "probability": float(confidence[row]),
        }
        for row in order[predicted[order] != labels[order]][:_PHOTOS].tolist()
    ]
    return {"confusions": confusions, "mistakes": mistakes}


def format_mistakes(found: dict[str, Any]) -> str:
    """Two short tables. Empty without mistakes."""
    from tinynets._text import printable
    from tinynets.report import text_table

    if not found["mistakes"]:
        return "no mistake on the test photos"
    pairs = [(c["class"], c["predicted"], f"{c['photos']:,} of {c['of']:,}") for c in found["confusions"]]
    files = [
        (printable(m["file"]), m["class"], m["predicted"], f"{100 * m['probability']:.1f} %") for m in found["mistakes"]
    ]
    return "\n\n".join(
        (
            "worst confusions of the last weights on the test photos:\n"
            + text_table(("class", "predicted as", "photos"), pairs, left=2),
            "test photos misclassified with the highest confidence:\n"
            + text_table(("photo", "class", "predicted as", "probability"), files, left=3),
        )
    )
