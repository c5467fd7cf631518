"""Train C1C2C3C4O on CIFAR-10, some fields of its recipe replaced; an interrupted run goes on where it stopped.

python examples/train_c1c2c3c4o.py --epochs 16
"""

import argparse

from tinynets.engine import get_recipe, load_data, override, train, with_epochs

parser = argparse.ArgumentParser()
parser.add_argument("--data", default="cifar10", help="cifar10, or a folder or .npz of your own")
parser.add_argument("--epochs", type=int, default=30)
parser.add_argument("--out", default="runs/c1c2c3c4o")
args = parser.parse_args()

recipe = with_epochs(get_recipe("c1c2c3c4o_cifar10"), args.epochs)
recipe = override(recipe, {"augment.cutout": 8, "ema_decay": 0.99, "label_smoothing": 0.05})
summary = train("c1c2c3c4o_cifar10", load_data(args.data), recipe, args.out, resume=True)
print(f"validation {summary['last']['val_top1']:.2f} %, test {summary['last']['test_top1']:.2f} %")
