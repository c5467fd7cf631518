"""Loading trained models and their metadata by name or file, and matching data to them."""

import dataclasses

import pytest
import torch
import torchvision
from PIL import Image
from support import QUICK
from torch.nn import functional as F

import tinynets
from tinynets.engine import (
    ImageData,
    Normalize,
    evaluate,
    load_trained,
    match_data,
    override,
    train,
)
from tinynets.engine.trained import class_order
from tinynets.weights import read_manifest

SHORT = override(QUICK, {"schedule.epochs": 1, "schedule.warmup_epochs": 0})


@pytest.fixture
def trained(tiny_data, tmp_path):
    """A run of a few steps, and what it is as a trained model."""
    train("c1c2c3c4o_cifar10", tiny_data, SHORT, tmp_path / "run")
    return load_trained(tmp_path / "run/last.safetensors")


def top1(trained, data):
    return evaluate(trained.model, *data.split("test"), Normalize(data.mean, data.std))["top1"]


def with_names(data, names, order):
    """The same images whose label i is now order[i]."""
    place = torch.tensor(order)
    return dataclasses.replace(
        data, class_names=names, train_labels=place[data.train_labels], test_labels=place[data.test_labels]
    )


def test_names_files_and_runs(trained, tiny_data, tmp_path):
    assert load_trained(tmp_path / "run").metadata == trained.metadata
    assert load_trained(str(tmp_path / "run")).metadata.class_names == ("top", "left", "dark")
    shipped = load_trained("simplecnn_mnist")
    assert (shipped.metadata.img_size, shipped.metadata.data, shipped.model.training) == ((28, 28), "mnist", False)
    assert load_trained("c1c2c3c4o_cifar10", num_classes=10).model.num_classes == 10
    with pytest.raises(ValueError, match=r"is a checkpoint, which contains its model arguments: omit width"):
        load_trained(tmp_path / "run", width=2.0)
    with pytest.raises(ValueError, match="unknown model or checkpoint 'simplecn_mnist': did you mean simplecnn_mnist"):
        load_trained("simplecn_mnist")
    with pytest.raises(FileNotFoundError, match="no weights file at"):
        load_trained(tmp_path / "nothing")


def test_a_tag_names_the_same_weights():
    plain, tagged = (
        load_trained(f"simplecnn_mnist{tag}") for tag in ("", f".{read_manifest()['simplecnn_mnist'].tag}")
    )
    assert tagged.metadata == plain.metadata
    assert not tagged.model.training
    assert torch.equal(tagged.model.head.fc.weight, plain.model.head.fc.weight)


def test_a_timm_model_with_its_own_weights(monkeypatch):
    """Names that timm knows are timm's to load."""
    import timm

    real = timm.create_model
    asked = []
    monkeypatch.setattr(
        timm, "create_model", lambda name, pretrained=False, **kwargs: asked.append((name, pretrained)) or real(name)
    )
    resnet = load_trained("test_resnet.r160_in1k")
    assert asked == [("test_resnet.r160_in1k", True)]
    assert (resnet.metadata.class_names, resnet.metadata.img_size) == ((), (160, 160))


def test_what_a_checkpoint_knows_of_its_data(trained, tiny_data):
    assert trained.metadata.data_sha256 == tiny_data.digest()
    assert (trained.metadata.data_source, trained.metadata.img_size) == (None, (8, 8))


def test_classes_in_another_order_are_matched_by_name(trained, tiny_data):
    plain = top1(trained, tiny_data)
    assert plain > 60
    turned = with_names(tiny_data, ("dark", "left", "top"), (2, 1, 0))
    assert top1(trained, turned) < plain  # as it would be without
    matched = match_data(turned, trained)
    assert matched.class_names == ("top", "left", "dark")
    assert torch.equal(matched.test_labels, tiny_data.test_labels)
    assert top1(trained, matched) == plain


def test_unknown_class_names_are_reported(trained, tiny_data, caplog):
    nameless = dataclasses.replace(trained, metadata=dataclasses.replace(trained.metadata, class_names=()))
    assert match_data(tiny_data, nameless).class_names == tiny_data.class_names
    assert "are unknown: classes are assumed to be in the data's order" in caplog.text


def test_fewer_classes_are_matched_and_others_refused(trained, tiny_data):
    rows = tiny_data.test_labels > 0
    fewer = dataclasses.replace(
        tiny_data,
        class_names=("left", "dark"),
        test_images=tiny_data.test_images[rows],
        test_labels=tiny_data.test_labels[rows] - 1,
        train_labels=tiny_data.train_labels.clamp_min(1) - 1,
    )
    assert match_data(fewer, trained).test_labels.unique().tolist() == [1, 2]
    for names in (("top", "left", "bright"), ("0", "1", "2"), ("top", "left", "dark", "x")):
        with pytest.raises(
            ValueError, match=r"stripes has the classes .*, .* predicts top, left, dark: choose data"
        ) as caught:
            match_data(dataclasses.replace(tiny_data, class_names=names), trained)
        assert "\n" not in str(caught.value)


