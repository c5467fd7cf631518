"""Fine-tune a pretrained model on a folder of images through timm, in plain PyTorch.

python examples/finetune_imagefolder.py path/to/folder    # holds train/CLASS/*.png and val/CLASS/*.png
"""

import argparse

import timm
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

import tinynets  # noqa: F401 - makes the names known to timm

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--epochs", type=int, default=5)
args = parser.parse_args()

cfg = timm.create_model("simplecnn_mnist").pretrained_cfg
channels, *size = cfg["input_size"]
transform = transforms.Compose(
    [
        transforms.Grayscale(channels),
        transforms.Resize(size),
        transforms.ToTensor(),
        transforms.Normalize(cfg["mean"], cfg["std"]),
    ]
)
train_set, val_set = (datasets.ImageFolder(f"{args.folder}/{part}", transform) for part in ("train", "val"))
model = timm.create_model("simplecnn_mnist", pretrained=True, num_classes=len(train_set.classes))
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)

for epoch in range(args.epochs):
    model.train()
    for images, labels in DataLoader(train_set, batch_size=32, shuffle=True):
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()
    model.eval()
    with torch.inference_mode():
        hits = sum((model(x).argmax(1) == y).sum().item() for x, y in DataLoader(val_set, batch_size=256))
    print(f"epoch {epoch + 1}: validation accuracy {100 * hits / len(val_set):.1f} %")
