"""Encoding of labels as classes."""

import numpy as np
import pytest

from tinynets.engine import load_data
from tinynets.engine.data.arrays import encode_labels

TEN = np.arange(20) % 10


def encode(train, test=None, class_names=None):
    labels = {"y_train": np.asarray(train)} | ({} if test is None else {"y_test": np.asarray(test)})
    encoded, names = encode_labels(labels, class_names)
    return [values.tolist() for values in encoded.values()], names


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (TEN, "0123456789"),
        (TEN.astype(np.uint8), "0123456789"),
        (TEN[:, None], "0123456789"),
        (TEN + 1, [str(i + 1) for i in range(10)]),
        (TEN * 1000 + 5, [str(1000 * i + 5) for i in range(10)]),
        (TEN.astype(np.uint64) + 2**40, [str(i + 2**40) for i in range(10)]),
        (np.array(list("abcdefghij"))[TEN], "abcdefghij"),
        (np.array(list("abcdefghij"), object)[TEN][:, None], "abcdefghij"),
        (np.array(["猫", "犬", "鳥", "魚", "馬", "牛", "羊", "鼠", "虎", "兎"])[TEN], sorted("猫犬鳥魚馬牛羊鼠虎兎")),
    ],
)
def test_labels_that_mean_ten_classes(labels, names):
    (encoded,), found = encode(labels)
    assert found == tuple(names)
    if "猫" not in names:
        assert encoded == TEN.tolist()
    assert [found[i] for i in encoded][:3] == [found[i] for i in encoded][10:13]


def test_classes_absent_from_a_split():
    assert encode([3, 5, 9, 5], [9, 3]) == ([[0, 1, 2, 1], [2, 0]], ("3", "5", "9"))
    assert encode([3, 5], [9, 3]) == ([[0, 1], [2, 0]], ("3", "5", "9"))
    x = np.random.default_rng(0).integers(0, 256, (8, 8, 8), np.uint8)
    data = load_data({"x_train": x[:4], "y_train": [0, 1, 2, 4], "x_test": x[4:], "y_test": [0, 1, 1, 0]})
    assert data.notes == ("test has no images of 2, 4",)


@pytest.mark.parametrize(
    ("labels", "names", "encoded"),
    [
        ([0, 1, 2], ["a", "b", "c"], [0, 1, 2]),
        ([0, 2], ["a", "b", "c"], [0, 2]),
        (["c", "a"], ["a", "b", "c"], [2, 0]),
        ([0, 1], ["0", "1"], [0, 1]),
    ],
)
def test_class_names_decide(labels, names, encoded):
    assert encode(labels, class_names=names) == ([encoded], tuple(names))


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ([0, 0.5], None, r"y_train must be integers or strings, \(N,\) or \(N, 1\), got float64 \(2,\)"),
        ([True, False], None, "got bool"),
        ([0, -1], None, r"y_train has values in -1\.\.0: labels must be non-negative"),
        (np.array([0, 2**64 - 1], np.uint64), None, "64-bit integers"),
        ([[1, 0], [0, 1]], None, r"got int64 \(2, 2\)"),
        (np.array([{}, []], object), None, "must be integers or strings"),
        (np.array([b"cat"]), None, "must be integers or strings"),
        ([0, 3], ["a", "b", "c"], "label '3' is neither one of the 3 class_names nor an index"),
        (["x"], ["a", "b"], "label 'x' is neither one of the 2 class_names"),
    ],
)
def test_invalid_labels(labels, names, message):
    with pytest.raises(ValueError, match=message):
        encode(labels, class_names=names)


def test_incompatible_splits():
    with pytest.raises(ValueError, match="y_train and y_test must have one type, strings or integers"):
        encode([0, 1], ["a", "b"])
