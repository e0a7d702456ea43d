"""Every optimizer: found by its YAML."""

import copy
import io
from collections.abc import Callable

import pytest
import torch
from helpers import DIGITS, composed
from torch import Tensor, nn

from litmus import optimizer
from litmus.config.conf import names
from litmus.config.instantiate import build
from litmus.config.types import Section
from litmus.errors import UserError

NAMES = names("optimizer")
EXACT = ("sgd", "adam", "rmsprop")  # whose weight decay is L2 in the loss
START, GRADIENT, LR = 2.0, 0.5, 0.1


def made(name: str, groups: optimizer.Groups, fused: bool = True, **settings: float) -> torch.optim.Optimizer:
    return build({**composed(f"optimizer={name}")["optimizer"], **settings}, groups, fused)


def stepped(name: str, gradient: float, decay: float = 0.0) -> float:
    """A weight after the first step, where all of the usual settings are those of the YAML, but for the rate."""
    w = nn.Parameter(torch.tensor([[START]]))
    w.grad = torch.tensor([[gradient]])
    last = nn.Parameter(torch.zeros(1))
    groups = [{"params": [w, last], "weight_decay": decay, "is_hidden": [True, False]}]
    settings = {"momentum": 0.0} if name == "sgd" else {}
    made(name, groups, lr=LR, **settings).step()
    return w.item()


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("sgd", GRADIENT),
        ("adam", 1.0),  # g / |g|
        ("adamw", 1.0),
        ("rmsprop", GRADIENT / (0.01 * GRADIENT**2) ** 0.5),
        ("lion", 1.0),
        ("adafactor", START),  # relative to the weight
    ],
)
def test_first_step_by_hand(name: str, step: float) -> None:
    assert stepped(name, GRADIENT) == pytest.approx(START - LR * step, abs=1e-5)


def test_a_first_step_of_muon_is_orthogonal_and_of_adamw_s_size() -> None:
    torch.manual_seed(0)
    w, last = nn.Parameter(torch.zeros(16, 64)), nn.Parameter(torch.zeros(3))
    w.grad, last.grad = torch.randn(16, 64), torch.tensor([5.0, -1.0, 0.1])
    made("muon", [{"params": [w, last], "is_hidden": [True, False]}], lr=LR).step()
    singular = torch.linalg.svdvals(w.detach()) / LR
    assert singular.max() / singular.min() < 2, "that of the gradient is 4"
    assert float(w.detach().square().mean().sqrt()) == pytest.approx(0.2 * LR, rel=0.2)
    assert torch.allclose(last.detach(), -LR * last.grad.sign(), atol=1e-5), "AdamW's"


@pytest.mark.parametrize("name", NAMES)
def test_weight_decay_2_l2_is_l2_in_the_loss_or_shrinks_apart_from_the_gradient(name: str) -> None:
    decay = 0.6
    if name in EXACT:
        assert stepped(name, GRADIENT, decay) == pytest.approx(stepped(name, GRADIENT + decay * START))
    else:
        assert stepped(name, 0.0, decay) == pytest.approx(START * (1 - LR * decay))
        assert stepped(name, 0.0) == START


def test_three_steps_of_lion_by_hand() -> None:
    w, average, expected = nn.Parameter(torch.tensor([1.0])), 0.0, 1.0
    lion = made("lion", [{"params": [w], "weight_decay": 0.5}], lr=LR)
    for gradient in (1.0, -0.05, -3.0):
        w.grad = torch.tensor([gradient])
        lion.step()
        direction = 0.9 * average + 0.1 * gradient
        expected = expected * (1 - LR * 0.5) - LR * (1 if direction > 0 else -1)
        average = 0.99 * average + 0.01 * gradient
        assert w.item() == pytest.approx(expected, abs=1e-6)


class Small:
    """A network of two matrices, its data, and steps of an optimizer on it."""

    def __init__(self, name: str, fused: bool = True) -> None:
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
        self.x, self.y = torch.randn(64, 6), torch.randint(3, (64,))
        parameters = list(self.net.parameters())
        is_hidden = [True, False, False, False]
        group = {"params": parameters, "weight_decay": 1e-3, "is_hidden": is_hidden}
        self.optimizer = made(name, [group], fused)

    def step(self, times: int) -> float:
        loss: Tensor = torch.zeros(())
        for _ in range(times):
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.net(self.x), self.y)
            loss.backward()
            self.optimizer.step()
        return loss.item()


@pytest.mark.parametrize("name", NAMES)
def test_it_lowers_a_loss(name: str) -> None:
    small = Small(name)
    first = small.step(1)
    assert small.step(100) < 0.97 * first


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_steps_after_a_checkpoint_have_the_same_bits(name: str, fused: bool) -> None:
    first, second = Small(name, fused), Small(name, fused)
    first.step(3)
    file = io.BytesIO()
    torch.save({"net": first.net.state_dict(), "optimizer": first.optimizer.state_dict()}, file)
    first.step(3)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    second.net.load_state_dict(loaded["net"])
    second.optimizer.load_state_dict(copy.deepcopy(loaded["optimizer"]))
    second.step(3)
    assert all(torch.equal(a, b) for a, b in zip(first.net.parameters(), second.net.parameters(), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_group_has_its_fraction_of_the_rate_and_schedules_move_all(name: str) -> None:
    def group(scale: float) -> Section:
        weight, bias = nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(2))
        return {"params": [weight, bias], "is_hidden": [True, False], "lr_scale": scale}

    built = made(name, [group(0.1), group(1.0)], lr=LR)
    torch.optim.lr_scheduler.LambdaLR(built, lambda step: 0.5)
    rates = [each["lr"] for each in built.param_groups]
    assert sorted(set(rates)) == pytest.approx([0.05 * LR, 0.5 * LR])
    assert rates[-1] == pytest.approx(0.5 * LR), "the last group's is the one that is shown"
    assert all(key not in group for group in built.param_groups for key in optimizer.OWN)


def test_muon_trains_the_matrices_between_layers_alone() -> None:
    net = build(composed("model=fnn", "model.batchnorm=true")["model"], DIGITS)
    hidden = net.hidden_matrices()
    assert [tuple(p.shape) for p in hidden] == [(128, 784), (64, 128)]
    groups = [{**g, "is_hidden": [any(p is h for h in hidden) for p in g["params"]]} for g in net.parameter_groups()]
    muon, adamw = made("muon", groups).parts
    own, others = ({id(p) for g in part.param_groups for p in g["params"]} for part in (muon, adamw))
    assert own == {id(p) for p in hidden}
    assert others == {id(p) for p in net.parameters()} - own


def test_muon_needs_matrices() -> None:
    groups = [{"params": [nn.Parameter(torch.zeros(2, 2))], "is_hidden": [False]}]
    with pytest.raises(UserError, match="Use optimizer=adamw"):
        made("muon", groups)


@pytest.mark.parametrize("name", NAMES)
def test_a_closure_is_called_with_gradients_on_and_its_value_returned(name: str) -> None:
    small = Small(name)
    seen: list[bool] = []

    def closure() -> float:
        seen.append(torch.is_grad_enabled())
        return 7.0

    step: Callable[[Callable[[], float]], float] = small.optimizer.step
    assert (step(closure), seen) == (7.0, [True])


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(UserError, match="lr is a number above 0"):
        optimizer.sgd([{"params": [torch.nn.Parameter(torch.zeros(1))]}], True, lr=-1, momentum=0.0, nesterov=False)
