import json
from collections import Counter

import numpy as np
import pytest
import torch
from support import randomised
from torch import nn

import tinynets
from tinynets.deploy import FORMATS, export
from tinynets.deploy.formats import Format
from tinynets.deploy.images import synthetic_images
from tinynets.engine import load_data
from tinynets.layers import DivisiveNorm

SMALL = {
    "simplecnn": lambda: tinynets.create_model("simplecnn_mnist", pretrained=True),
    "egrr": lambda: randomised(
        tinynets.create_model("egrr_cifar100", channels=(8, 16), num_steps=(2, 3), strides=(1, 2))
    ),
    "ecnet": lambda: randomised(tinynets.create_model("ecnet_cifar10", channels=8, iterations=3)),
    "c1c2c3c4o": lambda: randomised(tinynets.create_model("c1c2c3c4o_cifar10", width=0.25)),
}


def needs(to):
    if not FORMATS[to].installed():
        pytest.skip(f"{to} needs optional packages")


@pytest.fixture(scope="module")
def digits():
    """scikit-learn's handwritten digits at MNIST's size: images, labels, training images."""
    data = load_data("digits", img_size=(28, 28))
    return data.test_images, data.test_labels, data.train_images


QUICK = [
    ("c1c2c3c4o", "tflite", True),
    ("c1c2c3c4o", "onnx", True),
    ("simplecnn", "executorch", True),
]
QUICK += [(name, "pt2", False) for name in SMALL]
REST = [
    (name, to, False) for name in SMALL for to in ("onnx", "tflite", "executorch") if (name, to, False) not in QUICK
]


@pytest.mark.parametrize(
    ("name", "to", "pixels"), [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in REST)]
)
def test_fp32_files_give_the_models_logits(name, to, pixels, tmp_path):
    needs(to)
    model = SMALL[name]()
    result = export(model, to, tmp_path / "net", pixels=pixels)
    assert result.agreement == 100
    assert result.largest_difference <= 1e-3 * result.largest_logit
    assert result.bytes == (tmp_path / "net").stat().st_size
    assert not result.real
    if name == "egrr" and to in ("onnx", "pt2"):
        check_batch_sizes(model, to, tmp_path / "net")


def check_batch_sizes(model, to, path):
    run = FORMATS[to].load(path)
    for count in (1, 5):
        x = torch.randn(count, 3, 32, 32)
        with torch.no_grad():
            assert np.abs(run(x.numpy()) - model(x).numpy()).max() < 1e-4


@pytest.fixture(scope="module", params=["onnx-int8", "tflite-int8"])
def int8(request, tmp_path_factory, digits):
    """SimpleCNN's file in a format, and what was reported."""
    needs(request.param)
    images, labels, train = digits
    model = tinynets.create_model("simplecnn_mnist", pretrained=True)
    given = {"images": images, "labels": labels, "calibration": train[:128], "pixels": True, "tolerance": 3}
    path = tmp_path_factory.mktemp("int8") / "net"
    return path, export(model, request.param, path, **given)


def test_int8_keeps_the_classes(int8):
    _, result = int8
    assert result.agreement > 97
    assert result.bytes < 70_000
    assert result.model_top1 is not None
    assert abs(result.model_top1 - result.file_top1) <= 3


@pytest.mark.parametrize(("name", "size"), [("mote_25k.cifar10", 32), ("mote_s2_120k.tiny_imagenet", 64)])
def test_int8_after_folding_pixels(name, size, tmp_path):
    """ONNX Runtime refused the files: a new bias had the name of a removed tensor of another type, or of another."""
    needs("onnx-int8")
    images = synthetic_images(32, (3, size, size))
    given = {"images": images, "calibration": images, "pixels": True, "tolerance": 100}
    assert export(name, "onnx-int8", tmp_path / "net", **given).images == 32


