import math

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from tinynets.engine import Mixing, Recursion, Resize, Schedule
from tinynets.engine.loop.schedules import active_steps, image_size, learning_rate_setter, mixing_strength, temperature


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


def test_every_group_keeps_its_own_peak():
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.4, 0.04)]
    both = torch.optim.SGD(groups)
    set_step = learning_rate_setter(both, Schedule(epochs=4, warmup_epochs=1), 5)
    for step in range(20):
        set_step(step)
        assert both.param_groups[0]["lr"] == pytest.approx(10 * both.param_groups[1]["lr"])


def test_the_older_cosine():
    """As the shipped weights were trained."""
    values = course(optimizer(), Schedule(epochs=10, warmup_epochs=2, min_lr=0.01, kind="cosine"), 5)
    for step, value in enumerate(values):
        expected = 0.4 * step / 10 if step < 10 else 0.01 + 0.39 * (1 + math.cos(math.pi * step / 50)) / 2
        assert value == pytest.approx(expected)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_one_cycle_is_torchs(kind):
    kwargs = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    schedule = Schedule(epochs=8, warmup_epochs=2, kind="one_cycle", min_lr=1e-4)
    reference = optimizer(kind, **kwargs)
    scheduler = OneCycleLR(
        reference,
        max_lr=0.4,
        total_steps=41,
        pct_start=11 / 41,
        base_momentum=0.8,
        max_momentum=0.9,
        final_div_factor=0.4 / 25 / 1e-4,
    )
    ours = optimizer(kind, **kwargs)
    set_step = learning_rate_setter(ours, schedule, 5)
    key = "momentum" if kwargs else "betas"
    for step in range(40):
        set_step(step)
        group, wanted = ours.param_groups[0], reference.param_groups[0]
        assert group["lr"] == pytest.approx(wanted["lr"])
        assert group[key] == pytest.approx(wanted[key])
        reference.step()
        scheduler.step()


def test_schedules_need_no_memory():
    """Any step may come after any other, as in a resumed run."""
    for kind in ("warmup_cosine", "cosine", "one_cycle"):
        schedule = Schedule(epochs=4, warmup_epochs=1, kind=kind)
        whole = course(optimizer(momentum=0.9), schedule, 6)
        fresh = optimizer(momentum=0.9)
        set_step = learning_rate_setter(fresh, schedule, 6)
        for step in (17, 3, 23, 0):
            set_step(step)
            assert fresh.param_groups[0]["lr"] == whole[step]


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
    recursion = Recursion(tau_start=1.0, tau_end=0.01)
    assert [temperature(recursion, p) for p in (0, 0.5, 1)] == pytest.approx([1, 0.1, 0.01])


def test_mixing_ramps_up_and_ends_clean():
    mixing = Mixing(mixup=1, ramp_epochs=4, clean_epochs=3)
    assert [mixing_strength(mixing, 10, epoch) for epoch in (0, 1, 4, 6.9, 7, 9)] == [0, 0.25, 1, 1, 0, 0]
    assert mixing_strength(Mixing(mixup=1), 10, 0) == 1


def test_images_grow_from_initial_scale_to_full_size():
    resize = Resize(initial_scale=0.5, delay_epochs=2, finetune_epochs=3)
    sizes = [image_size(resize, 10, epoch / 4, (32, 48)) for epoch in range(40)]
    assert sizes[0] == sizes[7] == (16, 24)
    assert sizes == sorted(sizes)
    assert {height for height, _ in sizes} == {16, 20, 24, 28, 32}
    assert sizes[28:] == [(32, 48)] * 12
    assert image_size(Resize(), 10, 0, (29, 31)) == (29, 31)


def test_without_growth_the_size_changes_at_once():
    resize = Resize(initial_scale=0.4, delay_epochs=6, finetune_epochs=4, size_increment=5)
    assert [image_size(resize, 10, epoch, (28, 28)) for epoch in (0, 5.9, 6)] == [(10, 10), (10, 10), (28, 28)]


def test_sizes_are_rounded_to_the_nearest_multiple():
    resize = Resize(initial_scale=0.7, delay_epochs=2, finetune_epochs=2, size_increment=4)
    assert image_size(resize, 10, 0, (32, 28)) == (24, 20)  # 0.7 of them: 22.4 and 19.6
