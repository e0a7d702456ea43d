"""Points that a formula makes: their shapes, their seeds, and what can tell them apart."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from helpers import composed

from litmus.config.fit import settled_task
from litmus.config.instantiate import build
from litmus.config.validate import mistakes
from litmus.data.toy import FORMULAS, Toy
from litmus.record.folder import RunDir

KINDS = sorted(FORMULAS)  # of classes
Train = Callable[..., RunDir]


def toy(kind: str, *overrides: str, seed: int = 0) -> Toy:
    made = build(composed("data=toy", f"data.kind={kind}", *overrides)["data"], seed)
    made.prepare_data()
    return made


def points(kind: str, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    frame = toy(kind, f"data.noise={noise}", "data.samples=600").splits["train"]
    return frame["x"].to_numpy(), frame["y"].to_numpy(), frame["class"].to_numpy()


def test_every_kind_is_a_choice_and_no_other() -> None:
    assert all(mistakes(composed("data=toy", f"data.kind={kind}")) == [] for kind in (*KINDS, *Toy.kinds_of_values))
    assert mistakes(composed("data=toy", "data.kind=stars"))


@pytest.mark.parametrize("kind", KINDS)
def test_classes_are_equally_frequent_and_the_seed_decides(kind: str) -> None:
    data = toy(kind)
    assert data.sizes == {"train": 700, "val": 150, "test": 150}
    assert data.class_counts.max() - data.class_counts.min() <= 3
    assert data.spec.data == "toy"
    assert torch.equal(toy(kind).seen, data.seen)
    assert toy(kind, seed=1).sha256 != data.sha256
    assert toy(kind, "data.split_seed=0", seed=1).sha256 == data.sha256


def test_shapes_are_what_they_are_called() -> None:
    x, y, own = points("linear")
    assert ((x + y > 0) == (own == 1)).all()
    x, y, own = points("xor")
    assert ((x * y < 0) == (own == 1)).all()
    x, y, own = points("circles")
    assert np.allclose(np.hypot(x, y), np.where(own == 1, 0.5, 1.0))
    x, y, own = points("moons")
    assert ((y + 0.25 >= 0) | (own == 1)).all()
    x, y, own = points("spirals")
    assert np.allclose(np.exp(1j * np.arctan2(y, x)), np.exp(1j * np.pi * (3 * np.hypot(x, y) + own)))
    x, y, own = points("blobs", noise=0.1)
    for number in range(3):
        assert x[own == number].std() == pytest.approx(0.1, rel=0.2)


def test_a_sine_has_values_and_the_task_follows(train: Train) -> None:
    frame = toy("sine", "data.noise=0").splits["train"]
    assert np.allclose(frame["y"].to_numpy(), np.sin(1.5 * np.pi * frame["x"].to_numpy()))
    assert settled_task(composed("data=toy", "data.kind=sine")["data"]) == "regression"
    assert settled_task(composed("data=toy", "data.kind=xor")["data"]) == "classification"
    noise = toy("sine").splits["train"]
    assert (noise["y"] - np.sin(1.5 * np.pi * noise["x"].to_numpy())).std() == pytest.approx(0.1, rel=0.1)
    run = train("model=fnn", "data=toy", "data.kind=sine", "trainer=cpu", small=[])
    assert run.read_result()["metrics"]["test/rmse"] < 0.2  # of noise alone, 0.1


def test_one_layer_on_xor_is_told_that_no_line_separates_it(train: Train) -> None:
    """And a network with a hidden layer, which solves it, is not."""
    words = ["data=toy", "data.kind=xor", "data.noise=0.03", "trainer=cpu"]
    sick = [train(f"model={model}", *words, folder=model, small=[]).read_result() for model in ("perceptron", "linear")]
    for result in sick:
        assert result["metrics"]["test/acc"] < 0.75
        assert [finding["name"] for finding in result["findings"]] == ["not_linearly_separable"]
        assert result["findings"][0]["try"] == "model=fnn"
    healthy = train("model=fnn", *words, small=[]).read_result()
    assert healthy["metrics"]["test/acc"] > 0.93
    assert "not_linearly_separable" not in [finding["name"] for finding in healthy["findings"]]


@pytest.mark.parametrize(("kind", "learns"), [("linear", True), ("xor", False)])
def test_one_layer_learns_what_a_line_separates(train: Train, kind: str, learns: bool) -> None:
    run = train("model=linear", "data=toy", f"data.kind={kind}", "data.noise=0", "trainer=cpu", "seed=1", small=[])
    acc = run.read_result()["metrics"]["test/acc"]
    assert acc > 0.95 if learns else acc < 0.75


@pytest.mark.wide
@pytest.mark.parametrize("kind", ["xor", "circles", "moons", "blobs"])
def test_dense_layers_learn_the_others(train: Train, kind: str) -> None:
    run = train("model=fnn", "data=toy", f"data.kind={kind}", "data.noise=0.05", "trainer=cpu", small=[])
    assert run.read_result()["metrics"]["test/acc"] > 0.93


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_has_what_the_network_sees_and_not_its_target(kind: str) -> None:
    data = toy(kind)
    x, y = data.splits["val"].row(1)[:2]
    assert data.sample("val", 1).cells == (("x", x), ("y", y))
