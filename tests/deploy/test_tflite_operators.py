import numpy as np
import pytest

from tinynets.deploy import FORMATS, artifact
from tinynets.deploy.formats.tflite import load_integers
from tinynets.deploy.images import synthetic_images
from tinynets.deploy.tflite_operators import operators, with_convolutions, with_int8_versions

pytestmark = pytest.mark.skipif(not FORMATS["tflite-int8"].installed(), reason="needs litert")


def scores(content, path):
    path.write_bytes(content)
    return load_integers(path)(synthetic_images(10, (3, 32, 32)).permute(0, 2, 3, 1).numpy()).astype(int)


def versions(content):
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    return {names[code.builtinCode]: code.version for code in model.operatorCodes}


def test_versions_of_int8_operators(tmp_path):
    """They are set where a file has those of fp32. Nothing that it computes depends on them."""
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(artifact("optimized200k_cifar10").read_bytes()))
    for code in model.operatorCodes:
        code.version = 1
    before = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    after = with_int8_versions(before)
    assert set(versions(before).values()) == {1}
    expected = {"ADD": 2, "AVERAGE_POOL_2D": 2, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "PAD": 2}
    assert versions(after) == expected | {"RESHAPE": 1}
    assert np.array_equal(scores(before, tmp_path / "a"), scores(after, tmp_path / "b"))


def test_the_classifier_as_a_convolution(tmp_path):
    before = artifact("c1c2c3c4o_cifar10").read_bytes()
    after = with_convolutions(before)
    assert [name for name, _ in operators(after)][-3:] == ["RESHAPE", "CONV_2D", "RESHAPE"]
    assert np.abs(scores(before, tmp_path / "a") - scores(after, tmp_path / "b")).max() <= 1  # different rounding


def test_layers_of_operators():
    found = operators(artifact("c1c2c3c4o_cifar10").read_bytes())
    assert ("DEPTHWISE_CONV_2D", "0.scale") in found
    assert any(name == "CONV_2D" and layer.endswith("stages.1.0.conv_pw") for name, layer in found)
