"""A teacher's logits of fixed views: what is kept, how it is mixed, and that resumed runs see the same."""

import os
import shutil
from dataclasses import replace

import pytest
import torch
from support import QUICK

from tinynets.engine import Augment, Mixing, override, train
from tinynets.engine.augment import BatchRNG, Mixer
from tinynets.engine.loop import DistributedContext, Run, model_for_data
from tinynets.engine.loop.loss import TrainingLoss, distillation
from tinynets.engine.loop.views import Views
from tinynets.weights import read_weights, save_weights

TEAM = DistributedContext(0, 1, torch.device("cpu"))


@pytest.fixture
def recipe(tiny_data, tmp_path):
    train("simplecnn_mnist", tiny_data, QUICK, tmp_path / "teacher")
    changes = {
        "distill.teacher": str(tmp_path / "teacher"),
        "distill.kind": "logit_std",
        "distill.views": 3,
        "mixing.cutmix": 0.5,
        "augment.flip": True,
        "augment.rotate": 10,
    }
    return override(QUICK, changes)


def started(data, recipe, cache):
    model, _ = model_for_data("simplecnn_mnist", data, recipe, None)
    run = Run(model, data, recipe, TEAM)
    run.make_views(cache, "data")
    run.compute_logits(lambda: None)
    return run


def test_views_come_with_the_logits_of_their_images(tiny_data, recipe, tmp_path):
    recipe = override(recipe, {"augment.flip": False})
    run = started(tiny_data, recipe, tmp_path / "logits.safetensors")
    views = run.views
    assert views.images.shape == (3, *run.images.train_images.shape)
    assert views.images.dtype == torch.uint8
    assert not torch.equal(views.images[0], views.images[1])
    rows = torch.arange(16)
    x, logits = views(rows, BatchRNG(torch.Generator().manual_seed(0), 16))
    torch.testing.assert_close(logits, run.loss_function.teacher_logits(x), atol=2e-2, rtol=2e-3)  # kept in fp16


def test_views_without_augmentation_are_the_images(tiny_data, recipe, tmp_path):
    recipe = replace(recipe, augment=Augment(flip=True))
    run = started(tiny_data, recipe, tmp_path / "logits.safetensors")
    assert all(torch.equal(view, run.images.train_images) for view in run.views.images)
    rows, rng = torch.arange(16), BatchRNG(torch.Generator().manual_seed(0), 16)
    x, logits = run.views(rows, rng)
    plain = run.normalize(run.images.train_images[rows])
    mirrored = (x != plain).flatten(1).any(1)
    assert 0 < mirrored.sum() < 16
    torch.testing.assert_close(x[mirrored], plain[mirrored].flip(3))
    torch.testing.assert_close(logits, run.loss_function.teacher_logits(plain), atol=2e-2, rtol=2e-3)


def test_logits_are_mixed_like_the_shares_of_the_classes():
    labels, logits, x = torch.tensor([0, 1, 2, 0]), torch.randn(4, 3), torch.randn(4, 3, 8, 8)
    mixer = Mixer(Mixing(mixup=1.0), 3)
    mixed, targets = mixer(x, labels, BatchRNG(torch.Generator().manual_seed(0), 4), logits=logits)
    again, shares = mixer(x, labels, BatchRNG(torch.Generator().manual_seed(0), 4))
    assert torch.equal(mixed, again)
    assert torch.equal(targets[:, :3], shares)
    own = shares.gather(1, labels.unsqueeze(1))
    torch.testing.assert_close(targets[:, 3:], own * logits + (1 - own) * logits[[1, 0, 3, 2]])
    _, targets = mixer(x, labels, BatchRNG(None, 4), 0.0, logits)
    assert torch.equal(targets[:, :3].argmax(1), labels)
    assert torch.equal(targets[:, 3:], logits)


def test_loss_of_kept_logits(tiny_data, recipe):
    objective = TrainingLoss(recipe, tiny_data, torch.device("cpu"))
    labels, logits, x = torch.arange(6) % 3, torch.randn(6, 3), torch.randn(6, 1, 8, 8)
    shares, wanted = torch.nn.functional.one_hot(labels, 3).float(), torch.randn(6, 3)
    expected = 0.1 * torch.nn.functional.cross_entropy(logits, labels) + 0.9 * distillation(
        logits, wanted, recipe.distill
    )
    torch.testing.assert_close(objective(logits, torch.cat([shares, wanted], 1), x), expected)


