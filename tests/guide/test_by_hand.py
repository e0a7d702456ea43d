"""What 03-by-hand.md says."""

import importlib.util
import json
from collections.abc import Callable, Sequence

import pytest
import torch
from guide_runs import GUIDE, Run, of
from torch import Tensor
from torch.autograd import gradcheck

from litmus.model import scratch

pytestmark = pytest.mark.slow
SPEC = importlib.util.spec_from_file_location("by_hand", GUIDE / "by_hand.py")
assert SPEC is not None
assert SPEC.loader is not None
by_hand = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(by_hand)

SEEDS = (0, 1, 2)
DIGITS = 5e-5  # what four decimals leave out
Network = Callable[[dict[str, Tensor]], dict[str, Tensor]]


def page() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The numbers of the page: those of the example, and those of the answer."""
    text, _, answer = by_hand.PAGE.read_text(encoding="utf-8").partition("## Try it")
    return by_hand.numbers(text), by_hand.numbers(answer)


def given() -> dict[str, Tensor]:
    stated, _ = page()
    own = {name: stated[name] for name in ("x", "t", "W_1", "b_1", "w_2", "b_2")}
    return {name: value.clone().requires_grad_(name not in ("x", "t")) for name, value in own.items()}


def by_torch(own: dict[str, Tensor], activation: Callable[[Tensor], Tensor] = torch.sigmoid) -> dict[str, Tensor]:
    z = own["W_1"] @ own["x"] + own["b_1"]
    h = activation(z)
    s = own["w_2"] @ h + own["b_2"]
    p = torch.sigmoid(s)
    loss = -own["t"] * p.log() - (1 - own["t"]) * (1 - p).log()
    return {"z": z, "h": h, "s": s, "p": p, "L": loss}


def by_scratch(own: dict[str, Tensor], activation: type[torch.autograd.Function] = scratch.SigmoidFunction) -> dict:
    """The same by the functions of `model=scratch`, of a batch of one sample."""
    z = scratch.LinearFunction.apply(own["x"][None], own["W_1"], own["b_1"])
    h = activation.apply(z)
    s = scratch.LinearFunction.apply(h, own["w_2"][None], own["b_2"][None])
    p = scratch.SigmoidFunction.apply(s)
    return {"z": z, "h": h, "s": s, "p": p, "L": scratch.sigmoid_cross_entropy(s, own["t"][None, None], 0.0)}


def all_values(network: Network) -> dict[str, Tensor]:
    """What a network gives, and the gradients, by the page's symbols."""
    own = given()
    found = network(own)
    for value in found.values():
        value.retain_grad()
    found["L"].backward()
    gradients = {rf"\partial L/\partial {name}": value.grad for name, value in (own | found).items()}
    return own | found | {name: value for name, value in gradients.items() if value is not None}


def check(stated: dict[str, Tensor], network: Network) -> None:
    found = all_values(network)
    for symbol, value in stated.items():
        assert found[symbol].flatten().tolist() == pytest.approx(value.flatten().tolist(), abs=DIGITS), symbol


def health(run: Run) -> list[dict]:
    return json.loads((run.path / "health.json").read_text(encoding="utf-8"))["epochs"]


def pairs(runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """The runs of both networks with the same seed."""
    return [(of(runs, model="fnn", seed=seed)[0], of(runs, model="scratch", seed=seed)[0]) for seed in SEEDS]


def test_the_numbers_are_right() -> None:
    stated, answer = page()
    assert len(stated) == 18
    assert len(answer) == 5
    check(stated, by_torch)
    check(stated, by_scratch)
    check(answer, lambda own: by_torch(own, torch.relu))
    check(answer, lambda own: by_scratch(own, scratch.ReluFunction))


def test_a_step_of_gradient_descent() -> None:
    own = given()
    before = by_torch(own)["L"]
    before.backward()
    moved = {name: value if value.grad is None else value - value.grad for name, value in own.items()}
    assert before.item() == pytest.approx(0.4670, abs=DIGITS)
    assert by_torch(moved)["L"].item() == pytest.approx(0.2324, abs=DIGITS)
    assert "from 0.4670 to 0.2324" in by_hand.PAGE.read_text(encoding="utf-8")


def test_a_nudge_finds_the_same() -> None:
    own = given()
    before = by_torch(own)["L"].item()
    with torch.no_grad():
        own["W_1"][1, 1] += 0.01
    assert by_torch(own)["L"].item() - before == pytest.approx(0.000366, abs=5e-7)
    own = given()
    names = [name for name, value in own.items() if value.requires_grad]
    loss = lambda *weights: by_scratch(own | dict(zip(names, weights, strict=True)))["L"]  # noqa: E731
    assert gradcheck(loss, [own[name] for name in names])
    x, classes = torch.randn(4, 3, dtype=torch.float64, requires_grad=True), torch.tensor([0, 2, 1, 1])
    for function in (scratch.ReluFunction, scratch.SigmoidFunction):
        assert gradcheck(function.apply, (x,))
    assert gradcheck(lambda logits: scratch.softmax_cross_entropy(logits, classes, 0.0), (x,))


def test_the_first_step_is_the_same(runs: Sequence[Run]) -> None:
    assert len(runs) == 6
    for fnn, by_hand_ in pairs(runs):
        (first, *_), (other, *_) = health(fnn), health(by_hand_)
        assert first["epoch"] == other["epoch"] == 0
        sizes, others = ([value for value in each["gradient"] if value is not None] for each in (first, other))
        assert len(sizes) == 3
        assert sizes == pytest.approx(others, rel=1e-5)


def test_so_is_what_was_learned(runs: Sequence[Run]) -> None:
    for fnn, by_hand_ in pairs(runs):
        assert fnn.metric("test/acc") > 0.92
        assert abs(fnn.metric("test/acc") - by_hand_.metric("test/acc")) < 0.001
        assert abs(fnn.metric("test/loss") - by_hand_.metric("test/loss")) < 1e-4
