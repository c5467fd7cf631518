"""Use the installed package as its users would, outside the repository."""

from importlib.resources import files

import timm
import torch

import tinynets

assert "site-packages" in tinynets.__file__, tinynets.__file__
assert (files("tinynets") / "py.typed").is_file()

for name in tinynets.list_models():
    model = tinynets.create_model(name).eval()
    images = torch.randn(2, *model.pretrained_cfg["input_size"])
    assert model(images).shape == (2, model.num_classes)
    assert type(timm.create_model(name)) is type(model)
    print(f"{name}: {tinynets.count_parameters(model):,} parameters")

pretrained = tinynets.list_models(pretrained=True)
assert pretrained, "the wheel ships no weights"
for name in pretrained:
    model = tinynets.create_model(name, pretrained=True).eval()
    state = timm.create_model(name, pretrained=True).state_dict()
    assert all(torch.equal(tensor, state[key]) for key, tensor in model.state_dict().items())
    print(f"{name}: pretrained weights load")
