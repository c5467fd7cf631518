"""The data that a command works on."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .options import logger

if TYPE_CHECKING:
    from tinynets.engine import Checkpoint, ImageData

T = TypeVar("T")


def data_of(model: str) -> str | None:
    """The data set that a model is named after, if there is one."""
    from tinynets.engine import list_data
    from tinynets.models import full_name

    full = full_name(model)
    return next((name for name in list_data() if full.endswith((f".{name}", f"_{name}"))), None)


def load_data_of(
    args: argparse.Namespace,
    default: str | None,
    metadata: "Checkpoint | None" = None,
    model: str | None = None,
    in_chans: int | None = None,
    config: dict[str, Any] | None = None,
    run: str | Path | None = None,
    split_args: dict[str, Any] | None = None,
) -> "ImageData":
    """The data named on the command line, else those that metadata are about, else the default.

    An option of the command line goes before what the metadata say, and that before the arguments. What there is to say
    about how the data were read goes to stderr.

    Args:
        metadata: of weights. Their image size is that of the images, unless the command line names another.
        model: its own size is that of a folder's images, if nothing else says one and they have no small one in common.
        in_chans: channels that a folder is read with.
        config: how a folder's images are resized.
        run: directory of a run, or a checkpoint in it, whose split of class folders is used.
        split_args: test_size, val_size and seed of class folders that no run has split.

    Raises:
        FileNotFoundError: the data that metadata are about are not where they were.
        ValueError: nothing names the data.
    """
    from tinynets.engine import list_data, load_data
    from tinynets.engine.data import without_parts

    trained_on: dict[str, Any] = dict(metadata.data_source or {}) if metadata else {}
    source = {} if args.data and _elsewhere(args.data, trained_on) else trained_on
    if source:
        if source["name"] not in list_data() and not Path(source["name"]).exists():
            raise FileNotFoundError(f"{source['name']} no longer exists: give its new location with --data")
    elif not args.data and metadata and metadata.data and metadata.data not in list_data():
        raise ValueError(
            f"{metadata.data} is not a built-in data set, and its location is unknown: give it with --data"
        )
    name = source.get("name") or args.data or (metadata.data if metadata and metadata.data else default)
    if not name:
        raise ValueError("no data set is known for this model: choose one with --data")
    size = metadata.img_size or None if metadata else None
    split: dict[str, Any] = {key: source[key] for key in ("test_size", "val_size", "seed") if key in source}
    if split:
        split["split"] = split_file(run)
    elif without_parts(name):
        split = split_args or {}
    data = load_data(
        name,
        data_dir=_first(args.data_dir, source.get("data_dir")),
        img_size=_first(args.img_size, source.get("img_size"), size),
        default_size=size_of(model),
        in_chans=_first(source.get("in_chans"), in_chans),
        background=args.background or source.get("background", "white"),
        skip_bad=args.skip_bad or source.get("skip_bad", False),
        config=_first(source.get("config"), config),
        cache=args.cache or not args.no_cache,
        **split,
    )
    if data.skipped:
        logger.warning(f"{len(data.skipped):,} images cannot be read and are skipped, the first: {data.skipped[0]}")
    for text in data.notes:
        logger.warning(text)
    return data


def _first(*values: T | None) -> T | None:
    """The first value that is not None."""
    return next((value for value in values if value is not None), None)


def _elsewhere(name: str, source: dict[str, Any]) -> bool:
    """Whether --data names other data than the class folders that a run has split."""
    return "test_size" not in source or Path(name).resolve() != Path(source["name"]).resolve()


def split_file(run: str | Path | None) -> Path | None:
    """The split.json of a run, of which a directory or a checkpoint is given."""
    from tinynets.engine.record import SPLIT

    folder = Path() if run is None else Path(run) if Path(run).is_dir() else Path(run).parent
    return folder / SPLIT if run is not None and (folder / SPLIT).is_file() else None


def size_of(model: str | None) -> tuple[int, int] | None:
    """The (H, W) that a model expects."""
    import timm

    cfg = timm.models.get_pretrained_cfg(model) if model and timm.models.is_model(model) else None
    return None if cfg is None else (cfg.input_size[1], cfg.input_size[2])


def warn_of_polarity(wrong: int, total: int, metadata: Any, inverted: bool) -> None:
    """Print a line if most images have another background than the model's training images."""
    if 2 * wrong > total:
        found, expected = ("light", "dark") if metadata.mean[0] < 0.5 else ("dark", "light")
        logger.warning(
            f"{wrong:,} of {total:,} images have a {found} background, the model was trained on a {expected} one: "
            + ("omit --invert" if inverted else "swap light and dark with --invert")
        )
