"""The learning-rate range test: what it reads off a curve, and that every network is tested on every kind of data."""

import math
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from covering import cover
from helpers import CONF, SMALL, TINY, composed
from test_matrix import DATA, PAIRS

from litmus.config.validate import class_attributes
from litmus.errors import UserError
from litmus.model.fnn import FNN
from litmus.run import learning_rate
from litmus.run.build import prepare
from litmus.run.learning_rate import RangeTest, range_test, read

RATES = np.geomspace(1e-7, 10, 100)
DIGITS = ["model=fnn", *SMALL]


def rate_matters(model: str) -> bool:
    return bool(class_attributes(composed(f"model={model}")["model"]["_target_"], ("rate_matters",))["rate_matters"])


TESTED = [(model, data) for model, data in PAIRS if rate_matters(model)]
EACH = cover(TESTED)


def curve(noise: float, falls: float = 2.0, best: float = 1e-2) -> list[float]:
    """Losses that fall from 3 where the rate is about 1e-3, are lowest at `best`, and grow without bound beyond it."""
    generator, decades = np.random.default_rng(0), np.log10(RATES)
    drop = falls / (1 + np.exp(-4 * (decades + 3)))
    growth = np.where(decades > math.log10(best), 10.0 ** (4 * (decades - math.log10(best))) - 1, 0.0)
    return [3.0, *(3 - drop + growth + noise * generator.normal(size=len(RATES)))]


def found_by(*overrides: str, lowest: float = 1e-6, highest: float = 10.0, steps: int | None = 30) -> RangeTest:
    config = composed(*overrides)
    return range_test(config, prepare(config), lowest, highest, steps)


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.2])
def test_the_suggestion_is_a_third_of_the_rate_where_the_loss_stops_falling(noise: float) -> None:
    found = read(RATES, curve(noise))
    assert found.suggestion == pytest.approx(1e-2 / 3, rel=0.7)
    assert found.suggestion == float(f"{found.suggestion:.2g}")


@pytest.mark.parametrize("seed", range(30))
def test_noise_is_no_fall(seed: int) -> None:
    losses = 3 + 0.2 * np.random.default_rng(seed).normal(size=101)
    assert read(RATES, losses.tolist()).suggestion is None


def test_a_small_fall_is_told_from_noise_by_more_than_its_size() -> None:
    assert read(RATES, curve(0.1, falls=0.1)).suggestion is None
    assert read(RATES, curve(0.001, falls=0.1)).suggestion is not None


def test_a_loss_that_only_grows_suggests_nothing() -> None:
    found = read(RATES, [3.0, *(3.0 + i for i in range(9)), math.nan])
    assert found.suggestion is None
    assert found.ended_early
    assert np.isfinite(found.smoothed).all()


def test_what_falls_to_the_end_is_said_to() -> None:
    falling = [3.0, *np.linspace(3, 1, 100)]
    assert read(RATES, falling).still_falls
    assert not read(RATES, curve(0.0)).still_falls


def test_a_network_is_tested_until_its_loss_has_grown() -> None:
    found = found_by(*DIGITS, steps=100)
    assert found.ended_early
    assert len(found.rates) == len(found.losses) == len(found.smoothed) < 100
    assert found.losses.max() <= found.highest
    assert found.suggestion is not None
    assert 1e-4 < found.suggestion < 1e-1
    assert found.smoothed[found.lowest] < 0.6 * found.first


def test_the_same_seed_gives_the_same_test() -> None:
    one, other, another = (found_by(*DIGITS, f"seed={seed}") for seed in (1, 1, 2))
    assert np.array_equal(one.losses, other.losses)
    assert not np.array_equal(one.losses[:5], another.losses[:5])


