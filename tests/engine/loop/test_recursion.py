import pytest

from tinynets.engine import Recursion
from tinynets.engine.loop.recursion import active_steps, temperature


def test_depth_grows_from_one_to_all():
    recursion = Recursion(depth_warmup_epochs=10)
    depths = [active_steps(recursion, 6, epoch / 4) for epoch in range(48)]
    assert depths[0] == 1
    assert depths == sorted(depths)
    assert set(depths) == {1, 2, 3, 4, 5, 6}
    assert depths[39] == 5
    assert depths[40] == 6
    assert active_steps(Recursion(), 6, 0.0) == 6


def test_tau_falls_geometrically():
    recursion = Recursion(tau_end=0.01)
    assert [temperature(recursion, p) for p in (0, 0.5, 1)] == pytest.approx([1, 0.1, 0.01])
