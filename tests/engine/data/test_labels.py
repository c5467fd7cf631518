"""What labels of any kind mean."""

import numpy as np
import pytest

from tinynets.engine import load_data
from tinynets.engine.data.labels import encode_labels

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
        (TEN.astype(np.float32), "0123456789"),
        (TEN[:, None], "0123456789"),
        (np.eye(10)[TEN], "0123456789"),
        (np.eye(10, dtype=bool)[TEN], "0123456789"),
        (np.eye(10, dtype=np.int64)[TEN], "0123456789"),
        (TEN + 1, [str(i + 1) for i in range(10)]),
        (TEN * 1000 + 5, [str(1000 * i + 5) for i in range(10)]),
        (TEN.astype(np.uint64) + 2**40, [str(i + 2**40) for i in range(10)]),
        (np.array(list("abcdefghij"))[TEN], "abcdefghij"),
        (np.array(list("abcdefghij"), "S")[TEN], "abcdefghij"),
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


def test_bools():
    assert encode([True, False, True]) == ([[1, 0, 1]], ("0", "1"))


def test_classes_absent_from_a_split():
    assert encode([3, 5, 9, 5], [9, 3]) == ([[0, 1, 2, 1], [2, 0]], ("3", "5", "9"))
    assert encode([3, 5], [9, 3]) == ([[0, 1], [2, 0]], ("3", "5", "9"))
    assert encode(np.eye(4)[[0, 1]], [3, 0]) == ([[0, 1], [3, 0]], ("0", "1", "2", "3"))
    x = np.random.default_rng(0).integers(0, 256, (8, 8, 8), np.uint8)
    data = load_data({"x_train": x[:4], "y_train": [0, 1, 2, 4], "x_test": x[4:], "y_test": [0, 1, 1, 0]})
    assert data.notes == ("test has no images of 2, 4",)


@pytest.mark.parametrize(
    ("labels", "names", "encoded"),
    [
        ([0, 1, 2], ["a", "b", "c"], [0, 1, 2]),
        ([0, 2], ["a", "b", "c"], [0, 2]),
        ([1, 2, 3], ["a", "b", "c"], [0, 1, 2]),
        ([1, 3], ["a", "b", "c"], [0, 2]),
        (["c", "a"], ["a", "b", "c"], [2, 0]),
        ([30, 10], ["10", "20", "30"], [2, 0]),
        ([1, 2, 3], ["1", "2", "3"], [0, 1, 2]),
        ([0, 1], ["0", "1"], [0, 1]),
        ([[0, 0, 1], [1, 0, 0]], ["a", "b", "c"], [2, 0]),
    ],
)
def test_class_names_decide(labels, names, encoded):
    assert encode(labels, class_names=names) == ([encoded], tuple(names))


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ([0, 0.5], None, r"y_train holds 0\.5: labels must be whole numbers"),
        ([0, float("nan")], None, "y_train holds nan"),
        ([0, float("inf")], None, "y_train holds inf"),
        ([0, 1e300], None, r"y_train holds 1e\+300"),
        ([0, -1], None, "y_train holds -1: labels must not be negative"),
        (np.array([0, 2**64 - 1], np.uint64), None, "64-bit"),
        ([[0.5, 0.5], [1, 0]], None, "a single 1 in every row"),
        ([[1, 1], [1, 0]], None, "a single 1 in every row"),
        ([[0, 0], [1, 0]], None, "a single 1 in every row"),
        ([[3, 4], [5, 6]], None, "a single 1 in every row"),
        (np.zeros((2, 2, 2)), None, r"must be \(N,\), \(N, 1\) or one-hot"),
        (np.zeros(2, complex), None, "must be integers, texts or one-hot rows, got complex128"),
        (np.array([{}, []], object), None, "must be integers, texts or one-hot rows"),
        (np.array([b"\xff"]), None, "not UTF-8"),
        ([0, 3], ["a", "b"], "there are 2 class_names for labels from 0 to 3"),
        ([0, 3], ["a", "b", "c"], "there are 3 class_names for labels from 0 to 3"),
        (["x"], ["a", "b"], "label 'x' is none of the 2 class_names"),
        ([1, 2], ["3", "2", "1"], "label 1 may be the name or the place of a class"),
        ([[0, 1], [1, 0]], ["a", "b", "c"], "3 class_names for one-hot labels of 2 classes"),
        (np.arange(5000) * 200, None, "5,000 different labels for 5,000 images: they are numbers or ids"),
    ],
)
def test_labels_that_may_mean_several_things_or_none(labels, names, message):
    with pytest.raises(ValueError, match=message):
        encode(labels, class_names=names)


def test_splits_that_do_not_go_together():
    with pytest.raises(ValueError, match="y_train and y_test must be of one kind, texts or numbers"):
        encode([0, 1], ["a", "b"])
    with pytest.raises(ValueError, match="one-hot labels differ in their number of classes"):
        encode(np.eye(3), np.eye(4))
    with pytest.raises(ValueError, match="label 7 is none of the 3 classes"):
        encode(np.eye(3), [7])
