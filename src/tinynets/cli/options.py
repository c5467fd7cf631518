"""What several commands share: options, the arguments they make, and the way results are printed."""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tinynets
from tinynets._checks import unknown
from tinynets._say import say

if TYPE_CHECKING:
    from tinynets.engine import ImageData, Recipe


def _group() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(add_help=False)


def common_options() -> argparse.ArgumentParser:
    group = _group()
    group.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return group


def model_options() -> argparse.ArgumentParser:
    group = _group()
    group.add_argument("--width", type=float, help="factor on the channels of every layer (all models but ECNet)")
    group.add_argument("--channels", type=int, help="channels of ECNet")
    group.add_argument("--iterations", type=int, help="iterations of ECNet's tied block")
    group.add_argument("--expansion", type=int, help="expansion of ECNet's tied block")
    return group


def data_options() -> argparse.ArgumentParser:
    group = argparse.ArgumentParser(add_help=False, parents=[background_option()])
    group.add_argument(
        "--data",
        help="cifar10, cifar100, mnist, digits, a folder with train/ and test/ or val/, or an .npz "
        "(default: what the model is named after)",
    )
    group.add_argument(
        "--data-dir", help="folder that holds the named data set, or gets it by download (default: data)"
    )
    group.add_argument("--img-size", type=int, help="side in pixels that a folder's images are cropped and resized to")
    group.add_argument("--skip-bad", action="store_true", help="leave out images that cannot be read, and list them")
    return group


def background_option() -> argparse.ArgumentParser:
    group = _group()
    group.add_argument(
        "--background", default="white", help="colour behind transparent pixels, as black or #808080 (default: white)"
    )
    return group


def device_options() -> argparse.ArgumentParser:
    group = _group()
    group.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps, ... (default: cuda if there is one)")
    return group


def recipe_options() -> argparse.ArgumentParser:
    group = _group()
    group.add_argument("--recipe", help="default, digits, seed (the founding document's), or a recipe.json")
    group.add_argument("--epochs", type=int, help="warm-ups and ramps keep their share of the run")
    group.add_argument("--batch-size", type=int)
    group.add_argument("--lr", type=float)
    group.add_argument("--val-size", type=float, help="fraction of the training set held out, 0 for none")
    group.add_argument("--seed", type=int)
    group.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="any field, as optimizer.weight_decay=1e-4"
    )
    return group


def model_args(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments for the model's class that were given on the command line."""
    given = {name: getattr(args, name) for name in ("width", "channels", "iterations", "expansion")}
    return {name: value for name, value in given.items() if value is not None}


def recipe_of(args: argparse.Namespace, model: str, data_name: str, base: "Recipe | None" = None) -> "Recipe":
    """The recipe named on the command line, else base, else the model's for those data; with what was overridden."""
    from tinynets.engine import get_recipe, override, parse_settings, read_recipe, with_epochs

    if args.recipe and args.recipe.endswith(".json"):
        base = read_recipe(args.recipe)
    elif args.recipe or base is None:
        base = get_recipe(model, args.recipe or ("digits" if data_name == "digits" else "default"))
    if args.epochs is not None:
        base = with_epochs(base, args.epochs)
    given = {"batch_size": args.batch_size, "optimizer.lr": args.lr, "val_size": args.val_size, "seed": args.seed}
    given = {name: value for name, value in given.items() if value is not None}
    return override(base, given | parse_settings(args.set))


def data_of(model: str) -> str:
    """The data set a model is named after."""
    return model.split(".")[0].rpartition("_")[2]


def load_data_of(
    args: argparse.Namespace,
    default: str,
    model_size: tuple[int, ...] | None = None,
    in_chans: int | None = None,
    trained_size: tuple[int, ...] | None = None,
) -> "ImageData":
    """The data named on the command line, else the default; what there is to say about them goes to stderr.

    model_size: (H, W) for a folder whose images have no small size in common. in_chans: channels to read it with.
    trained_size: (H, W) that a folder's images get unless the command line says otherwise.
    """
    from tinynets.engine import load_data

    size: Any = trained_size if args.img_size is None else (args.img_size, args.img_size)
    default_size: Any = model_size
    data = load_data(
        args.data or default,
        args.data_dir,
        size,
        default_size=default_size,
        in_chans=in_chans,
        background=args.background,
        skip_bad=args.skip_bad,
    )
    if data.skipped:
        note(f"{len(data.skipped):,} images that cannot be read are left out, the first: {data.skipped[0]}")
    for text in data.notes:
        note(text)
    return data


def size_of(model: str) -> tuple[int, int] | None:
    """(H, W) that a model is made for."""
    import timm

    cfg = timm.models.get_pretrained_cfg(model) if timm.models.is_model(model) else None
    return None if cfg is None else (cfg.input_size[1], cfg.input_size[2])


def warn_of_polarity(wrong: int, total: int, facts: Any, inverted: bool) -> None:
    """A line if most images have another background than those that the model was trained on."""
    if 2 * wrong > total:
        here, there = ("light", "dark") if facts.mean[0] < 0.5 else ("dark", "light")
        note(
            f"{wrong:,} of {total:,} images have a {here} background, the model was trained on a {there} one: "
            + ("leave out --invert" if inverted else "swap light and dark with --invert")
        )


def note(text: str) -> None:
    """A line on stderr, of one process only."""
    if os.environ.get("RANK", "0") == "0":  # torchrun's, of this process
        say(f"tinynets: {text}")


def device_of(args: argparse.Namespace) -> str:
    import torch

    if args.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return args.device


def load_trained(args: argparse.Namespace) -> tuple[Any, Any]:
    """The model with weights that args.model names, and the facts about it: a checkpoint's or the shipped weights'."""
    from tinynets.engine import Checkpoint, load_checkpoint
    from tinynets.weights import find_weights, read_weights

    name = args.model.split(".")[0]
    if name not in tinynets.list_models():
        if not Path(args.model).suffix and not Path(args.model).exists():
            raise unknown("model or checkpoint", args.model, tinynets.list_models())
        return load_checkpoint(args.model)
    model: Any = tinynets.create_model(args.model, pretrained=True, **model_args(args))
    weights = find_weights(name)
    assert weights is not None  # create_model has refused a model without
    return model.eval(), Checkpoint.from_dict(read_weights(weights.path)[1], str(weights.path))


def report(args: argparse.Namespace, facts: dict[str, Any], text: Callable[[], str]) -> None:
    """Print facts as one JSON object, or as text."""
    print(json.dumps(facts) if args.json else text())
