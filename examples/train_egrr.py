"""Train EGRR on CIFAR-100: depth warm-up, a teacher if there is one, gates for soft or for hard use. Wants a GPU.

python examples/train_egrr.py --teacher runs/teacher/last.safetensors
"""

import argparse

import torch

from tinynets.engine import get_recipe, load_data, override, train, with_epochs

parser = argparse.ArgumentParser()
parser.add_argument("--data", default="cifar100", help="cifar100, or a folder or .npz of your own")
parser.add_argument("--epochs", type=int, default=200)
parser.add_argument("--teacher", help="a checkpoint, or a timm model trained on these data")
parser.add_argument("--tau-end", type=float, default=1.0, help="0.1 trains a net whose gates may be made hard")
parser.add_argument("--out", default="runs/egrr")
args = parser.parse_args()

recipe = override(with_epochs(get_recipe("egrr_cifar100"), args.epochs), {"recursion.tau_end": args.tau_end})
if args.teacher:
    recipe = override(recipe, {"distill.teacher": args.teacher, "distill.kind": "logit_std"})
device = "cuda" if torch.cuda.is_available() else "cpu"
summary = train("egrr_cifar100", load_data(args.data), recipe, args.out, device, resume=True)
print(f"test accuracy {summary['last']['test_top1']:.2f} %")
