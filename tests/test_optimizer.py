import pytest
import torch

from litmus import optimizer
from litmus.errors import UserError

SETTINGS = {
    "sgd": {"lr": 0.1, "momentum": 0.0, "nesterov": True},
    "adam": {"lr": 0.1, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
    "adamw": {"lr": 0.1, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
    "rmsprop": {"lr": 0.1, "alpha": 0.99, "momentum": 0.0, "eps": 1e-8},
}


def stepped(name: str, gradient: float, decay: float = 0.0, start: float = 1.0) -> float:
    w = torch.nn.Parameter(torch.tensor([start]))
    w.grad = torch.tensor([gradient])
    getattr(optimizer, name)([{"params": [w], "weight_decay": decay}], True, **SETTINGS[name]).step()
    return w.item()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sgd", 1 - 0.1 * 0.5),
        ("adam", 1 - 0.1),  # the first step is lr * g / |g|
        ("adamw", 1 - 0.1),
        ("rmsprop", 1 - 0.1 * 0.5 / (0.01 * 0.25) ** 0.5),
    ],
)
def test_first_step_by_hand(name: str, expected: float) -> None:
    assert stepped(name, 0.5) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", ["sgd", "adam", "rmsprop"])
def test_weight_decay_2_l2_is_l2_in_the_loss(name: str) -> None:
    l2 = 0.3
    assert stepped(name, 0.5, decay=2 * l2, start=2.0) == pytest.approx(stepped(name, 0.5 + 2 * l2 * 2.0, start=2.0))


def test_adamw_shrinks_apart_from_the_gradient() -> None:
    assert stepped("adamw", 0.5, decay=0.6, start=2.0) == pytest.approx(2.0 * (1 - 0.1 * 0.6) - 0.1, abs=1e-5)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(UserError, match="lr is a number above 0"):
        optimizer.sgd([{"params": [torch.nn.Parameter(torch.zeros(1))]}], True, lr=-1, momentum=0.0, nesterov=False)
