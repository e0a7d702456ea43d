"""The parts of a page on numbers and forecasts: intervals, residuals, and every baseline beside the network."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from helpers import COLUMNS, WINDOWS

from litmus.config.sample import Sample
from litmus.report import regression, series
from litmus.report.material import Tested as OfTest  # pytest would take the other name for a test
from litmus.report.parts import Chart, Section, Words
from litmus.spec import Spec, Values

NUMBER = 40
METRICS = {"test/rmse": 1.5, "test/naive_rmse": 3.0, "test/seasonal_rmse": 4.0, "test/ridge_rmse": 2.0}
ERRORS = torch.linspace(0.1, 3.0, 30, dtype=torch.float64)[:, None]  # of which the 28th of 30 bounds 90 %
HALF = float(ERRORS[27])
Y = np.sin(np.arange(NUMBER) / 3)[:, None]


def outcome(spec: Spec, errors: torch.Tensor | None, metrics: dict[str, float], **more: Any) -> OfTest:
    past = np.arange(30.0) if spec.input is WINDOWS.input else None
    data = SimpleNamespace(sample=lambda split, number: Sample(row=number, past=past))
    targets = np.repeat(Y, len(spec.target.names), axis=1)
    outputs = SimpleNamespace(outputs=targets + 0.5, targets=targets, numbers=np.arange(NUMBER), total=NUMBER)
    net = SimpleNamespace(spec=spec, errors=errors)
    return OfTest(data, net, outputs, metrics=metrics, **more)  # type: ignore[arg-type]


def words(sections: list[Section]) -> str:
    blocks = [block for section in sections for block in section.blocks]
    sentences = [sentence for block in blocks if isinstance(block, Words) for sentence in block.sentences]
    return " ".join([*sentences, *(block.caption for block in blocks if isinstance(block, Chart))])


def chart(sections: list[Section], name: str) -> str:
    blocks = [block for section in sections for block in section.blocks]
    return next(block.drawing.svg() for block in blocks if isinstance(block, Chart) and block.name == name)


def forecasts() -> dict[str, np.ndarray]:
    return {name: np.repeat(Y, len(WINDOWS.target.names), axis=1) for name in ("naive", "seasonal", "ridge")}


def test_a_forecast_stands_beside_the_best_baseline_and_all_are_named() -> None:
    found = series.sections(outcome(WINDOWS, ERRORS, METRICS, forecasts=forecasts()))
    drawn = chart(found, "forecast")
    assert ">ridge regression</text>" in drawn
    assert "naive" not in drawn
    said = words(found)
    assert "network 1.5; without a network: ridge regression 2, naive forecast 3, seasonal forecast 4." in said
    assert all(f">{name}</text>" in chart(found, "baselines") for name in ("network", "ridge regression"))


def test_of_the_baselines_whose_forecasts_are_known_the_best_is_drawn() -> None:
    known = {name: own for name, own in forecasts().items() if name != "ridge"}
    assert ">naive forecast</text>" in chart(
        series.sections(outcome(WINDOWS, None, METRICS, forecasts=known)), "forecast"
    )
    assert "forecast</text>" in chart(series.sections(outcome(WINDOWS, None, {})), "forecast"), "there may be none"


@pytest.mark.parametrize("horizon", [1, 3])
def test_a_forecast_s_residuals_are_drawn_with_their_interval(horizon: int) -> None:
    names = tuple(f"step{i}" for i in range(horizon))
    spec = Spec("series", WINDOWS.input, Values(names, (0.0,) * horizon, (1.0,) * horizon))
    unknown = {"ridge": np.full((NUMBER, horizon), math.nan)}
    own = outcome(spec, ERRORS.expand(-1, horizon), METRICS, forecasts=unknown)
    found = series.sections(own)
    assert f"The 90 % interval, from errors in validation, is ± {HALF:.4g}: 100% of the test are inside." in words(
        found
    )
    for step in {1, horizon}:
        assert "predicted - true" in chart(found, f"residuals-{step}")
    assert ("Errors of step 3" in words(found)) == (horizon == 3)


@pytest.mark.parametrize("names", [("price",), ("price", "rooms")])
def test_a_prediction_has_its_interval_and_the_baselines(names: tuple[str, ...]) -> None:
    count = len(names)
    spec = Spec("table", COLUMNS.input, Values(names, (0.0,) * count, (1.0,) * count))
    known = {"test/rmse": 1.5, "test/trees_rmse": 1.6, "test/median_rmse": 9.0}
    found = regression.sections(outcome(spec, ERRORS.expand(-1, count), known))
    said = words(found)
    assert "Test RMSE: network 1.5; without a network: boosted trees 1.6, training median 9." in said
    assert said.count(f"± {HALF:.4g}: 100% of the test are inside.") == count
    assert all("<polygon" in chart(found, f"predicted-{place + 1}") for place in range(count))
    assert ">boosted trees</text>" in chart(found, "baselines")


def test_without_errors_in_validation_or_baselines_there_are_none() -> None:
    spec = Spec("table", COLUMNS.input, Values(("price",), (0.0,), (1.0,)))
    for errors in (None, ERRORS[:5]):
        found = regression.sections(outcome(spec, errors, {"test/rmse": 1.5}))
        assert "interval" not in words(found)
        assert "Test RMSE" not in words(found)
        assert "<polygon" not in chart(found, "predicted-1")


@pytest.mark.parametrize("horizon", [1, 3])
def test_the_worst_forecasts_have_their_interval_and_the_best_baseline(horizon: int) -> None:
    names = tuple(f"step{i}" for i in range(horizon))
    spec = Spec("series", WINDOWS.input, Values(names, (0.0,) * horizon, (1.0,) * horizon))
    known = {name: np.repeat(Y, horizon, axis=1) for name in ("naive", "ridge")}
    found = series.sections(outcome(spec, ERRORS.expand(-1, horizon), METRICS, forecasts=known))
    without = series.sections(outcome(spec, None, METRICS))
    drawn, plain = chart(found, "worst-1"), chart(without, "worst-1")
    assert ">ridge regression</text>" in drawn
    assert "naive" not in drawn
    assert (drawn.count("<polygon"), drawn.count('stroke-width="1.4"')) == ((0, 3) if horizon == 1 else (1, 0))
    assert (plain.count("<polygon"), plain.count('stroke-width="1.4"')) == (0, 0)
