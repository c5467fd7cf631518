import math

import pytest
import torch

from tinynets.engine import Mixing, Recursion, Schedule
from tinynets.engine.loop.schedules import active_steps, learning_rate_setter, mixing_strength, temperature


def optimizer(kind=torch.optim.SGD, **kwargs):
    return kind([torch.nn.Parameter(torch.zeros(1))], lr=0.4, **kwargs)


def course(optimizer, schedule, steps, key="lr"):
    set_step = learning_rate_setter(optimizer, schedule, steps)
    values = []
    for step in range(schedule.epochs * steps):
        set_step(step)
        values.append(optimizer.param_groups[0][key])
    return values


def test_warm_up_and_cosine_without_a_jump():
    values = course(optimizer(), Schedule(epochs=10, warmup_epochs=2, min_lr=0.01), 5)
    assert values[:10] == pytest.approx([0.4 * (step + 1) / 11 for step in range(10)])
    assert values[10] == pytest.approx(0.4)
    for step, value in enumerate(values[10:]):
        assert value == pytest.approx(0.01 + 0.39 * (1 + math.cos(math.pi * step / 40)) / 2)
    longer = course(optimizer(), Schedule(epochs=10, warmup_epochs=0, cosine_epochs=20), 5)
    assert longer[0] == 0.4
    assert longer[-1] == pytest.approx(0.2 * (1 + math.cos(math.pi * 49 / 100)))


def test_a_warm_up_that_rounds_to_the_whole_run():
    assert course(optimizer(), Schedule(epochs=1, warmup_epochs=0.9), 4) == pytest.approx([0.08, 0.16, 0.24, 0.32])


def test_the_older_cosine():
    """As the shipped weights were trained."""
    values = course(optimizer(), Schedule(epochs=10, warmup_epochs=2, min_lr=0.01, kind="cosine"), 5)
    for step, value in enumerate(values):
        expected = 0.4 * step / 10 if step < 10 else 0.01 + 0.39 * (1 + math.cos(math.pi * step / 50)) / 2
        assert value == pytest.approx(expected)


def test_schedules_are_stateless():
    """Any step may come after any other, as in a resumed run."""
    for kind in ("warmup_cosine", "cosine"):
        schedule = Schedule(epochs=4, warmup_epochs=1, kind=kind)
        whole = course(optimizer(momentum=0.9), schedule, 6)
        fresh = optimizer(momentum=0.9)
        set_step = learning_rate_setter(fresh, schedule, 6)
        for step in (17, 3, 23, 0):
            set_step(step)
            assert fresh.param_groups[0]["lr"] == whole[step]


def test_mixing_ramps_up_and_ends_clean():
    mixing = Mixing(mixup=1, ramp_epochs=4, off_epoch=7)
    assert [mixing_strength(mixing, epoch) for epoch in (0, 1, 4, 6.9, 7, 9)] == [0, 0.25, 1, 1, 0, 0]
    assert mixing_strength(Mixing(mixup=1), 0) == 1


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
