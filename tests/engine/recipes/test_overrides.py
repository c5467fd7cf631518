import json

import pytest

from tinynets.engine import (
    Mixing,
    Recipe,
    Recursion,
    Schedule,
    get_recipe,
    list_recipes,
    override,
    read_recipe,
    with_epochs,
)
from tinynets.engine.recipes import differences, parse_settings, recipe_from_dict, with_min_steps


def test_json_round_trip(name, tmp_path):
    for which in list_recipes(name):
        recipe = get_recipe(name, which)
        path = tmp_path / f"{which}.json"
        path.write_text(json.dumps(recipe.to_dict()))
        assert read_recipe(path) == recipe_from_dict(recipe.to_dict()) == recipe


def test_settings_are_read_as_json_then_as_text():
    settings = ["optimizer.lr=1e-2", "augment.flip=true", "drop_rate=none", "optimizer.name=adamw", "schedule.epochs=7"]
    recipe = override(Recipe(), parse_settings(settings))
    assert (recipe.optimizer.lr, recipe.augment.flip, recipe.drop_rate) == (0.01, True, None)
    assert (recipe.optimizer.name, recipe.schedule.epochs) == ("adamw", 7)
    assert recipe.optimizer.momentum == Recipe().optimizer.momentum


def test_dependent_fields_in_any_order():
    recipe = override(Recipe(), {"schedule.warmup_epochs": 50, "schedule.epochs": 100})
    assert (recipe.schedule.warmup_epochs, recipe.schedule.epochs) == (50, 100)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optimizer.rl=1", r"unknown recipe field 'optimizer\.rl': did you mean optimizer\.lr"),
        ("batch=1", "unknown recipe field 'batch': did you mean batch_size"),
        ("seed.x=1", r"unknown recipe field 'seed\.x'"),
        ("optimizer=sgd", r"optimizer is a section: set a field such as optimizer\.name, got 'sgd'"),
        ("optimizer.lr=fast", r"optimizer\.lr must be a finite number, got 'fast'"),
        ("schedule.epochs=2.5", r"schedule\.epochs must be an integer, got 2\.5"),
        ("augment.flip=yes", r"augment\.flip must be true or false, got 'yes'"),
        ("schedule.warmup_epochs=30", r"schedule\.warmup_epochs \(30\) must be below schedule\.epochs \(30\)"),
        ("optimizer.lr", r"--set optimizer\.lr must be FIELD=VALUE"),
    ],
)
def test_errors_name_the_field(setting, message):
    with pytest.raises(ValueError, match=message):
        override(Recipe(), parse_settings([setting]))


def test_files_that_are_no_recipes(tmp_path):
    path = tmp_path / "recipe.json"
    for text, message in (
        ("{", "is not JSON"),
        ("[1]", "contains no JSON object"),
        ('{"lr": 1}', "unknown recipe field 'lr'"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_recipe(path)


def test_another_length_scales_the_schedule():
    recipe = Recipe(
        schedule=Schedule(epochs=100, warmup_epochs=5, cosine_epochs=120),
        mixing=Mixing(mixup=0.5, ramp_epochs=50, off_epoch=90),
        recursion=Recursion(depth_warmup_epochs=20),
    )
    short = with_epochs(recipe, 10)
    assert short.schedule == Schedule(epochs=10, warmup_epochs=0.5, cosine_epochs=120)
    assert (short.mixing.ramp_epochs, short.mixing.off_epoch, short.recursion.depth_warmup_epochs) == (5, 9, 2)
    assert with_epochs(recipe, 200).schedule.cosine_epochs == 200
    assert with_epochs(recipe, 100) == recipe
    assert with_epochs(recipe, 1).schedule.warmup_epochs < 1


def test_few_images_get_more_epochs():
    recipe = override(Recipe(), {"schedule": {"epochs": 20, "min_steps": 90, "warmup_epochs": 2}})
    assert with_min_steps(recipe, 5) == override(recipe, {"schedule.min_steps": 0})
    longer = with_min_steps(recipe, 4)
    assert (longer.schedule.epochs, longer.schedule.warmup_epochs) == (23, 2.3)
    assert with_min_steps(longer, 2) is longer  # a resumed run has the recipe of its start


def test_a_given_number_of_epochs_is_kept():
    recipe = override(Recipe(), {"schedule.min_steps": 1000})
    for shorter in (with_epochs(recipe, 5), override(recipe, {"schedule.epochs": 5})):
        assert with_min_steps(shorter, 1).schedule.epochs == 5


def test_another_optimizer_takes_over_only_what_it_uses():
    muon = override(Recipe(), {"optimizer": {"name": "muon", "momentum": 0.95, "muon_precision": "fp32"}})
    adamw = override(muon, {"optimizer.name": "adamw"})
    assert (adamw.optimizer.momentum, adamw.optimizer.muon_precision, adamw.optimizer.used_momentum) == (
        None,
        "bf16",
        None,
    )
    assert override(muon, {"optimizer.name": "sgd"}).optimizer.momentum == 0.95
    with pytest.raises(ValueError, match=r"adamw does not use optimizer\.momentum, got 0\.9"):
        override(muon, {"optimizer.momentum": 0.9, "optimizer.name": "adamw"})


def test_differences_are_named():
    other = override(Recipe(), {"optimizer.lr": 0.2, "seed": 4})
    assert differences(Recipe(), other) == {"optimizer.lr": (0.1, 0.2), "seed": (0, 4)}
    assert differences(other, other) == {}


@pytest.mark.parametrize(("text", "value"), [("none", None), ("None", None), ("True", True), ("FALSE", False)])
def test_python_and_json_literals_are_equivalent(text, value):
    assert parse_settings([f"augment.flip={text}"]) == {"augment.flip": value}
