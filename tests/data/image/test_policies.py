"""RandAugment and TrivialAugment, each operation against torchvision's."""

from collections import Counter

import pytest
import torch
from torch import Generator, Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import InterpolationMode

from litmus.data.image import policies
from litmus.data.image.policies import MOST_MOVED, OPERATIONS, RAND_AUGMENT, TRIVIAL_AUGMENT, Policy

# torchvision's names, and how strongly it does each at most, of images of 20 x 32 pixels.
THEIRS = {
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "translate_x": "TranslateX",
    "translate_y": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "color": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "autocontrast": "AutoContrast",
    "equalize": "Equalize",
    "identity": "Identity",
}
SIZE = (20, 32)
GIVEN = {"rand": (RAND_AUGMENT, v2.RandAugment), "trivial": (TRIVIAL_AUGMENT, v2.TrivialAugmentWide)}


def drawn(number: int, channels: int = 3) -> Tensor:
    """Images with edges and slopes, integers in [0, 255]."""
    generator = Generator().manual_seed(0)
    images = torch.rand(number, channels, *SIZE, generator=generator) * 60 + torch.arange(32) * 4
    images[..., 5:12, 8:20] += 70
    return images.floor()


def test_the_operations_are_torchvision_s() -> None:
    assert OPERATIONS.keys() == THEIRS.keys()
    for _, kind in GIVEN.values():
        assert set(kind._AUGMENTATION_SPACE) == set(THEIRS.values())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("policy", GIVEN)
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_does_what_torchvision_s_does(name: str, policy: str, channels: int) -> None:
    own, kind = GIVEN[policy]
    theirs = kind(interpolation=InterpolationMode.BILINEAR)
    magnitudes_of, has_sign = theirs._AUGMENTATION_SPACE[THEIRS[name]]
    magnitudes = magnitudes_of(31, *SIZE)
    images = drawn(4, channels)
    for step in (0, 9, 17, 30):
        for sign in (1, -1) if has_sign else (1,):
            level = torch.full((4,), step / 30)
            got = OPERATIONS[name](images, own.strength(name, level, sign * level)[:, None, None, None])
            magnitude = 0.0 if magnitudes is None else float(magnitudes[step] if magnitudes.dim() else magnitudes)
            if "translate" in name and policy == "trivial":  # by at most 32 pixels, whatever the size
                magnitude = step / 30 * MOST_MOVED * SIZE[0 if name.endswith("y") else 1]
            given = images.to(torch.uint8) if name == "posterize" else images / 255
            done = theirs._apply_image_or_video_transform(
                given, THEIRS[name], sign * magnitude, InterpolationMode.BILINEAR, theirs._fill
            )
            expected = done.float() if name == "posterize" else done * 255
            assert (got - expected).abs().max() < 0.05, (step, sign)


@pytest.mark.parametrize("policy", [RAND_AUGMENT, TRIVIAL_AUGMENT])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_part_of_a_batch_is_that_part_of_the_whole(policy: Policy, channels: int) -> None:
    images = drawn(40, channels)
    whole = policy(images, Generator().manual_seed(3), 40, slice(None))
    for rows in (slice(0, 20), slice(20, 40), slice(7, 8)):
        generator = Generator().manual_seed(3)
        assert torch.allclose(policy(images[rows], generator, 40, rows), whole[rows], atol=1e-3)
        after = Generator().manual_seed(3)
        policy(images, after, 40, slice(None))
        assert torch.equal(generator.get_state(), after.get_state()), "the next batch is the same, too"
    assert whole.shape == images.shape
    assert whole.min() >= 0
    assert whole.max() <= 255 + 1e-3


def test_each_image_has_operations_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: Counter[str] = Counter()
    strengths: dict[str, set[float]] = {}

    def noting(name: str) -> policies.Operation:
        def note(images: Tensor, strength: Tensor) -> Tensor:
            seen[name] += len(images)
            strengths.setdefault(name, set()).update(round(each, 4) for each in strength.flatten().tolist())
            return images

        return note

    monkeypatch.setattr(policies, "OPERATIONS", {name: noting(name) for name in OPERATIONS})
    number = 14_000
    RAND_AUGMENT(torch.zeros(number, 3, 2, 2), Generator().manual_seed(0), number, slice(None))
    assert all(abs(seen[name] - 2000) < 200 for name in OPERATIONS if name != "identity"), "two of each image"
    assert len(strengths["rotate"]) == 2, "the same strength, to both sides"
    seen.clear()
    strengths.clear()
    TRIVIAL_AUGMENT(torch.zeros(number, 3, 2, 2), Generator().manual_seed(0), number, slice(None))
    assert all(abs(seen[name] - 1000) < 150 for name in OPERATIONS if name != "identity")
    assert len(strengths["rotate"]) == 61, "31 strengths, 30 of them to both sides"
    seen.clear()
    TRIVIAL_AUGMENT(torch.zeros(1300, 1, 2, 2), Generator().manual_seed(0), 1300, slice(None))
    assert "color" not in seen, "of a grayscale image"
