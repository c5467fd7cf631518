"""`tinynets info MODEL`: layers, parameters, multiply-adds, receptive field."""

import argparse
from typing import TYPE_CHECKING, Any

from .options import common_options, model_args, model_options, report

if TYPE_CHECKING:
    from tinynets.weights import Weights


def add_command(commands: Any) -> None:
    command = commands.add_parser(
        "info",
        parents=[common_options(), model_options()],
        help="a model's layers, parameters, multiply-adds and receptive field",
    )
    command.add_argument("model", metavar="MODEL_OR_CHECKPOINT", help="any timm model, or a run or its .safetensors")
    command.add_argument("--input-size", type=_input_size, metavar="CxHxW", help="default: the model's own")
    command.add_argument(
        "--firmware", action="store_true", help="also print the flash and RAM of the net as int8 C (export --to c)"
    )
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from dataclasses import asdict

    import tinynets
    from tinynets.engine import load_trained
    from tinynets.engine.any_model import create_any_model, is_known, is_ours
    from tinynets.engine.trained import checkpoint_path
    from tinynets.models import full_name
    from tinynets.weights import find_weights

    file = None if is_known(args.model) else checkpoint_path(args.model)
    trained = load_trained(file, **model_args(args)) if file else None
    model: Any = trained.model if trained else create_any_model(args.model, **model_args(args))
    table = tinynets.summary(model, args.input_size)
    field = _receptive_field(model)
    weights = find_weights(full_name(args.model))
    metadata = {
        "model": args.model,
        **table.to_dict(),
        "receptive_field": field.to_dict() if field else None,
        "weights": weights.metadata if weights else None,
        "checkpoint": asdict(trained.metadata) if trained else None,
    }
    if args.firmware:
        from tinynets.deploy.firmware.estimate import estimate

        metadata["firmware"] = asdict(estimate(model, table.input_size))
    field_text = f"{field}\n\nreceptive field: {field.size:g} pixels\n" if field else ""
    weights_text = _shipped(weights) if is_ours(args.model) else ""
    firmware_text = f"\n{_firmware_text(metadata['firmware'])}" if args.firmware else ""
    report(args, metadata, lambda: f"{table}\n\n{field_text}{weights_text}".rstrip() + firmware_text)


def _firmware_text(needs: dict[str, int]) -> str:
    flash, ram = needs["flash"] / 1000, needs["ram"] / 1000
    return f"as int8 C: {flash:,.1f} kB of flash, {ram:,.1f} kB of RAM (export --to c; code as on a Cortex-M4)"


def _receptive_field(model: Any) -> Any:
    """The receptive field; None if torch.fx cannot trace the model, or if it sees the whole image at once."""
    import tinynets

    try:
        return tinynets.receptive_field(model)
    except Exception:  # the model's code may raise anything when torch.fx traces it
        return None


def _shipped(weights: "Weights | None") -> str:
    if weights is None:
        return "weights: none yet"
    return (
        f"weights: {weights.tag}, {weights.metadata['top1']:.2f} % top-1 on the test set of {weights.metadata['data']}"
    )


def _input_size(text: str) -> tuple[int, ...]:
    try:
        channels, height, width = map(int, text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be CxHxW, such as 3x32x32, got {text!r}") from None
    return channels, height, width
