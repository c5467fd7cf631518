import numpy as np
import pytest
from firmware_support import COMPILERS, STRICT, Small, compiled_scores, exported
from torch import nn

from tinynets.deploy import FORMATS


class Leaky(Small):
    """With an activation that the int8 generator lacks."""

    def forward(self, x):
        return super().forward(nn.functional.leaky_relu(x, 0.1))


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    if not FORMATS["c-fp32"].installed():
        pytest.skip("needs tinynets[c] and a C compiler")
    path = tmp_path_factory.mktemp("c") / "net"
    from tinynets.deploy import export

    return path, export(Leaky(), "c-fp32", path)


def test_the_same_logits(leaky):
    made = leaky[1]
    assert made.images == 1000
    assert made.agreement == 100
    assert made.largest_difference < 1e-4 * made.largest_logit
    assert made.proved is None


@pytest.mark.parametrize(
    "command", COMPILERS[:1] + [pytest.param(*c.values, marks=[*c.marks, pytest.mark.slow]) for c in COMPILERS[1:]]
)
def test_no_compiler_warnings_or_sanitizer_errors(leaky, pixels, tmp_path, command):
    scores = compiled_scores(leaky[0], pixels, tmp_path, [command, *STRICT])
    assert np.allclose(scores, FORMATS["c-fp32"].load(leaky[0])(pixels), atol=1e-5)


def test_an_operator_that_int8_does_not_support(tmp_path):
    if not FORMATS["c"].installed():
        pytest.skip("needs tinynets[c] and a C compiler")
    with pytest.raises(RuntimeError, match=r"cannot be written as c: .*uses LEAKY_RELU, which .*: use c-fp32"):
        exported(Leaky(), "c", tmp_path / "net")
    assert list(tmp_path.iterdir()) == []