def test_mnists_digits_are_digits():
    names = ("0 - zero", "1 - one", "2 - two")
    assert class_order(("2", "0"), names) == [2, 0]
    assert class_order(names[::-1], ("0", "1", "2")) == [2, 1, 0]


def test_a_name_is_the_whole_name():
    pets = ("1 - cat", "1 - dog")
    assert class_order(pets[::-1], pets) == [1, 0]
    digits = tuple(torchvision.datasets.MNIST.classes)
    fruit = tuple(f"{index} - {name}" for index, name in enumerate(["apple", "pear", "plum"]))
    assert class_order(fruit, digits) is None
    assert class_order(digits, tuple("0123456789")) == class_order(tuple("0123456789"), digits) == list(range(10))
    assert class_order(("0 - zero", "0"), digits) is None  # two names of one class


def test_sizes_and_channels_become_the_models(trained, tiny_data):
    def doubled(images):
        return None if images is None else F.interpolate(images.float(), (16, 16)).to(torch.uint8).expand(-1, 3, -1, -1)

    large = dataclasses.replace(
        tiny_data, train_images=doubled(tiny_data.train_images), test_images=doubled(tiny_data.test_images)
    )
    matched = match_data(large, trained)
    assert (matched.in_chans, matched.img_size) == (1, (8, 8))
    assert top1(trained, matched) == pytest.approx(top1(trained, tiny_data), abs=5)
    assert match_data(large, trained, resize=False).img_size == (16, 16)
    color = torch.tensor([10, 200, 90], dtype=torch.uint8).view(1, 3, 1, 1).expand(2, 3, 4, 4)
    labels = torch.zeros(2, dtype=torch.int64)
    data = ImageData("c", color, labels, color, labels, ("top",), (0.5,) * 3, (0.5,) * 3)
    assert data.changed(None, 1, (4, 4)).test_images.unique().tolist() == [131]  # Pillow's L of (10, 200, 90)
    with pytest.raises(ValueError, match="images of 3 channels, the model expects 2"):
        data.changed(None, 2, (4, 4))


def test_a_custom_module_has_to_be_passed_again(tiny_data, tmp_path):
    def module():
        return torch.nn.Sequential(
            torch.nn.Conv2d(1, 8, 3),
            torch.nn.BatchNorm2d(8),
            torch.nn.ReLU(),
            torch.nn.Flatten(),
            torch.nn.Linear(288, 3),
        )

    net = module()
    summary = train(net, tiny_data, override(QUICK, {"schedule.epochs": 4}), tmp_path / "run")
    assert summary["last"]["test_top1"] > 90
    with pytest.raises(ValueError, match=r"contains the weights of a custom module, torch\.nn.*Sequential"):
        load_trained(tmp_path / "run")
    again = load_trained(tmp_path / "run", model=module())
    assert top1(again, match_data(tiny_data, again)) == summary["last"]["test_top1"]
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.model.parameters(), strict=True))
    longer = train(module(), tiny_data, override(QUICK, {"schedule.epochs": 5}), tmp_path / "run", resume=True)
    assert longer["last"]["epoch"] == 5
    with pytest.raises(ValueError, match=r"returns \(2, 3\) for 2 images, but stripes has 2 classes"):
        train(module(), dataclasses.replace(tiny_data, class_names=("a", "b")), SHORT, tmp_path / "other")
    with pytest.raises(ValueError, match="model_args need the name of a model"):
        train(module(), tiny_data, SHORT, tmp_path / "other", model_args={"width": 2})
    assert not (tmp_path / "other").exists()


def test_the_engine_is_imported_on_access():
    assert tinynets.engine.train is train
    with pytest.raises(AttributeError, match="no attribute 'engin'"):
        tinynets.engin  # noqa: B018


def test_one_line_from_a_photo_to_a_class(tiny_data, tmp_path):
    train("groupnorm_net", tiny_data, QUICK, tmp_path / "run")
    trained = tinynets.load(tmp_path / "run")
    for index in range(2):
        Image.fromarray(tiny_data.test_images[index, 0].numpy()).save(tmp_path / f"{index}.png")
    both = trained.predict([tmp_path / "0.png", tmp_path / "1.png"], top=2)
    assert both == trained.predict(tiny_data.test_images[:2], top=2)
    alone = dict(trained.predict(tmp_path / "1.png", top=2))
    assert alone == pytest.approx(dict(both[1]), abs=1e-5)  # batches of another size may use other kernels
    (name, share), (_, less) = both[0]
    assert name in tiny_data.class_names
    assert 0 <= less <= share <= 1
    with pytest.raises(ValueError, match="no image at"):
        trained.predict(tmp_path / "2.png")
