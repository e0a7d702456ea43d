import pytest
import torch

from litmus.model.cnn import CNN
from litmus.spec import Spec


def cnn(spec: Spec, **changes: object) -> CNN:
    settings = {"widths": [32, 64], "kernel_size": 3, "convolutions": 1, "dense": 64, "activation": "relu"}
    return CNN(
        spec, **{**settings, "init": "he", "residual": False, "dropout": 0.0, "batchnorm": False, "l2": 0.0, **changes}
    )


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 9 * 32 + 32 + 9 * 32 * 64 + 64 + 7 * 7 * 64 * 64 + 64 + 64 * 10 + 10),
        (
            {"batchnorm": True},
            9 * 32 + 32 + 9 * 32 * 64 + 64 + 7 * 7 * 64 * 64 + 64 + 64 * 10 + 10 + 2 * (32 + 64 + 64),
        ),
        # 28 -> 14 -> 7 -> 3, and no further.
        (
            {"widths": [4, 4, 4, 4, 4]},
            9 * 4 + 4 + 4 * (9 * 16 + 4) + 3 * 3 * 4 * 64 + 64 + 64 * 10 + 10,
        ),
        ({"widths": [4], "residual": True}, 9 * 4 + 4 + 4 + 14 * 14 * 4 * 64 + 64 + 64 * 10 + 10),
        ({"widths": [4], "convolutions": 2}, 9 * 4 + 4 + 9 * 16 + 4 + 14 * 14 * 4 * 64 + 64 + 64 * 10 + 10),
    ],
)
def test_parameters(digits: Spec, changes: dict, count: int) -> None:
    assert sum(p.numel() for p in cnn(digits, **changes).parameters()) == count


def test_moving_the_digit_by_a_pooling_step_moves_the_features() -> None:
    convolution = torch.nn.Conv2d(1, 3, 3, padding="same")
    image = torch.zeros(1, 1, 12, 12)
    image[..., 4:6, 4:6] = 1
    moved = image.roll((2, 2), dims=(2, 3))
    pooled = [torch.max_pool2d(convolution(x), 2) for x in (image, moved)]
    assert torch.allclose(pooled[0].roll((1, 1), dims=(2, 3))[..., 2:-2, 2:-2], pooled[1][..., 2:-2, 2:-2], atol=1e-6)


def test_layout_does_not_change_the_answer(digits: Spec, images: torch.Tensor) -> None:
    net = cnn(digits)
    with torch.no_grad():
        channels_last = net(images)
        assert torch.allclose(net.to(memory_format=torch.contiguous_format)(images), channels_last, atol=1e-5)


def test_dropout_drops_whole_channels(digits: Spec, images: torch.Tensor) -> None:
    net = cnn(digits, dropout=0.5)
    drop = next(m for m in net.features if isinstance(m, torch.nn.Dropout2d))
    dropped = drop(torch.ones(2, 32, 4, 4)).flatten(2)
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert (dropped.std(dim=2) == 0).all()
