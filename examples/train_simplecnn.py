"""Train SimpleCNN on MNIST with its own recipe, then load the checkpoint and look at one prediction.

python examples/train_simplecnn.py --epochs 5
"""

import argparse

from tinynets.engine import Normalize, get_recipe, load_checkpoint, load_data, predict, train, with_epochs

parser = argparse.ArgumentParser()
parser.add_argument("--data", default="mnist", help="mnist, or a folder or .npz of your own")
parser.add_argument("--epochs", type=int, default=60)
parser.add_argument("--out", default="runs/simplecnn")
args = parser.parse_args()

data = load_data(args.data)
summary = train("simplecnn_mnist", data, with_epochs(get_recipe("simplecnn_mnist"), args.epochs), args.out)
print(f"test accuracy {summary['last']['test_top1']:.2f} %")

model, metadata = load_checkpoint(f"{args.out}/last.safetensors")
logits = predict(model, data.test_images[:1], Normalize(metadata.mean, metadata.std))
print(f"the first test image is a {metadata.class_names[logits.argmax()]}")
