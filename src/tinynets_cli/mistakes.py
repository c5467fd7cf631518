"""What a trained net mistakes: the worst confusions, and the photos misclassified with the highest confidence."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_CONFUSIONS, _PHOTOS = 5, 10


def find_mistakes(
    logits: "Tensor", labels: "Tensor", class_names: Sequence[str], files: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """The mistakes of a net on photos.

    Args:
        logits: (N, classes).
        labels: int64 (N,).
        class_names: names of the classes.
        files: names of the photos.

    Returns:
        confusions: class, what it is predicted as, how often, of how many photos; the most frequent first. mistakes:
        file, class, what it is predicted as and the probability of that in 0..1; the most confident first.
    """
    from tinynets.engine import confusion_matrix

    truth, answers = labels.tolist(), logits.argmax(1).tolist()
    probabilities = logits.softmax(1).amax(1).tolist()
    counts = confusion_matrix(logits, labels)
    totals = counts.sum(1).tolist()
    wrong = counts.clone().fill_diagonal_(0)
    confusions = []
    for index in wrong.flatten().argsort(descending=True)[:_CONFUSIONS].tolist():
        label, predicted = divmod(index, len(class_names))
        if count := int(wrong[label, predicted]):
            confusions.append(
                {"class": class_names[label], "predicted": class_names[predicted], "photos": count, "of": totals[label]}
            )
    mistakes = [
        {
            "file": files[row],
            "class": class_names[truth[row]],
            "predicted": class_names[answers[row]],
            "probability": probabilities[row],
        }
        for row in worst_mistakes(logits, labels, _PHOTOS)
    ]
    return {"confusions": confusions, "mistakes": mistakes}


def worst_mistakes(logits: "Tensor", labels: "Tensor", count: int) -> list[int]:
    """Rows of the images misclassified with the highest confidence."""
    confidence, predicted = logits.softmax(1).max(1)
    order = confidence.argsort(descending=True)
    return order[predicted[order] != labels[order]][:count].tolist()


def format_mistakes(found: dict[str, Any], split: str = "test") -> str:
    """Two short tables, or a line without mistakes."""
    from tinynets._text import printable
    from tinynets.report import text_table

    if not found["mistakes"]:
        return f"no mistake on the {split} photos"
    pairs = [(c["class"], c["predicted"], f"{c['photos']:,} of {c['of']:,}") for c in found["confusions"]]
    files = [
        (printable(m["file"]), m["class"], m["predicted"], f"{100 * m['probability']:.1f} %") for m in found["mistakes"]
    ]
    return "\n\n".join(
        (
            f"worst confusions on the {split} photos:\n"
            + text_table(("class", "predicted as", "photos"), pairs, left=2),
            f"{split} photos misclassified with the highest confidence:\n"
            + text_table(("photo", "class", "predicted as", "probability"), files, left=3),
        )
    )