@pytest.mark.parametrize(("accumulate", "clip"), [(1, "null"), (3, "0.1")])
def test_rates_are_those_of_the_steps(accumulate: int, clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each step of the optimizer, whatever schedule and rate are configured; groups keep their fractions."""
    seen: list[tuple[float, ...]] = []
    step = torch.optim.SGD.step

    def noted(self: torch.optim.SGD, closure: Callable[[], float] | None = None) -> float | None:
        loss = step(self, closure)
        if closure is not None:  # what an optimizer keeps for each weight is measured, too
            seen.append(tuple(group["lr"] for group in self.param_groups))
        return loss

    monkeypatch.setattr(torch.optim.SGD, "step", noted)
    more = [
        "optimizer=sgd",
        f"trainer.accumulate_grad_batches={accumulate}",
        f"trainer.gradient_clip={clip}",
        "data.limit=200",
    ]
    found = found_by(*DIGITS, *more, lowest=1e-5, highest=1e-3, steps=20)
    assert [rates[0] for rates in seen[:20]] == pytest.approx(np.geomspace(1e-5, 1e-3, 20).tolist())
    assert all(len(set(rates)) == 1 for rates in seen)
    assert len(found.losses) == 20


def test_layers_that_learn_more_slowly_do_so_in_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[float]] = []

    def noted(*arguments: object) -> None:
        rising(*arguments)
        seen.append([group["lr"] for group in arguments[-1].param_groups])

    rising = learning_rate._Rising.on_before_optimizer_step
    monkeypatch.setattr(learning_rate._Rising, "on_before_optimizer_step", noted)
    Path("reviews.csv").write_text("review,stars\n" + "".join(f"a film {i},{i % 2}\n" for i in range(60)))
    words = ["data=text_table", "data.path=reviews.csv", "data.text=review", "data.label=stars", "trainer=cpu"]
    found_by("model=bert", *words, *TINY["bert"], "model.lr_decay=0.5", steps=20)
    first = seen[0]
    assert max(first) == pytest.approx(1e-6)
    assert {round(max(first) / rate) for rate in first} >= {1, 2, 4}


@pytest.mark.wide
@pytest.mark.usefixtures("narrow_resnet", "tables", "image_files", "published", "hub_copies")
@pytest.mark.parametrize(("model", "data"), EACH)
def test_every_network_and_every_dataset(model: str, data: str) -> None:
    before = set(Path.cwd().rglob("*"))
    found = found_by(f"model={model}", *TINY.get(model, []), *DATA[data], "data.batch_size=16", steps=20)
    assert 1 <= len(found.rates) <= 20
    assert np.isfinite(found.losses).all()
    assert found.ended_early or len(found.rates) == 20
    assert {path for path in set(Path.cwd().rglob("*")) - before if "data" not in path.parts} == set()


def test_each_network_and_dataset_is_among_the_cases() -> None:
    models = {path.stem for path in (CONF / "model").glob("[!_]*.yaml")}
    assert models - {model for model, _ in EACH} == {"perceptron"}
    assert {data for _, data in EACH} == set(DATA)


@pytest.mark.parametrize(
    "words", [["trainer=debug"], ["trainer.on_divergence=skip"], ["data.batch_size=auto"], ["data.limit=20"]]
)
def test_it_ends_whatever_is_configured(words: Sequence[str]) -> None:
    found = found_by(*DIGITS, *words)
    assert len(found.losses) >= 1


@pytest.mark.parametrize("words", [["trainer.max_steps=20"], ["trainer.max_steps=9999"], ["trainer.max_time=0.01"]])
def test_all_rates_are_tried_whatever_ends_a_training(words: Sequence[str], caplog: pytest.LogCaptureFixture) -> None:
    whole, found = found_by(*DIGITS), found_by(*DIGITS, *words)
    assert np.array_equal(found.losses, whole.losses)
    assert "max_epochs" not in caplog.text, "a number that nobody typed"


def test_a_loss_that_is_no_number_at_first_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = FNN.forward
    monkeypatch.setattr(FNN, "forward", lambda self, x: forward(self, x) * math.nan)
    with pytest.raises(UserError, match="no number before the first step"):
        found_by(*DIGITS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_after_the_step_in_hand(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    config, done = composed(*DIGITS), list[float]()

    def advance(fraction: float) -> None:
        done.append(fraction)
        os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        range_test(config, prepare(config), 1e-6, 1.0, 30, advance)
    assert len(done) == 1
    assert not list(tmp_path.glob("litmus-lr-*"))


def test_as_many_steps_as_an_epoch_has_and_more_where_there_is_no_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def once(config: dict, data: object, rates: np.ndarray, advance: object) -> RangeTest:
        made.append(len(rates))
        return read(RATES, curve(0.0) if len(made) == 3 else [3.0] * 101)

    monkeypatch.setattr(learning_rate, "_once", once)
    for samples, accumulate in ((64, 1), (12_800, 1), (64_000, 1), (64_000, 5)):
        words = ["data=toy", f"data.samples={samples * 2}", f"data.limit={samples}", "data.batch_size=64"]
        found_by("model=linear", *words, "trainer=cpu", f"trainer.accumulate_grad_batches={accumulate}", steps=None)
    assert made == [100, 400, 200, 500, 2000, 200, 800]
    found_by(*DIGITS, steps=77)
    assert made[-1] == 77
