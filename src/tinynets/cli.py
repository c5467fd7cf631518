"""The command line: `tinynets list | info | train | evaluate`, the same as `python -m tinynets`."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import tinynets
from tinynets._checks import unknown
from tinynets.weights import find_weights


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; whatever goes wrong ends in one line on stderr and exit code 1 (2 for a wrong call)."""
    args = _parser().parse_args(argv)
    try:
        args.command(args)
    except KeyboardInterrupt:
        if args.debug:
            raise
        _fail("interrupted", 130)
    except BrokenPipeError:
        raise SystemExit(1) from None
    except Exception as error:
        if args.debug:
            raise
        expected = isinstance(error, OSError | ValueError | TypeError | RuntimeError | FloatingPointError)
        text = " ".join(str(error).split()) or "no message"
        _fail(text if expected else f"{type(error).__name__}: {text} (--debug shows where)", 1)


def _fail(message: str, code: int) -> NoReturn:
    print(f"tinynets: error: {message}", file=sys.stderr)
    raise SystemExit(code)


def _list(args: argparse.Namespace) -> None:
    from tinynets.analysis import count_parameters
    from tinynets.analysis.table import text_table

    models = []
    for name in tinynets.list_models():
        model = tinynets.create_model(name, device="meta")
        weights = find_weights(name)
        models.append({
            "model": name,
            "params": count_parameters(model),
            "input_size": list(model.pretrained_cfg["input_size"]),
            "num_classes": model.num_classes,
            "pretrained": None if weights is None else weights.tag,
            "top1": None if weights is None else weights.facts["top1"],
        })
    _report(args, {"models": models, "layers": tinynets.list_layers()}, lambda: "\n".join([
        text_table(
            ("model", "params", "input", "classes", "weights", "test top-1"),
            [
                (
                    m["model"],
                    m["params"],
                    "x".join(map(str, m["input_size"])),
                    m["num_classes"],
                    m["pretrained"] or "-",
                    "-" if m["top1"] is None else f"{m['top1']:.2f} %",
                )
                for m in models
            ],
        ),
        "",
        f"layers: {', '.join(tinynets.list_layers())}",
    ]))


def _info(args: argparse.Namespace) -> None:
    model = tinynets.create_model(args.model, **_model_args(args))
    size = args.input_size or model.pretrained_cfg["input_size"]
    table, field = tinynets.summary(model, size), tinynets.receptive_field(model)
    weights = find_weights(args.model.split(".")[0])
    facts = None if weights is None else weights.facts
    shipped = "no pretrained weights yet" if facts is None else (
        f"pretrained weights {weights.tag}: {facts['top1']:.2f} % top-1 on the {facts['data']} test set"
    )
    _report(
        args,
        {"model": args.model, **table.to_dict(), "receptive_field": field.to_dict(), "pretrained": facts},
        lambda: f"{table}\n\n{field}\n\nreceptive field: {field.size:g} pixels\n{shipped}",
    )


def _train(args: argparse.Namespace) -> None:
    from tinynets.engine import get_recipe, load_data, train

    data_name = args.data or args.model.rsplit("_", 1)[-1]
    recipe = get_recipe(args.model, args.recipe or ("digits" if data_name == "digits" else "default"))
    recipe = _override(recipe, args)
    data = load_data(data_name, args.data_dir)
    summary = train(args.model, data, recipe, args.out or f"runs/{args.model}", args.device, _model_args(args))

    def text() -> str:
        lines = [f"{'':5}  epoch  validation    test"]
        for which in ("last", "best"):
            row = summary[which]
            val = f"{row['val_top1']:8.2f} %" if "val_top1" in row else f"{'-':>10}"
            lines.append(f"{which:5}  {row['epoch']:5}  {val}  {row['test_top1']:6.2f} %")
        return "\n".join([*lines, f"{summary['train_seconds']:.0f} s; the run is in {args.out or f'runs/{args.model}'}"])

    _report(args, summary, text)


def _override(recipe: Any, args: argparse.Namespace) -> Any:
    """The recipe with what the command line says put in its place."""
    schedule = recipe.schedule
    if args.epochs is not None:
        warmup = min(schedule.warmup_epochs, args.epochs / 10)
        schedule = dataclasses.replace(schedule, epochs=args.epochs, warmup_epochs=warmup)
    optimizer = recipe.optimizer if args.lr is None else dataclasses.replace(recipe.optimizer, lr=args.lr)
    given = {name: getattr(args, name) for name in ("batch_size", "seed", "val_size")}
    changed = {name: value for name, value in given.items() if value is not None}
    return dataclasses.replace(recipe, schedule=schedule, optimizer=optimizer, **changed)


