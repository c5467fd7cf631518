"""Train Optimized200K on CIFAR-10 with mixup, CutMix and RICAP, then average ten views of every test image.

python examples/train_optimized200k.py --epochs 50
"""

import argparse

from tinynets.engine import (
    Mixing,
    Normalize,
    evaluate,
    get_recipe,
    load_checkpoint,
    load_data,
    override,
    train,
    with_epochs,
)

parser = argparse.ArgumentParser()
parser.add_argument("--data", default="cifar10", help="cifar10, or a folder or .npz of your own")
parser.add_argument("--epochs", type=int, default=50)
parser.add_argument("--out", default="runs/optimized200k")
args = parser.parse_args()

data = load_data(args.data)
recipe = with_epochs(get_recipe("optimized200k_cifar10", "original"), args.epochs)
recipe = override(recipe, {"mixing": vars(Mixing(mixup=0.3, cutmix=0.3, ricap=0.2, off_epoch=args.epochs * 0.9))})
train("optimized200k_cifar10", data, recipe, args.out)

model, metadata = load_checkpoint(f"{args.out}/last.safetensors")
normalize = Normalize(metadata.mean, metadata.std)
for tta in ("none", "flip+shift"):
    result = evaluate(model, *data.split("test"), normalize, tta=tta)
    print(f"test-time augmentation {tta}: {result['top1']:.2f} %")
