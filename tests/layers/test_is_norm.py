import pytest
import torch
from torch import nn

from tinynets.layers import ISNorm


def test_every_step_has_its_own_statistics_and_affine_pair():
    norm = ISNorm(4, 3)
    assert sum(p.numel() for p in norm.parameters()) == 2 * 4 * 3
    x = torch.randn(64, 4, 5, 5)
    for step in range(3):
        norm(x * (step + 1) + step, step)
    means = [step.running_mean.mean().item() for step in norm.steps]
    assert means == pytest.approx([0, 0.1, 0.2], abs=0.02)
    assert [int(step.num_batches_tracked) for step in norm.steps] == [1, 1, 1]


def test_a_step_is_batch_norm():
    norm, plain, x = (
        ISNorm(4, 2, eps=1e-3, momentum=0.3),
        nn.BatchNorm2d(4, eps=1e-3, momentum=0.3),
        torch.randn(8, 4, 5, 5),
    )
    assert torch.equal(norm(x, 1), plain(x))
    assert torch.equal(norm.steps[1].running_var, plain.running_var)
    assert int(norm.steps[0].num_batches_tracked) == 0


@pytest.mark.parametrize("step", [-1, 2])
def test_steps_out_of_range_are_refused(step):
    with pytest.raises(IndexError, match=r"step must be in 0\.\.1"):
        ISNorm(4, 2)(torch.randn(2, 4, 3, 3), step)


def test_converts_to_sync_batch_norm():
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(ISNorm(4, 2))
    assert all(isinstance(step, nn.SyncBatchNorm) for step in converted.steps)
