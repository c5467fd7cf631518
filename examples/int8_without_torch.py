"""Run a shipped int8 net with LiteRT alone: pip install --no-deps tinynets; pip install ai-edge-litert pillow

python examples/int8_without_torch.py photo.jpg
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

spec = importlib.util.find_spec("tinynets")  # finds the package without importing it, and PyTorch with it
folder = Path(spec.submodule_search_locations[0]) / "weights/artifacts"
metadata = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["c1c2c3c4o_cifar10"]
net = Interpreter(str(folder / metadata["files"]["tflite-int8"]["file"]))
net.allocate_tensors()
photo = ImageOps.exif_transpose(Image.open(sys.argv[1])).convert("RGB")
short = min(photo.size)
photo = photo.resize([32 * side // short for side in photo.size], Image.Resampling.BILINEAR)
left, top = (round((side - 32) / 2) for side in photo.size)
pixels = np.asarray(photo.crop((left, top, left + 32, top + 32)), np.int16)
net.set_tensor(net.get_input_details()[0]["index"], (pixels - 128).astype(np.int8)[None])
net.invoke()
logits = net.get_tensor(net.get_output_details()[0]["index"])[0]
print(metadata["class_names"][logits.argmax()])
assert "torch" not in sys.modules
