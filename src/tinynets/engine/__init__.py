"""What trains and evaluates the models: recipes, data, augmentation, the loop, and what a run leaves behind."""

from .augment import Augmenter, Draws, Mixer
from .data import ImageData, list_data, load_data, read_image
from .evaluate import TTA, calibration_bins, confusion_matrix, evaluate, figures, predict, shift_consistency
from .loop import train
from .recipes import (
    Augment,
    Distill,
    Mixing,
    Optimizer,
    Recipe,
    Recursion,
    Resize,
    Schedule,
    get_recipe,
    list_recipes,
    override,
    parse_settings,
    read_recipe,
    recipe_from_dict,
    with_epochs,
)
from .record import Checkpoint, RunDir, load_checkpoint, read_metrics, save_checkpoint
from .trained import Trained, load_trained, match_data

__all__ = [
    "Augment",
    "Augmenter",
    "Checkpoint",
    "Distill",
    "Draws",
    "ImageData",
    "Mixer",
    "Mixing",
    "Optimizer",
    "Recipe",
    "Recursion",
    "Resize",
    "RunDir",
    "Schedule",
    "TTA",
    "Trained",
    "calibration_bins",
    "confusion_matrix",
    "evaluate",
    "figures",
    "get_recipe",
    "list_data",
    "list_recipes",
    "load_checkpoint",
    "load_data",
    "load_trained",
    "match_data",
    "override",
    "parse_settings",
    "predict",
    "read_image",
    "read_metrics",
    "read_recipe",
    "recipe_from_dict",
    "save_checkpoint",
    "shift_consistency",
    "train",
    "with_epochs",
]