class Contrast(nn.Sequential):
    pretrained_cfg = {"mean": (0.0,), "std": (1.0,), "input_size": (1, 16, 16)}  # noqa: RUF012

    def __init__(self):
        torch.manual_seed(0)
        super().__init__(DivisiveNorm(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(16, 4))


@pytest.mark.parametrize("to", ["onnx-int8", pytest.param("tflite-int8", marks=pytest.mark.slow)])
def test_int8_channels_of_ecnet_are_equalized(to, tmp_path):
    needs(to)
    model = SMALL["ecnet"]()
    with torch.no_grad():
        for each in (model.block.depthwise.weight, model.block.depthwise.bias):
            each *= torch.logspace(-2, 1, 32).view(-1, *[1] * (each.ndim - 1))
    images = synthetic_images(100, (3, 32, 32))
    result = export(model, to, tmp_path / "net", images=images, calibration=images, tolerance=100)
    assert result.largest_difference < 0.15 * result.largest_logit


class Dead(nn.Sequential):
    pretrained_cfg = {"mean": (0.0,), "std": (1.0,), "input_size": (1, 16, 16)}  # noqa: RUF012

    def __init__(self):
        torch.manual_seed(0)
        silent = nn.Conv2d(4, 8, 1)
        nn.init.constant_(silent.bias, -1e3)
        inner = nn.Sequential(silent, nn.ReLU(), nn.Conv2d(8, 4, 1))
        layers = nn.Conv2d(1, 4, 3, stride=2), inner, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4)
        super().__init__(*layers)


def test_int8_of_a_net_with_a_dead_relu(tmp_path):
    """A range from 0 to 0 would give a scale that LiteRT refuses."""
    needs("tflite-int8")
    images = synthetic_images(64, (1, 16, 16))
    result = export(Dead(), "tflite-int8", tmp_path / "net", images=images, calibration=images, pixels=True)
    assert result.agreement == 100


def test_divisors_are_not_rounded_to_zero(tmp_path):
    """In 8 bits the mean magnitude of a dark window is 0: the divisive norm stays in floating point."""
    needs("tflite-int8")
    images = 2 * (torch.rand(64, 1, 16, 16) < 0.1).byte()  # single faint pixels
    images[:, :, 0, 0] = 255
    result = export(Contrast(), "tflite-int8", tmp_path / "net", images=images, calibration=images, pixels=True)
    assert result.largest_difference < 0.05 * result.largest_logit


@pytest.mark.parametrize("int8", ["onnx-int8"], indirect=True)
def test_integer_kernels_compute_what_the_file_says(int8, digits):
    """Unsigned times signed 8-bit products saturate on processors without VNNI: the file must not have any."""
    import onnxruntime

    path, _ = int8
    batch = digits[0][:64].permute(0, 2, 3, 1).contiguous().numpy()
    logits = {}
    for level in ("ORT_DISABLE_ALL", "ORT_ENABLE_ALL"):  # in floating point, and by the processor's integer kernels
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        session = onnxruntime.InferenceSession(str(path), options)
        logits[level] = session.run(None, {"image": batch})[0]
    difference = np.abs(logits["ORT_DISABLE_ALL"] - logits["ORT_ENABLE_ALL"])
    assert difference.max() < 0.1 * np.abs(logits["ORT_DISABLE_ALL"]).max()
    import onnx

    types = {tensor.data_type for tensor in onnx.load(path).graph.initializer if tensor.dims}
    assert onnx.TensorProto.INT8 not in types


def test_onnx_metadata_and_names(tmp_path):
    needs("onnx")
    import onnx

    names = ["two\nlines", "caf\udce9", *map(str, range(8))]  # the second is the name of a folder that is not UTF-8
    export("simplecnn_mnist", "onnx", tmp_path / "net.onnx", class_names=names)
    model = onnx.load(tmp_path / "net.onnx")
    onnx.checker.check_model(model)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["class_names"]) == names
    assert json.loads(metadata["mean"])[0] == pytest.approx(0.1307, abs=1e-3)
    assert [value.name for value in (*model.graph.input, *model.graph.output)] == ["image", "logits"]


def test_the_graph_of_egrr_is_small_and_gives_its_logits(tmp_path):
    """A node for every layer of every step, and the triangle of every symmetric matrix."""
    needs("onnx")
    import onnx

    model = randomised(tinynets.create_model("egrr_cifar100", channels=(48, 96), num_steps=(3, 4), strides=(1, 2)))
    result = export(model, "onnx", tmp_path / "net.onnx")
    assert result.agreement == 100
    assert result.largest_difference <= 1e-3 * result.largest_logit
    check_batch_sizes(model, "onnx", tmp_path / "net.onnx")
    graph = onnx.load(tmp_path / "net.onnx").graph
    assert len(graph.node) <= 7 * 5 + 25
    numbers = sum(parameter.numel() for parameter in model.parameters())
    assert result.bytes <= 4 * 1.3 * numbers + 20_000


