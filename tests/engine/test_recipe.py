import json

import pytest

from tinynets.engine import Augment, Optimizer, Recipe, Schedule, get_recipe, list_recipes


def test_every_model_has_a_recipe(name):
    assert isinstance(get_recipe(name), Recipe)
    assert {"default", "digits"} <= set(list_recipes(name))


def test_the_founding_recipe_of_simplecnn():
    recipe = get_recipe("simplecnn_mnist", "seed")
    assert (recipe.optimizer.name, recipe.optimizer.lr, recipe.batch_size) == ("adam", 0.002, 64)
    assert recipe.schedule == Schedule(epochs=1, warmup_epochs=0, min_lr=1e-6, cosine_epochs=5)
    assert recipe.augment == Augment()


def test_recipes_are_plain_data_and_do_not_change():
    recipe = get_recipe("egrr_cifar100")
    assert json.loads(json.dumps(recipe.to_dict()))["augment"]["flip"] is True
    with pytest.raises(AttributeError):
        recipe.seed = 3


def test_unknown_names():
    with pytest.raises(ValueError, match="unknown model 'egrr'"):
        get_recipe("egrr")
    with pytest.raises(ValueError, match="unknown recipe of simplecnn_mnist 'sead': did you mean seed"):
        get_recipe("simplecnn_mnist", "sead")


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: Recipe(batch_size=0), "batch_size"),
        (lambda: Recipe(val_size=1.0), "val_size"),
        (lambda: Recipe(label_smoothing=-0.1), "label_smoothing"),
        (lambda: Recipe(ema_decay=1), "ema_decay"),
        (lambda: Recipe(seed=-1), "seed"),
        (lambda: Optimizer(lr=0), r"optimizer\.lr"),
        (lambda: Optimizer(lr=float("nan")), r"optimizer\.lr"),
        (lambda: Optimizer(momentum=1), r"optimizer\.momentum"),
        (lambda: Optimizer(weight_decay=-1), r"optimizer\.weight_decay"),
        (lambda: Schedule(epochs=0), r"schedule\.epochs"),
        (lambda: Schedule(epochs=3, warmup_epochs=3), r"schedule\.warmup_epochs"),
        (lambda: Schedule(epochs=3, cosine_epochs=2), r"schedule\.cosine_epochs"),
        (lambda: Augment(pad=-1), r"augment\.pad"),
        (lambda: Augment(scale=1.5), r"augment\.scale"),
    ],
)
def test_contradictions_name_the_field(build, field):
    with pytest.raises(ValueError, match=field):
        build()
