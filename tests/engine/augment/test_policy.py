import pytest
import torch
from torchvision import transforms
from torchvision.transforms.v2 import functional as reference

from tinynets.engine.augment import BatchRNG, pixels, policy


def pictures(n=6, channels=3, size=(24, 32)):
    """Smooth random uint8 images, of all contrasts, one of them flat."""
    small = torch.rand(n, channels, 6, 6)
    x = torch.nn.functional.interpolate(small, size, mode="bicubic").clamp(0, 1)
    x = x * torch.linspace(0.3, 1, n).view(-1, 1, 1, 1)
    x[0] = 0.4
    return (x * 255).to(torch.uint8)


def strengths(*values):
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1)


def warp(angle=0.0, translate=(0, 0), shear=(0.0, 0.0), center=None):
    return lambda image: reference.affine(image, angle, list(translate), 1.0, list(shear), center=center)


def degrees(slope):
    return torch.rad2deg(torch.tensor(slope).atan()).item()


# Shears by these values leave no pixel halfway between two others, where rounding would decide.
CASES = {
    "shear_x": ((0.31, -0.23, 0.97), lambda m: warp(shear=(degrees(m), 0.0), center=[0, 0])),
    "shear_y": ((0.31, -0.23, 0.97), lambda m: warp(shear=(0.0, degrees(m)), center=[0, 0])),
    "translate_x": ((5, -9, 14), lambda m: warp(translate=(int(m), 0))),
    "translate_y": ((5, -9, 14), lambda m: warp(translate=(0, int(m)))),
    "rotate": ((20, -30, 135), lambda m: lambda image: reference.rotate(image, m)),
    "brightness": ((0.3, 1.9, 1.0), lambda m: lambda image: reference.adjust_brightness(image, m)),
    "saturation": ((0.3, 1.9, 0.1), lambda m: lambda image: reference.adjust_saturation(image, m)),
    "contrast": ((0.3, 1.9, 0.1), lambda m: lambda image: reference.adjust_contrast(image, m)),
    "sharpness": ((0.3, 1.9, 0.1), lambda m: lambda image: reference.adjust_sharpness(image, m)),
    "posterize": ((4, 6, 8), lambda m: lambda image: reference.posterize(image, int(m))),
    "solarize": ((100, 170, 255), lambda m: lambda image: reference.solarize(image, m)),
    "autocontrast": ((0, 0, 0), lambda m: reference.autocontrast),
    "equalize": ((0, 0, 0), lambda m: reference.equalize),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("operation", CASES)
def test_every_operation_is_torchvisions_image_by_image(operation, channels):
    values, build = CASES[operation]
    x = pictures(6, channels)
    operate = getattr(pixels, operation)
    out = operate(x) if operation in ("autocontrast", "equalize") else operate(x, strengths(*values, *values))
    assert out.dtype == torch.uint8
    for image, result, value in zip(x, out, values + values, strict=True):
        expected = build(value)(image)
        off = (expected.int() - result.int()).abs()
        # nearest-neighbor ties may fall to the other side, rounding may differ by a level
        assert (off > 1).float().mean() < 0.02, operation
        assert off.float().mean() < 1.0
        if operation in ("posterize", "solarize", "equalize"):
            assert off.max() == 0


def test_the_policy_table_is_the_papers():
    operations, probabilities, magnitudes, signed = policy._cifar10_tables(32)
    assert operations.shape == (25, 2)
    first = [policy._NAMES[i] for i in operations[0]]
    assert first == ["Invert", "Contrast"]
    assert probabilities[0].tolist() == pytest.approx([0.1, 0.2])
    assert magnitudes[0, 1].item() == pytest.approx(0.9 * 6 / 9)
    assert signed[0].tolist() == [False, True]
    assert [policy._NAMES[i] for i in operations[1]] == ["Rotate", "TranslateX"]
    assert magnitudes[1].tolist() == pytest.approx([30 * 2 / 9, 14.0])  # 150 / 331 of 32 pixels, whole ones


def test_every_row_of_the_policy_table_is_torchvisions():
    theirs = transforms.AutoAugment(transforms.AutoAugmentPolicy.CIFAR10)
    space = theirs._augmentation_space(10, (32, 32))
    for *ours, policies in zip(*policy._cifar10_tables(32), theirs.policies, strict=True):
        for operation, probability, magnitude, signed, (name, share, level) in zip(*ours, policies, strict=True):
            assert (policy._NAMES[operation], signed.item()) == (name, space[name][1])
            assert probability.item() == pytest.approx(share)
            if level is not None:
                expected = space[name][0][level].item()
                whole = name.startswith("Translate")
                assert magnitude.item() == pytest.approx(int(expected) if whole else expected)


def test_an_operation_happens_as_often_as_its_probability_says(monkeypatch):
    operations = torch.tensor([[policy._NAMES.index("Invert"), policy._NAMES.index("Brightness")]])
    table = operations, torch.tensor([[0.9, 0.0]]), torch.zeros(1, 2), torch.zeros(1, 2).bool()
    monkeypatch.setattr(policy, "_cifar10_tables", lambda side: table)
    out = policy.auto_augment(
        torch.zeros(1000, 1, 2, 2, dtype=torch.uint8), BatchRNG(torch.Generator().manual_seed(0), 1000)
    )
    assert (out == 255).float().mean().item() == pytest.approx(0.9, abs=0.04)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("name", "theirs"), [("auto_augment", transforms.AutoAugment), ("trivial_augment", transforms.TrivialAugmentWide)]
)
def test_as_strong_as_torchvisions(name, theirs, channels):
    """Over many images the change of brightness, of contrast and of pixels is distributed like torchvision's."""
    x = pictures(1, channels, (24, 24)).expand(800, -1, -1, -1).clone()
    x[:] = pictures(3, channels, (24, 24))[2]
    out = getattr(policy, name)(x, BatchRNG(torch.Generator().manual_seed(0), len(x)))
    kwargs = {"policy": transforms.AutoAugmentPolicy.CIFAR10} if name == "auto_augment" else {}
    transform = theirs(**kwargs)
    expected = torch.stack([transform(image) for image in x])
    for statistic in (
        lambda y: y.float().mean((1, 2, 3)),
        lambda y: y.float().std((1, 2, 3)),
        lambda y: (y.int() - x.int()).abs().float().mean((1, 2, 3)),
        lambda y: (y == x).flatten(1).all(1).float(),
    ):
        ours, reference_values = statistic(out), statistic(expected)
        error = (ours.var() / len(x) + reference_values.var() / len(x)).sqrt()
        assert (ours.mean() - reference_values.mean()).abs() < 4 * error + 0.05


def test_images_get_operations_of_their_own():
    x = pictures(1).expand(60, -1, -1, -1).clone()
    out = policy.trivial_augment(x, BatchRNG(torch.Generator().manual_seed(0), 60))
    assert len({image.numpy().tobytes() for image in out}) > 30