def test_onnx_pools_pixels_without_a_gather(tmp_path):
    """adaptive_avg_pool2d of channels_last feature maps became 16 operators more, one of them a Gather of strides."""
    needs("onnx")
    import onnx

    operators = {}
    for pixels in (False, True):
        export("mote_25k.cifar10", "onnx", tmp_path / "net.onnx", pixels=pixels)
        operators[pixels] = [node.op_type for node in onnx.load(tmp_path / "net.onnx").graph.node]
    assert "Gather" not in operators[True]
    assert len(operators[True]) == len(operators[False]) + 3  # Transpose, Cast and the Conv that normalizes


def test_onnx_runtime_does_not_copy_the_maps_of_egrr(tmp_path):
    """In blocks of channels from the first convolution to the last; only the three gates of a step are copied.

    A block has 8 or 16 channels, depending on the processor. The hidden layer of these gates has 4.
    """
    needs("onnx")
    import onnx
    import onnxruntime

    model = tinynets.create_model("egrr_cifar100", channels=(48,), num_steps=(4,), strides=(1,))
    export(model, "onnx", tmp_path / "net")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(tmp_path / "net"), options)
    operations = Counter(node.op_type for node in onnx.load(tmp_path / "optimized").graph.node)
    if not operations["ReorderOutput"]:
        pytest.skip("ONNX Runtime has no blocks of channels on this processor")
    assert operations["ReorderOutput"] <= 4 + 2
    assert operations["ReorderInput"] <= 2


def test_int8_quantizes_no_constant_kernels(tmp_path):
    """Those of the blocked definitions, which stand for sums and products."""
    needs("onnx-int8")
    import onnx

    model = tinynets.create_model("egrr_cifar100", channels=(16,), num_steps=(4,), strides=(1,))
    images = synthetic_images(32, (3, 32, 32))
    export(model, "onnx-int8", tmp_path / "net", images=images, calibration=images, tolerance=100)
    operations = Counter(node.op_type for node in onnx.load(tmp_path / "net").graph.node)
    assert operations["Conv"] <= 4 * 6 + 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ecnet", "egrr"])
def test_xnnpack_computes_all_convolutions(name):
    """ExecuTorch's own kernels took 80 times as long for ECNet."""
    needs("executorch")
    from tinynets.deploy.exporter import spec_of
    from tinynets.deploy.formats.executorch import lowered
    from tinynets.deploy.quiet import quiet

    with quiet():  # executorch warns while it is imported
        nodes = lowered(spec_of(name, SMALL[name]())).exported_program().graph.nodes
    targets = [str(node.target) for node in nodes if node.op == "call_function"]
    assert any("executorch_call_delegate" in target for target in targets)
    assert not any("conv" in target for target in targets)


class Unsupported(nn.Module):
    """A layer with data-dependent control flow, which no converter supports."""

    def __init__(self):
        super().__init__()
        self.pretrained_cfg = {"mean": (0.5,), "std": (0.5,), "input_size": (1, 8, 8)}
        self.fc = nn.Linear(64, 3)

    def forward(self, x):
        if x.sum().item() > 0:
            x = -x
        return self.fc(x.flatten(1))


@pytest.mark.parametrize("to", ["onnx", "tflite", "pt2"])
def test_an_unsupported_layer_is_a_one_line_error(to, tmp_path):
    needs(to)
    with pytest.raises(RuntimeError, match=f"^Unsupported cannot be written as {to}: .+") as caught:
        export(Unsupported(), to, tmp_path / "net")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


class Sorted(Unsupported):
    """Converted, but to an operation that the runtime has no kernel for."""

    def forward(self, x):
        return x.flatten(1).topk(3).values


def test_a_file_that_its_runtime_cannot_run_is_a_one_line_error(tmp_path):
    needs("tflite")
    with pytest.raises(RuntimeError, match=r"^the tflite file of Sorted does not run: .+") as caught:
        export(Sorted(), "tflite", tmp_path / "net")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("factor", "off"), [(1.01, r"0\.01"), (float("nan"), "nan")])
