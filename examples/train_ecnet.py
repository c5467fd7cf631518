"""Train a weight-tied ECNet of another size on CIFAR-10. Wants a GPU.

python examples/train_ecnet.py --channels 96 --iterations 8
"""

import argparse

import torch

from tinynets.engine import get_recipe, load_data, train, with_epochs

parser = argparse.ArgumentParser()
parser.add_argument("--data", default="cifar10", help="cifar10, or a folder or .npz of your own")
parser.add_argument("--epochs", type=int, default=200)
parser.add_argument("--channels", type=int, default=96)
parser.add_argument("--iterations", type=int, default=8)
parser.add_argument("--out", default="runs/ecnet")
args = parser.parse_args()

recipe = with_epochs(get_recipe("ecnet_cifar10"), args.epochs)
size = {"channels": args.channels, "iterations": args.iterations}
device = "cuda" if torch.cuda.is_available() else "cpu"
summary = train("ecnet_cifar10", load_data(args.data), recipe, args.out, device, model_args=size)
print(f"{summary['params']:,} parameters, test accuracy {summary['last']['test_top1']:.2f} %")
