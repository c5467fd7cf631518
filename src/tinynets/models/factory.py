from typing import Any, TypeVar

import timm
from timm.models import build_model_with_cfg, generate_default_cfgs, get_pretrained_cfg
from torch import Tensor, nn

from tinynets._checks import unknown
from tinynets.weights import check_shapes, check_weights, find_weights, list_weights, load_into, read_state

ModelT = TypeVar("ModelT", bound=nn.Module)

_PRETRAINED_SOURCES = ("state_dict", "file", "url", "hf_hub_id")


def create_model(name: str, pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """Build one of our models: the same as `timm.create_model`, but it knows only ours and names the nearest.

    Args:
        name: one of `list_models()`, with or without the tag of its weights ("simplecnn_mnist.v3").
        pretrained: load the weights inside the package; needs no network.
        **kwargs: num_classes, in_chans, global_pool, drop_rate, features_only, out_indices, device, dtype, what
            timm.create_model takes besides, and the arguments of the model's class.

    Raises:
        ValueError: unknown name, an argument outside its range, pretrained where no weights are shipped, or a
            checkpoint_path that cannot be read or is of another architecture.
        TypeError: an argument the model does not have.
        RuntimeError: the weights file is missing or damaged.
    """
    if not isinstance(name, str) or name.split(".")[0] not in _NAMES:
        raise unknown("model", name, _NAMES)
    checkpoint_path = kwargs.pop("checkpoint_path", None)
    model = timm.create_model(name, pretrained=pretrained, **kwargs)
    if checkpoint_path:
        load_into(model, read_state(checkpoint_path), str(checkpoint_path))
    return model


def list_models(pretrained: bool = False) -> list[str]:
    """Names that `create_model` takes, sorted; with pretrained only those that ship weights."""
    return list_weights() if pretrained else sorted(_NAMES)


_NAMES: set[str] = set()


def pretrained_cfgs(name: str, **cfg: Any) -> dict:
    """timm's default_cfgs of one model: what its data look like and, once the manifest has them, its weights."""
    _NAMES.add(name)
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
    return generate_default_cfgs({f"{name}.{weights.tag}": {**cfg, "file": str(weights.path)}})


def build_model(cls: type[ModelT], name: str, pretrained: bool, feature_cfg: dict, **kwargs: Any) -> ModelT:
    """timm's build_model_with_cfg, after a look at the weights that are about to be loaded."""
    overlay = kwargs.get("pretrained_cfg_overlay") or {}
    shipped = not isinstance(kwargs.get("pretrained_cfg"), dict) and not any(map(overlay.get, _PRETRAINED_SOURCES))
    if pretrained and shipped:
        check_weights(name)
    cfg: Any = get_pretrained_cfg(name)
    ours_to_adapt = pretrained and cfg.input_size[0] != 3  # before 1.0.31 timm adapts from three channels only
    if ours_to_adapt:
        kwargs["pretrained_cfg_overlay"] = {**overlay, "first_conv": None}
    model: Any = build_model_with_cfg(
        cls, name, pretrained, feature_cfg=feature_cfg, pretrained_filter_fn=_fitting, **kwargs
    )
    if ours_to_adapt:
        model.pretrained_cfg["first_conv"] = cfg.first_conv
    return model


def _fitting(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Refuse in one line what load_state_dict would refuse in many; timm adapts classifiers and most first layers."""
    cfg: dict[str, Any] = model.pretrained_cfg  # pyright: ignore[reportAssignmentType]
    first_conv = cfg.get("first_conv")
    if first_conv is None:
        _adapt_first_conv(state, model)
    adaptable = tuple(filter(None, (first_conv, cfg["classifier"])))
    check_shapes(model, state, f"the pretrained {cfg['architecture']}", adaptable)
    return state


def _adapt_first_conv(state: dict[str, Tensor], model: nn.Module) -> None:
    """Spread the first convolution's kernels over the model's channels: equal channels give what one gave before."""
    name, conv = next((name, module) for name, module in model.named_modules() if isinstance(module, nn.Conv2d))
    weight = state[f"{name}.weight"]
    have, want = weight.shape[1], conv.in_channels
    if have != want:
        state[f"{name}.weight"] = weight.repeat(1, -(-want // have), 1, 1)[:, :want] * (have / want)