def test_a_file_that_computes_something_else_is_not_kept(tmp_path, monkeypatch, factor, off):
    model = tinynets.create_model("simplecnn_mnist", pretrained=True)
    right = Format.load

    def wrong(self, path, threads=1):
        run = right(self, path, threads)
        return lambda batch: factor * run(batch)

    monkeypatch.setattr(Format, "load", wrong)
    message = "differs too much from the model and was not written: logits differ by "
    with pytest.raises(RuntimeError, match=message + off):
        export(model, "pt2", tmp_path / "net.pt2")
    assert list(tmp_path.iterdir()) == []
    if factor == 1.01:
        export(model, "pt2", tmp_path / "net.pt2", tolerance=0.02)


class Always(nn.Module):
    """Every image is of class 1."""

    pretrained_cfg = {"mean": (0.5,), "std": (0.5,), "input_size": (1, 8, 8)}  # noqa: RUF012

    def forward(self, x):
        return x.flatten(1)[:, :3] * 0 + torch.tensor([0.0, 1.0, 0.0])


def test_an_int8_file_may_gain_accuracy_but_not_lose_it(tmp_path, monkeypatch):
    zero = np.array([[1.0, 0.0, 0.0]], dtype=np.float32)  # to the file, every image is of class 0
    monkeypatch.setattr(Format, "require", lambda self: None)
    monkeypatch.setattr(Format, "write", lambda self, source, path, calibration: path.write_bytes(b"file"))
    monkeypatch.setattr(Format, "load", lambda self, path, threads=1: lambda batch: zero.repeat(len(batch), 0))
    images = torch.zeros(100, 1, 8, 8, dtype=torch.uint8)
    given = {"images": images, "calibration": images}
    lost = r"accuracy drops by 10\.00 percentage points on 100 images, tolerance 2$"  # two images are always allowed
    labels = torch.tensor([1] * 55 + [0] * 45)
    with pytest.raises(RuntimeError, match=lost):
        export(Always(), "onnx-int8", tmp_path / "net", labels=labels, **given)
    assert list(tmp_path.iterdir()) == []
    result = export(Always(), "onnx-int8", tmp_path / "net", labels=1 - labels, **given)
    assert (result.model_top1, result.file_top1) == pytest.approx((45, 55))
    with pytest.raises(RuntimeError, match=r"100\.00 % of 100 images are predicted as another class, tolerance 5 %"):
        export(Always(), "onnx-int8", tmp_path / "net", **given)


def test_the_previous_file_is_kept_when_an_export_fails(tmp_path):
    (tmp_path / "net.pt2").write_text("mine")
    with pytest.raises(RuntimeError):
        export(Unsupported(), "pt2", tmp_path / "net.pt2")
    assert (tmp_path / "net.pt2").read_text() == "mine"


def test_wrong_calls_are_one_line_errors(tmp_path):
    model = tinynets.create_model("simplecnn_mnist")
    with pytest.raises(ValueError, match="unknown format 'onx': did you mean onnx"):
        export(model, "onx", tmp_path / "net")
    with pytest.raises(FileNotFoundError, match="no folder"):
        export(model, "pt2", tmp_path / "nowhere" / "net")
    with pytest.raises(ValueError, match=r"images must be uint8 \(N, 1, 28, 28\) with N > 0, got torch.float32"):
        export(model, "pt2", tmp_path / "net", images=torch.rand(3, 1, 28, 28))
    with pytest.raises(ValueError, match="the normalization of the model is unknown"):
        export(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), "pt2", tmp_path / "net", img_size=(2, 2))
    with pytest.raises(ValueError, match="the image size of the model is unknown"):
        export(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), "pt2", tmp_path / "net", mean=(0.5,), std=(0.5,))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", ["onnx-int8", "tflite-int8"])
def test_int8_needs_calibration(to, tmp_path):
    needs(to)
    with pytest.raises(ValueError, match=f"{to} needs training images to calibrate its quantization ranges"):
        export(tinynets.create_model("simplecnn_mnist"), to, tmp_path / "net")


def test_a_missing_package_is_one_line_with_the_command(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        ImportError, match=r"onnx needs onnx, onnxscript, onnxruntime, .*pip install 'tinynets\[onnx\]'"
    ):
        FORMATS["onnx"].require()
    assert FORMATS["pt2"].installed()
