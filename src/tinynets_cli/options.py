"""Options shared by several commands, and how results are printed."""

import argparse
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinynets.engine import Recipe

logger = logging.getLogger("tinynets")


def _group() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(add_help=False)


def image_size(text: str) -> tuple[int, int]:
    """The (H, W) that --img-size names by its side."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expects one positive integer, got {text!r}: images are square")
    return int(text), int(text)


def _keyword(text: str) -> tuple[str, str]:
    """One value of --model-kwargs."""
    name, equals, value = text.partition("=")
    if not (equals and name.isidentifier()):
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, such as width=0.5, got {text!r}")
    return name, value


def common_options() -> argparse.ArgumentParser:
    group = _group()
    group.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return group


def model_options() -> argparse.ArgumentParser:
    group = _group()
    group.add_argument(
        "--model-kwargs",
        nargs="+",
        type=_keyword,
        default=[],
        metavar="NAME=VALUE",
        help="model arguments, such as width=0.5, or channels=96 iterations=8 (ECNet)",
    )
    return group


def data_options() -> argparse.ArgumentParser:
    group = argparse.ArgumentParser(add_help=False, parents=[background_option()])
    group.add_argument(
        "--data",
        help="an image folder with one subfolder per class, or with train/ and test/ or val/; an .npz; cifar10, "
        "cifar100, mnist, tiny_imagenet or digits (default: what a checkpoint was trained on, or what the model is "
        "named after)",
    )
    group.add_argument(
        "--data-dir", help="folder of the named data set, which is downloaded into it if missing (default: data)"
    )
    group.add_argument(
        "--img-size", type=image_size, help="side in pixels that a folder's images are cropped and resized to"
    )
    group.add_argument("--skip-bad", action="store_true", help="skip images that cannot be read, and list them")
    where = group.add_mutually_exclusive_group()
    where.add_argument(
        "--cache",
        metavar="DIR",
        help="where decoded photos are kept for the next start (default: the user's cache folder)",
    )
    where.add_argument("--no-cache", action="store_true", help="keep decoded photos in memory only")
    return group


def background_option() -> argparse.ArgumentParser:
    group = _group()
    group.add_argument(
        "--background", help="color behind transparent pixels, such as black or #808080 (default: white)"
    )
    return group


def device_options() -> argparse.ArgumentParser:
    group = _group()
    group.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:1, mps, ... (default: cuda or mps if there is one)"
    )
    return group


def recipe_options() -> argparse.ArgumentParser:
    group = argparse.ArgumentParser(add_help=False, parents=[recipe_source_options()])
    group.add_argument("--epochs", type=int, help="number of epochs; warm-ups and ramps keep their share of the run")
    group.add_argument("--batch-size", type=int)
    group.add_argument("--lr", type=float)
    group.add_argument("--val-size", type=float, help="fraction of the training set for validation, 0 for none")
    return group


def recipe_source_options() -> argparse.ArgumentParser:
    group = _group()
    group.add_argument("--recipe", help="default, finetune, digits, original (the published recipe), or a recipe.json")
    group.add_argument("--seed", type=int)
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="override any recipe field, such as optimizer.weight_decay=1e-4",
    )
    return group


def model_args(args: argparse.Namespace) -> dict[str, Any]:
    """Arguments of the model's class from the command line."""
    from tinynets.engine.recipes.overrides import parse_value

    return {name: parse_value(text) for name, text in args.model_kwargs}


def recipe_of(
    args: argparse.Namespace, model: str, data_name: str | None, base: "Recipe | None" = None, default: str = "default"
) -> "Recipe":
    """The recipe from the command line, else base, else the model's recipe for these data, with the fields that were
    changed.

    default: name of the model's recipe, unless the data are digits.
    """
    from tinynets.engine import get_recipe, override, read_recipe, with_epochs
    from tinynets.engine.recipes import parse_settings
    from tinynets.engine.recipes.overrides import check_effect

    if args.recipe and args.recipe.endswith(".json"):
        base = read_recipe(args.recipe)
    elif args.recipe or base is None:
        base = get_recipe(
            model, args.recipe or ("digits" if (data_name, default) == ("digits", "default") else default)
        )
    fields = {"batch_size": "batch_size", "lr": "optimizer.lr", "val_size": "val_size", "seed": "seed"}
    changes = {field: getattr(args, option, None) for option, field in fields.items()}
    changes = {field: value for field, value in changes.items() if value is not None} | parse_settings(args.set)
    if getattr(args, "epochs", None) is not None:
        base = with_epochs(base, args.epochs)
    recipe = override(base, changes)
    check_effect(recipe, changes)
    if recipe.optimizer.name != base.optimizer.name and (unchanged := _OPTIMIZER_FIELDS - changes.keys()):
        values = ", ".join(
            f"{name} {getattr(recipe.optimizer, name.partition('.')[2]):g}" for name in sorted(unchanged)
        )
        logger.warning(f"chosen for {base.optimizer.name}, not {recipe.optimizer.name}: {values}. Set them too")
    return recipe


_OPTIMIZER_FIELDS = {"optimizer.lr", "optimizer.weight_decay"}


def device_of(args: argparse.Namespace) -> str:
    import torch

    if args.device != "auto":
        return args.device
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def report(args: argparse.Namespace, metadata: dict[str, Any], text: Callable[[], str]) -> None:
    """Print metadata as one JSON object, or as text."""
    from tinynets._files import to_json

    print(to_json(metadata) if args.json else text())
