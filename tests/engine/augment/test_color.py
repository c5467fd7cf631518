import colorsys

import torch

from tinynets.engine.augment import BatchRNG
from tinynets.engine.augment.color import hsv_to_rgb, random_hsv, random_light, rgb_to_hsv


def numbers(count, n, seed):
    return (torch.rand(count, n, generator=torch.Generator().manual_seed(seed)) * 2 - 1).T.tolist()


def test_light_image_by_image():
    x = torch.rand(6, 3, 4, 5)
    out = random_light(x, 0.4, 0.3, BatchRNG(torch.Generator().manual_seed(2), 6))
    for image, result, (c, b) in zip(x, out, numbers(2, 6, 2), strict=True):
        torch.testing.assert_close(result, (image * (1 + 0.4 * c) + 0.3 * b).clamp(0, 1))


def test_hsv_pixel_by_pixel():
    x = torch.rand(5, 3, 3, 4)
    x[0, :, 0] = 0.5  # gray
    x[0, :, 1] = 0.0  # black
    out = random_hsv(x, 60, 0.5, 0.5, BatchRNG(torch.Generator().manual_seed(4), 5))
    for image, result, (hue, saturation, value) in zip(x, out, numbers(3, 5, 4), strict=True):
        for row in range(3):
            for column in range(4):
                h, s, v = colorsys.rgb_to_hsv(*image[:, row, column].tolist())
                h = (h + hue * 60 / 360) % 1
                s, v = (min(1, max(0, channel)) for channel in (s + 0.5 * saturation, v + 0.5 * value))
                expected = torch.tensor(colorsys.hsv_to_rgb(h, s, v), dtype=torch.float32)
                torch.testing.assert_close(result[:, row, column], expected, rtol=0, atol=1e-5)


def test_hsv_there_and_back():
    x = torch.rand(4, 3, 8, 8)
    torch.testing.assert_close(hsv_to_rgb(*rgb_to_hsv(x)), x, rtol=0, atol=1e-5)


def test_only_the_value_of_gray_images_changes():
    x = torch.rand(3, 1, 2, 2)
    out = random_hsv(x, 50, 0.5, 0.2, BatchRNG(torch.Generator().manual_seed(4), 3))
    for image, result, (_, _, value) in zip(x, out, numbers(3, 3, 4), strict=True):
        torch.testing.assert_close(result, (image + 0.2 * value).clamp(0, 1))


def test_a_fraction_of_the_images_is_unchanged():
    x = torch.rand(400, 3, 2, 2)
    for change in (
        random_light(x, 0.2, 0.2, BatchRNG(None, 400), 0.25),
        random_hsv(x, 20, 0.1, 0.1, BatchRNG(None, 400), 0.25),
    ):
        changed = ((change - x).abs().amax((1, 2, 3)) > 1e-5).float().mean()
        assert 0.17 < changed < 0.33