def _evaluate(args: argparse.Namespace) -> None:
    from pathlib import Path

    from tinynets.engine import Augment, Augmenter, evaluate, load_checkpoint, load_data

    known = args.model.split(".")[0] in tinynets.list_models()
    if known:
        model = tinynets.create_model(args.model, pretrained=True, **_model_args(args)).eval()
        mean, std = model.pretrained_cfg["mean"], model.pretrained_cfg["std"]
        default_data = args.model.split(".")[0].rsplit("_", 1)[-1]
    elif Path(args.model).suffix or Path(args.model).exists():
        model, checkpoint = load_checkpoint(args.model)
        mean, std, default_data = checkpoint.mean, checkpoint.std, checkpoint.data
    else:
        raise unknown("model or checkpoint", args.model, tinynets.list_models())
    data = load_data(args.data or default_data, args.data_dir)
    if (model.num_classes, model.in_chans) != (data.num_classes, data.in_chans):
        raise ValueError(
            f"{args.model} takes {model.in_chans}-channel images of {model.num_classes} classes, {data.name} has "
            f"{data.in_chans} channels and {data.num_classes} classes: name the data it was trained on with --data"
        )
    normalise = Augmenter(Augment(), tuple(mean), tuple(std))
    result = evaluate(model.to(args.device), *data.split(args.split), normalise, args.batch_size)
    result = {"model": args.model, "data": data.name, "split": args.split, **result}
    _report(args, result, lambda: (
        f"{result['model']} on {data.name} {args.split} ({result['images']:,} images): top-1 {result['top1']:.2f} %, "
        f"top-5 {result['top5']:.2f} %, loss {result['loss']:.4f}, {result['images_per_second']:,.0f} images/s"
    ))


def _report(args: argparse.Namespace, facts: dict[str, Any], text: Any) -> None:
    print(json.dumps(facts) if args.json else text())


def _model_args(args: argparse.Namespace) -> dict[str, Any]:
    given = {name: getattr(args, name, None) for name in ("width", "channels", "iterations", "expansion")}
    return {name: value for name, value in given.items() if value is not None}


def _size(text: str) -> tuple[int, ...]:
    size = tuple(int(side) for side in text.lower().split("x"))
    if len(size) != 3:
        raise ValueError
    return size


_size.__name__ = "size (CxHxW, such as 3x32x32)"


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")

    shape = argparse.ArgumentParser(add_help=False)
    shape.add_argument("--width", type=float, help="factor on the channels of every layer")
    shape.add_argument("--channels", type=int, help="channels of ECNet")
    shape.add_argument("--iterations", type=int, help="iterations of ECNet's tied block")
    shape.add_argument("--expansion", type=int, help="expansion of ECNet's tied block")

    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", help="cifar10, cifar100, mnist or digits (default: what the model is named after)")
    data.add_argument("--data-dir", help="folder with the data set, downloaded into it if need be (default: data)")
    data.add_argument("--device", default="cpu", help="where to run: cpu, cuda, cuda:1, mps (default: cpu)")

    parser = argparse.ArgumentParser(prog="tinynets", description="Compact image classifiers: list, inspect, train, evaluate.")
    parser.add_argument("--version", action="version", version=f"tinynets {tinynets.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("list", parents=[common], help="the models and the layers")
    command.set_defaults(command=_list)

    command = commands.add_parser("info", parents=[common, shape], help="layers, parameters, multiply-adds, receptive field")
    command.add_argument("model", metavar="MODEL")
    command.add_argument("--input-size", type=_size, metavar="CxHxW", help="default: the model's own")
    command.set_defaults(command=_info)

    command = commands.add_parser("train", parents=[common, shape, data], help="train a model from scratch")
    command.add_argument("model", metavar="MODEL")
    command.add_argument("--recipe", help="default, digits, or seed for the founding document's (default: by the data)")
    command.add_argument("--epochs", type=int)
    command.add_argument("--batch-size", type=int)
    command.add_argument("--lr", type=float)
    command.add_argument("--val-size", type=float, help="fraction of the training set held out, 0 for none")
    command.add_argument("--seed", type=int)
    command.add_argument("--out", metavar="DIR", help="run directory (default: runs/MODEL)")
    command.set_defaults(command=_train)

    command = commands.add_parser("evaluate", parents=[common, shape, data], help="accuracy, loss and speed")
    command.add_argument("model", metavar="MODEL_OR_CHECKPOINT", help="a model with pretrained weights, or a .safetensors of a run")
    command.add_argument("--split", default="test", help="test or train (default: test)")
    command.add_argument("--batch-size", type=int, default=500)
    command.set_defaults(command=_evaluate)
    return parser
