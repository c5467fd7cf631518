"""The metadata in .tflite files, read as a phone would: from the flatbuffer and from the archive behind it."""

import struct
import zipfile

import pytest

import tinynets
from tinynets.deploy import FORMATS, export
from tinynets.deploy.images import synthetic_images

pytestmark = pytest.mark.skipif(not FORMATS["tflite"].installed(), reason="tflite needs optional packages")


class Table:
    """A table of a flatbuffer: the fields by their places in the schema."""

    def __init__(self, data, place):
        self.data, self.place = data, place

    @classmethod
    def root(cls, data):
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def _at(self, slot):
        vtable = self.place - struct.unpack_from("<i", self.data, self.place)[0]
        return self.place + struct.unpack_from("<H", self.data, vtable + 4 + 2 * slot)[0]

    def number(self, slot, kind="<B"):
        return struct.unpack_from(kind, self.data, self._at(slot))[0]

    def _follow(self, place):
        return place + struct.unpack_from("<I", self.data, place)[0]

    def table(self, slot):
        return Table(self.data, self._follow(self._at(slot)))

    def _vector(self, slot):
        place = self._follow(self._at(slot))
        return place + 4, struct.unpack_from("<I", self.data, place)[0]

    def first(self, slot):
        return Table(self.data, self._follow(self._vector(slot)[0]))

    def floats(self, slot):
        start, count = self._vector(slot)
        return struct.unpack_from(f"<{count}f", self.data, start)

    def text(self, slot):
        start, count = self._vector(slot)
        return self.data[start : start + count].decode()


def metadata_of(path):
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(path))
    (entry,) = (entry for entry in model.metadata if entry.name == b"TFLITE_METADATA")
    data = bytes(model.buffers[entry.buffer].data)
    assert data[4:8] == b"M001"
    return Table.root(data)


NAMES = ("cat, dog", "deux\nlignes", "$x & <y>", "\u05db\u05dc\u05d1", *"012345")


@pytest.mark.parametrize(("to", "pixels"), [("tflite", False), ("tflite-int8", True)])
def test_input_and_labels(tmp_path, to, pixels):
    model = tinynets.create_model("simplecnn_mnist", pretrained=True)
    images = synthetic_images(32, (1, 28, 28))
    path = tmp_path / "net.tflite"
    options = {"images": images, "calibration": images, "pixels": pixels, "class_names": NAMES, "tolerance": 100}
    export(model, to, path, **options)
    metadata = metadata_of(path)
    assert metadata.text(0) == "simplecnn_mnist"
    taken, given = metadata.first(3).first(2), metadata.first(3).first(3)
    assert (taken.text(0), given.text(0)) == ("image", "logits")
    image = taken.table(3).table(1)
    assert image.number(0) == 2  # gray
    assert (image.table(1).number(0, "<I"), image.table(1).number(1, "<I")) == (28, 28)
    assert taken.first(4).number(0) == 1
    normalization = taken.first(4).table(1)
    mean, std = model.pretrained_cfg["mean"], model.pretrained_cfg["std"]
    expected = ((0.0,), (1.0,)) if pixels else ([255 * mean[0]], [255 * std[0]])
    assert normalization.floats(0) == pytest.approx(expected[0])
    assert normalization.floats(1) == pytest.approx(expected[1])
    labels = given.first(6)
    assert (labels.text(0), labels.number(2)) == ("labels.txt", 2)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labels.txt").decode().splitlines() == [n.replace("\n", "\\n") for n in NAMES]
    if to == "tflite":
        export("simplecnn_mnist", to, tmp_path / "again", **options)
        assert path.read_bytes() == (tmp_path / "again").read_bytes()  # equal nets give equal files
