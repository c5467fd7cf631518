import os
from typing import Any, TypeVar

import timm
from timm.models import build_model_with_cfg, generate_default_cfgs, get_pretrained_cfg, load_state_dict
from torch import Tensor, nn

from tinynets._checks import unknown
from tinynets.weights import check_shapes, check_weights, find_weights, list_weights, load_into

ModelT = TypeVar("ModelT", bound=nn.Module)

_PRETRAINED_SOURCES = ("state_dict", "file", "url", "hf_hub_id")


def create_model(name: str, pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """Create a tinynets model by name: `timm.create_model`, restricted to this package's models.

    Args:
        name: one of `list_models()`, with or without a tag. The tag is the training data set for families with weights
            for several ("mote_100k.cifar10") and the version of the weights otherwise ("simplecnn_mnist.v3").
        pretrained: load the weights shipped with the package. No network access is needed.
        **kwargs: num_classes, in_chans, global_pool, drop_rate, features_only, out_indices, device, dtype, the other
            arguments of timm.create_model, and the arguments of the model's class.

    Returns:
        The model, in training mode.

    Raises:
        ValueError: the name is unknown (the message suggests the closest ones), an argument is out of range, pretrained
            is true for a model without weights, or checkpoint_path is of another architecture.
        TypeError: the model does not accept an argument.
        RuntimeError: the weights file is missing or damaged.

    Examples:
        >>> import torch, tinynets
        >>> model = tinynets.create_model("simplecnn_mnist", pretrained=True).eval()
        >>> model(torch.zeros(1, 1, 28, 28)).shape
        torch.Size([1, 10])
    """
    if not isinstance(name, str) or name.split(".")[0] not in _NAMES:
        if isinstance(name, str) and os.path.exists(name):
            raise ValueError(
                f"unknown model {name!r}: it is a path; load a run or a checkpoint with tinynets.engine.load_trained"
            )
        raise unknown("model", name, _NAMES)
    checkpoint_path = kwargs.pop("checkpoint_path", None)
    model = timm.create_model(name, pretrained=pretrained, **kwargs)
    if checkpoint_path:  # timm 1.0.21 would execute code in the file
        load_into(model, load_state_dict(str(checkpoint_path), weights_only=True), str(checkpoint_path))
    return model


def list_models(pretrained: bool = False) -> list[str]:
    """List the names of all models, sorted.

    Args:
        pretrained: list only models with weights in the package.

    Returns:
        The names.

    Examples:
        >>> import tinynets
        >>> tinynets.list_models()[:3]
        ['c1c2c3c4o_cifar10', 'ecnet_cifar10', 'egrr_cifar100']
    """
    return list_weights() if pretrained else sorted(_NAMES)


def full_name(name: str) -> str:
    """Return the name that identifies a model's weights, recipe and model card.

    Args:
        name: name of a model, with or without a tag.

    Returns:
        Architecture and data set; for models outside this package the name without its tag.

    Examples:
        >>> from tinynets.models import full_name
        >>> full_name("mote_100k"), full_name("simplecnn_mnist.v3")
        ('mote_100k.cifar10', 'simplecnn_mnist')
    """
    arch = name.split(".")[0]
    return _NAMES.get(arch, arch)


_NAMES: dict[str, str] = {}  # full names by architecture


def pretrained_cfgs(name: str, **cfg: Any) -> dict:
    """Build timm's default_cfgs of one model: its input and, if listed in the manifest, its weights file.

    If name contains the data set ("simplecnn_mnist"), timm's tag is the version of the weights; otherwise the data set
    is the tag ("mote_100k.cifar10").
    """
    arch, _, tag = name.partition(".")
    _NAMES[arch] = name
    cfg = {
        "num_classes": 10,
        "crop_pct": 1.0,
        "interpolation": "bilinear",
        "license": "mit",
        "classifier": "head.fc",
        **cfg,
    }
    weights = find_weights(name)
    if weights is None:
        return generate_default_cfgs({name: cfg})
    tagged = name if tag else f"{name}.{weights.tag}"
    return generate_default_cfgs({tagged: {**cfg, "file": str(weights.path)}})


def build_model(cls: type[ModelT], name: str, pretrained: bool, feature_cfg: dict, **kwargs: Any) -> ModelT:
    """Call timm's build_model_with_cfg, verifying the weights file before it is loaded."""
    overlay = kwargs.get("pretrained_cfg_overlay") or {}
    shipped = not isinstance(kwargs.get("pretrained_cfg"), dict) and not any(map(overlay.get, _PRETRAINED_SOURCES))
    if pretrained and shipped:
        check_weights(full_name(name))
    cfg: Any = get_pretrained_cfg(name)
    ours_to_adapt = pretrained and cfg.input_size[0] != 3  # timm before 1.0.31 adapts only from three channels
    if ours_to_adapt:
        kwargs["pretrained_cfg_overlay"] = {**overlay, "first_conv": None}
    model: Any = build_model_with_cfg(
        cls, name, pretrained, feature_cfg=feature_cfg, pretrained_filter_fn=_checkpoint_filter_fn, **kwargs
    )
    if ours_to_adapt:
        model.pretrained_cfg["first_conv"] = cfg.first_conv
    return model


def _checkpoint_filter_fn(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Reject weights of other shapes with a one-line error, where load_state_dict would print many lines.

    The classifier and most first layers are exempt, since timm adapts them.
    """
    cfg: dict[str, Any] = model.pretrained_cfg  # pyright: ignore[reportAssignmentType]
    first_conv = cfg.get("first_conv")
    if first_conv is None:
        _adapt_first_conv(state, model)
    adaptable = tuple(filter(None, (first_conv, cfg["classifier"])))
    check_shapes(model, state, f"the pretrained {cfg['architecture']}", adaptable)
    return state


def _adapt_first_conv(state: dict[str, Tensor], model: nn.Module) -> None:
    """Tile and rescale the first convolution's kernels to the model's in_chans; equal channels give the same output."""
    name, conv = next((name, module) for name, module in model.named_modules() if isinstance(module, nn.Conv2d))
    weight = state[f"{name}.weight"]
    old_chans, in_chans = weight.shape[1], conv.in_channels
    if old_chans != in_chans:
        state[f"{name}.weight"] = weight.repeat(1, -(-in_chans // old_chans), 1, 1)[:, :in_chans] * (
            old_chans / in_chans
        )
