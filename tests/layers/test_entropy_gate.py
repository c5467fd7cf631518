import pytest
import torch

from tinynets.layers import EntropyGate


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("hard", [True, False])
def test_is_a_distribution_at_every_pixel(training, hard):
    gate = EntropyGate(24, hard=hard).train(training)(torch.randn(2, 24, 5, 6))
    assert gate.shape == (2, 3, 5, 6)
    assert (gate >= 0).all()
    torch.testing.assert_close(gate.sum(1), torch.ones(2, 5, 6))
    one_hot = gate.max(1).values > 1 - 1e-6
    assert one_hot.all() if hard else not one_hot.any()


def test_hard_is_the_argmax_of_soft():
    soft = EntropyGate(24).eval()
    hard = EntropyGate(24, hard=True).eval()
    hard.load_state_dict(soft.state_dict())
    x = torch.randn(2, 24, 5, 6) * 3
    assert torch.equal(hard(x).argmax(1), soft(x).argmax(1))


def test_hard_training_still_trains():
    gate, x = EntropyGate(24, hard=True), torch.randn(2, 24, 5, 6)
    (gate(x) * torch.randn(2, 3, 5, 6)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in gate.parameters())


@pytest.mark.parametrize("autocast", [False, True])
def test_an_offset_of_1000_changes_nothing(autocast):
    gate, x = EntropyGate(24).eval(), torch.randn(2, 24, 8, 8)
    shifted = (x + 1000).double()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        near, far = gate((shifted - 1000).float()), gate(shifted.float())
    torch.testing.assert_close(far, near, rtol=0, atol=0.02 if autocast else 1e-4)


def test_training_samples_sharpen_as_tau_falls():
    gate, x = EntropyGate(24), torch.randn(2, 24, 16, 16)
    warm = gate(x).max(1).values.mean()
    gate.tau.fill_(0.1)
    assert gate(x).max(1).values.mean() > warm + 0.2
    assert not torch.equal(gate(x), gate(x))


def test_training_draws_a_dilation_as_often_as_evaluation_weighs_it():
    gate, x = EntropyGate(24, hard=True), torch.randn(1, 24, 4, 4)
    often = torch.stack([gate(x).detach() for _ in range(2000)]).mean(0)
    soft = EntropyGate(24).eval()
    soft.load_state_dict(gate.state_dict())
    torch.testing.assert_close(often, soft(x).detach(), rtol=0, atol=0.06)


@pytest.mark.parametrize(("channels", "hidden"), [(3, 1), (12, 1), (24, 2), (48, 4)])
def test_the_hidden_layer_is_a_twelfth_and_at_least_one_channel(channels, hidden):
    assert EntropyGate(channels).reduce.out_channels == hidden


def test_other_numbers_of_dilations_and_narrow_inputs():
    assert EntropyGate(3, num_dilations=5)(torch.randn(1, 3, 4, 4)).shape == (1, 5, 4, 4)