def test_resumed_runs_read_the_kept_logits(tiny_data, recipe, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "tinynets")
    train("simplecnn_mnist", tiny_data, recipe, tmp_path / "whole")
    assert "computing the logits" in caplog.text
    end = Run.train_epoch

    def stops(run, after_step):
        if run.epochs_done == 1:
            os.kill(os.getpid(), 15)
        return end(run, after_step)

    monkeypatch.setattr(Run, "train_epoch", stops)
    with pytest.raises(KeyboardInterrupt):
        train("simplecnn_mnist", tiny_data, recipe, tmp_path / "stopped")
    monkeypatch.undo()
    cache = tmp_path / "stopped/teacher_logits.safetensors"
    kept = cache.read_bytes()
    caplog.clear()
    train("simplecnn_mnist", tiny_data, recipe, tmp_path / "stopped", resume=True)
    assert "computing the logits" not in caplog.text
    assert cache.read_bytes() == kept
    whole, stopped = (read_weights(tmp_path / f"{run}/last.safetensors")[0] for run in ("whole", "stopped"))
    assert all(torch.equal(tensor, stopped[name]) for name, tensor in whole.items())


def test_kept_logits_replace_the_teacher(tiny_data, recipe, tmp_path):
    train("simplecnn_mnist", tiny_data, recipe, tmp_path / "whole")
    shutil.rmtree(tmp_path / "teacher")
    (tmp_path / "again").mkdir()
    shutil.copy(tmp_path / "whole/teacher_logits.safetensors", tmp_path / "again")
    train("simplecnn_mnist", tiny_data, recipe, tmp_path / "again")
    whole, again = (read_weights(tmp_path / f"{run}/last.safetensors")[0] for run in ("whole", "again"))
    assert all(torch.equal(tensor, again[name]) for name, tensor in whole.items())
    more = override(recipe, {"distill.views": 4})
    with pytest.raises(FileNotFoundError, match="teacher"):
        train("simplecnn_mnist", tiny_data, more, tmp_path / "more")
    assert not (tmp_path / "more/state.pt").exists()


@pytest.mark.parametrize(("made_with", "known"), [("{}/teacher", True), ("teacher", True), ("runs/teacher", False)])
def test_kept_logits_are_used_in_another_folder(tiny_data, recipe, tmp_path, made_with, known):
    cache = tmp_path / "logits.safetensors"
    run = started(tiny_data, recipe, cache)
    state, metadata = read_weights(cache)
    save_weights(cache, state, metadata | {"teacher": made_with.format(tmp_path.name)})
    views = Views(recipe, run.images.train_images, *run.statistics, cache, "data")
    assert views.read_logits() is known


def test_a_run_with_views_fits_a_time(tiny_data, recipe, tmp_path):
    summary = train("simplecnn_mnist", tiny_data, recipe, tmp_path / "timed", minutes=1)
    assert summary["last"]["epoch"] >= 1


def test_logits_of_another_recipe_or_a_damaged_file_are_computed_again(tiny_data, recipe, tmp_path, caplog):
    caplog.set_level("INFO", "tinynets")
    cache = tmp_path / "logits.safetensors"
    logits = started(tiny_data, recipe, cache).views.logits
    cache.write_bytes(cache.read_bytes()[:99])
    assert torch.equal(started(tiny_data, recipe, cache).views.logits, logits)
    caplog.clear()
    assert torch.equal(started(tiny_data, recipe, cache).views.logits, logits)
    assert not caplog.messages
    assert not torch.equal(started(tiny_data, override(recipe, {"seed": 1}), cache).views.logits, logits)


def test_logits_of_finished_views_survive_an_interruption(tiny_data, recipe, tmp_path):
    cache = tmp_path / "logits.safetensors"
    model, _ = model_for_data("simplecnn_mnist", tiny_data, recipe, None)
    run, batches = Run(model, tiny_data, recipe, TEAM), iter(range(2))  # a view is one batch

    def interrupt_in_the_second_view():
        if next(batches) == 1:
            raise KeyboardInterrupt

    run.make_views(cache, "data")
    with pytest.raises(KeyboardInterrupt):
        run.compute_logits(interrupt_in_the_second_view)
    first = read_weights(cache)[0]["logits"]
    assert len(first) == 1
    continued = started(tiny_data, recipe, cache).views.logits
    assert torch.equal(continued[:1], first)
    assert torch.equal(continued, started(tiny_data, recipe, tmp_path / "other.safetensors").views.logits)


def test_more_views_keep_the_logits_of_the_others(tiny_data, recipe, tmp_path, caplog):
    caplog.set_level("INFO", "tinynets")
    cache = tmp_path / "logits.safetensors"
    two = started(tiny_data, override(recipe, {"distill.views": 2}), cache).views.logits
    three = started(tiny_data, recipe, cache).views.logits
    assert "for 1 views" in caplog.text
    assert torch.equal(three[:2], two)
    caplog.clear()
    assert torch.equal(started(tiny_data, override(recipe, {"distill.views": 2}), cache).views.logits, two)
    assert not caplog.messages


def test_views_must_fit_into_memory(tiny_data, recipe, tmp_path):
    with pytest.raises(ValueError, match=r"1000000000 views of the training images would take .* lower distill\.views"):
        started(tiny_data, override(recipe, {"distill.views": 10**9}), tmp_path / "logits.safetensors")
