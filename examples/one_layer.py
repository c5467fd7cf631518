"""Put one tinynets layer into somebody else's network: a timm ResNet whose strides blur first, trained by our engine.

python examples/one_layer.py --epochs 10
"""

import argparse
from typing import Any

import timm
from timm.models import register_model

from tinynets.engine import Recipe, load_data, train, with_epochs
from tinynets.layers import BlurPool


@register_model
def resnet10_blur(pretrained: bool = False, **kwargs: Any):
    return timm.create_model("resnet10t", pretrained=pretrained, aa_layer=BlurPool, **kwargs)


parser = argparse.ArgumentParser()
parser.add_argument("--data", default="cifar10", help="cifar10, or a folder or .npz of your own")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--out", default="runs/resnet10_blur")
args = parser.parse_args()

model = timm.create_model("resnet10_blur")
print(f"{sum(isinstance(module, BlurPool) for module in model.modules())} strided convolutions blur first")
summary = train("resnet10_blur", load_data(args.data), with_epochs(Recipe(), args.epochs), args.out)
print(f"test accuracy {summary['last']['test_top1']:.2f} %")
