"""Fine-tune pretrained weights on a folder of images: `tinynets train MODEL --pretrained --data FOLDER` from Python.

python examples/finetune_imagefolder.py path/to/folder    # holds train/CLASS/*.png and val/CLASS/*.png
"""

import argparse
from pathlib import Path

from tinynets.engine import get_recipe, load_data, load_trained, override, train, with_epochs

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=Path)
parser.add_argument("--model", default="optimized200k_cifar10", help="a model with weights by name, or a checkpoint")
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--freeze", action="store_true", help="train the classifier alone")
parser.add_argument("--out", default="runs/finetuned")
args = parser.parse_args()

start = load_trained(args.model)
data = load_data(args.folder, img_size=start.metadata.img_size)
recipe = with_epochs(get_recipe(start.metadata.model, "finetune"), args.epochs)
recipe = override(recipe, {"freeze": "backbone" if args.freeze else "none"})
summary = train(start.metadata.model, data, recipe, args.out, init=args.model)
print(f"{data.name}: {summary['last']['test_top1']:.1f} % right after {args.epochs} epochs; run directory: {args.out}")
