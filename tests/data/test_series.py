from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import ON_WAVE, composed

from litmus.config.instantiate import build
from litmus.data.series import Series
from litmus.data.timeline.season import MOST_LOOKED_AT, anchors, choose_scaling, choose_window, find_period
from litmus.errors import UserError
from litmus.model._relative import Relative
from litmus.task.regression import Regression

SETTINGS = {
    "path": "numbers.csv",
    "column": None,
    "time": None,
    "group": None,
    "inputs": [],
    "known": [],
    "thousands": None,
    "window": 3,
    "horizon": 1,
    "stride": 1,
    "scaling": "series",
    "period": 2,
    "val_share": 0.2,
    "test_share": 0.2,
    "encoding": "auto",
    "separator": "auto",
    "limit": None,
    "limit_eval": None,
    "min_steps": 1,
    "batch_size": 4,
    "eval_batch_size": 100,
}


def write(values: list[object]) -> None:
    Path("numbers.csv").write_text("\n".join(["month,sales", *[f"m{i},{v}" for i, v in enumerate(values)]]) + "\n")


def data(**changes: object) -> Series:
    made = Series(0, **{**SETTINGS, **changes})
    made.prepare_data()
    return made


def forecast(made: Series, part: str) -> list[list[float]]:
    return made.targets(part).tolist()


def errors(made: Series, name: str) -> dict[str, float]:
    """Of one of the forecasts that need no fitting, in the test."""
    net = SimpleNamespace(spec=made.spec, criterion=None, untrained=None)
    return Regression(net, None, None, baselines=True, min_gain=None).measure(
        made.forecasts("test")[name], made.targets("test")
    )


def test_parts_follow_one_another_and_share_no_forecast_value() -> None:
    write(list(range(20)))
    made = data()
    assert [forecast(made, part) for part in ("train", "val", "test")] == [
        [[float(v)] for v in range(3, 12)],
        [[12.0], [13.0], [14.0], [15.0]],
        [[16.0], [17.0], [18.0], [19.0]],
    ]
    scaled = torch.from_numpy(made.flat_inputs("test", torch.tensor([0]))).double()
    past = scaled * made.spec.input.std[0] + made.spec.input.mean[0]
    assert past.tolist() == [pytest.approx([13.0, 14.0, 15.0], rel=1e-5)], "what is past is known"


def test_a_limit_keeps_each_group_s_last_windows_before_the_validation(caplog: pytest.LogCaptureFixture) -> None:
    write(list(range(20)))
    whole, limited = data(), data(limit=4)
    assert forecast(limited, "train") == forecast(whole, "train")[-4:]
    assert forecast(limited, "val") == forecast(whole, "val")
    assert "trained on the last 4 of 9 windows" in caplog.text
    rows = [f"{name},{level + i}" for name, level in (("a", 0), ("b", 100)) for i in range(20)]
    Path("two.csv").write_text("\n".join(["shop,sales", *rows]) + "\n")
    two = data(path="two.csv", column="sales", group="shop", limit=4)
    assert forecast(two, "train") == [[10.0], [11.0], [110.0], [111.0]]


def test_scale_is_the_training_part_s() -> None:
    write([*range(12), *[1000] * 8])
    made = data()
    assert made.spec.input.mean == (5.5,)
    assert made.spec.input.std == pytest.approx((torch.arange(12.0).std(correction=0).item(),))
    assert made.spec.target.mean == (5.5,)


def test_errors_of_the_naive_forecasts_by_hand() -> None:
    # The test values are 5, 1, 6, 2; before them stands 0, 4.
    write([3, 4, 3, 1, 2, 1, 0, 2, 3, 1, 2, 3, 1, 0, 0, 4, 5, 1, 6, 2])
    made = data()
    # Last values 4, 5, 1, 6: errors -1, 4, -5, 4. Two steps before 0, 4, 5, 1: errors -5, 3, -1, -1.
    assert errors(made, "naive") == pytest.approx({"mae": 14 / 4, "rmse": (58 / 4) ** 0.5})
    assert errors(made, "seasonal") == pytest.approx({"mae": 10 / 4, "rmse": (36 / 4) ** 0.5})


def test_a_horizon_of_several_values_and_a_stride() -> None:
    write(list(range(40)))
    made = data(horizon=3, stride=2, period=2)
    assert forecast(made, "test") == [[32.0, 33.0, 34.0], [34.0, 35.0, 36.0], [36.0, 37.0, 38.0]]
    assert made.spec.target.names == ("sales+1", "sales+2", "sales+3")
    # The newest known value of the season: for 32, 33, 34 those at 30, 31, 30.
    assert errors(made, "seasonal")["mae"] == pytest.approx((2 + 2 + 4) / 3)
    assert errors(made, "naive")["mae"] == pytest.approx((1 + 2 + 3) / 3)


def test_the_season_is_discovered() -> None:
    write([round(10 * torch.sin(torch.tensor(2 * torch.pi * i / 12)).item(), 4) for i in range(120)])
    assert data(period=None).period == 12


def test_a_season_is_found_below_a_trend_and_by_the_dates() -> None:
    rng = np.random.default_rng(0)
    time = np.arange(150)
    trending = time**1.5 + 40 * np.sin(2 * np.pi * time / 12) + rng.normal(size=150)
    assert find_period(trending, (12,)) == find_period(trending, ()) == 12
    assert find_period(rng.normal(size=150).cumsum(), (12,)) == 1, "a random walk has none"
    days = np.arange(900)
    weather = 12 * np.sin(2 * np.pi * days / 365) + 4 * rng.normal(size=900)
    assert find_period(weather, (7, 365)) == 365
    weekly = (days % 7 == 6) * 5 + weather
    assert find_period(weekly, (7, 365)) == 7, "a week repeats in the changes, too"


def test_the_scale_is_that_on_which_values_spread_least() -> None:
    rng = np.random.default_rng(0)
    time, noise = np.arange(240), rng.normal(size=240)
    wave = 40 * np.sin(2 * np.pi * time / 12)

    def chosen(values: np.ndarray, period: int, window: int, horizon: int = 1) -> str:
        return choose_scaling(values, np.arange(window, len(values) - horizon + 1), horizon, period, window)

    assert chosen(noise, 1, 20) == "series"
    assert chosen(noise.cumsum(), 12, 24) == "difference"
    assert chosen(wave + noise, 12, 24) == "seasonal", "differenced once more, noise spreads farther"
    assert chosen(time + wave, 12, 24) == "seasonal_difference"
    assert chosen(time + wave, 12, 13) == "seasonal", "the window is too short for a second difference"
    assert chosen(time + wave, 12, 12) == "difference"
    assert chosen(wave + 10 * noise, 1, 6, horizon=6) == "series", "six steps ahead, the last value is of no use"
    assert chosen(wave + 10 * noise, 1, 6, horizon=1) == "difference"


def test_a_few_values_show_no_season_by_chance() -> None:
    found = [find_period(np.random.default_rng(seed).normal(size=44).cumsum(), (12,)) for seed in range(100)]
    assert found.count(1) >= 95
    assert find_period(np.sin(np.arange(44) * np.pi / 6) + np.arange(44), (12,)) == 12
    assert find_period(np.sin(np.arange(44) * 2 * np.pi / 20), ()) == 1, "seen twice"


def test_a_season_of_a_long_series_is_looked_for_in_its_end() -> None:
    early = np.random.default_rng(0).normal(size=MOST_LOOKED_AT)
    late = np.sin(np.arange(MOST_LOOKED_AT) * np.pi / 6)
    assert find_period(np.concatenate([early, late]), ()) == 12


def test_a_short_seasonal_series_is_seen_a_season_back() -> None:
    assert [choose_window(12, number) for number in (100, 37, 27)] == [24, 14, 9]
    assert choose_window(1, 30) == 10


@pytest.mark.parametrize("scaling", ["window", "difference", "seasonal", "seasonal_difference"])
def test_a_relative_forecast_follows_a_series_wherever_it_goes(scaling: str) -> None:
    """What is the same but for the level is forecast the same but for the level, by any weights."""
    write([100 * i + 30 * (i % 4) + (i * i) % 7 for i in range(80)])
    made = data(scaling=scaling, window=12, horizon=6, period=4)
    net = build(composed("model=lstm", *ON_WAVE)["model"], made.spec)
    net.head.reset_parameters()
    x = made._scaled_columns().unfold(0, 12, 1)[:5].transpose(1, 2)
    assert torch.allclose(net(x + 50), net(x) + 50 * made.spec.input.std[0] / made.spec.target.std[0], atol=1e-2)
    assert made.chosen == {"window": 12, "scaling": scaling, "period": 4, "thousands": []}


@pytest.mark.parametrize("scaling", ["difference", "seasonal", "seasonal_difference"])
def test_a_network_that_says_nothing_forecasts_what_is_differenced_by(scaling: str) -> None:
    write([100 * i + 30 * (i % 4) + (i * i) % 7 for i in range(80)])
    made = data(scaling=scaling, window=12, horizon=6, period=4)
    relative = Relative(made.spec)
    x = made._scaled_columns().unfold(0, 12, 1).transpose(1, 2)
    found = relative.forecast(torch.zeros(len(x), 6), x).double() * made.spec.target.std[0] + made.spec.target.mean[0]
    expected = anchors(made.values.numpy(), np.arange(12, 81), 6, scaling, 4)
    assert np.allclose(found, expected, rtol=1e-3)
    assert relative.inputs(x).shape[1] == {"difference": 11, "seasonal": 8, "seasonal_difference": 7}[scaling]
    # By hand: y[t+h-4k] + k (y[t] - y[t-4]).
    y = made.values.numpy()
    by_hand = {
        "difference": [y[11]] * 6,
        "seasonal": [y[8 + h % 4] for h in range(6)],
        "seasonal_difference": [y[8 + h % 4] + (1 + h // 4) * (y[11] - y[7]) for h in range(6)],
    }
    assert np.allclose(expected[0], by_hand[scaling])
    net = build(composed("model=lstm", *ON_WAVE)["model"], made.spec)
    assert torch.equal(net(x), relative.forecast(torch.zeros(len(x), 6), x)), "before its training it says nothing"
    with pytest.raises(UserError, match=f"data.scaling={scaling} needs a data.window of at least"):
        data(scaling=scaling, window=1, period=4)


def test_what_is_chosen_is_said_and_stored() -> None:
    write([100 * i + 30 * (i % 4) for i in range(80)])
    made = data(window=None, period=None, scaling="auto", min_steps=50)
    assert made.chosen == {"window": 8, "scaling": "seasonal_difference", "period": 4, "thousands": []}
    assert made.notes[-1].startswith(
        "series  period=4 (a season is 4 values long)  window=8  scaling=seasonal_difference"
    )
    assert made.num_batches >= 50


def test_sunspots_are_the_default() -> None:
    pytest.importorskip("statsmodels")
    made = data(path=None, window=22, period=None)
    assert len(made.values) == 309
    assert made.period == 11
    assert sum(len(starts) for starts in made.windows.values()) == 309 - 22


@pytest.mark.parametrize(
    ("values", "changes", "said"),
    [
        ([1, "", "x", "", 3], {}, r"no number in column sales in 3 of 5 rows \(rows 2, 3, 4\). That is more than half"),
        ([5] * 30, {}, "constant"),
        (list(range(8)), {"window": 6}, "too short"),
        (list(range(30)), {"period": 29}, "data.period=29 is longer than the series before"),
        (list(range(30)), {"column": "sale"}, r"has no column sale. Did you mean sales\?"),
    ],
)
def test_what_cannot_be_forecast(values: list[object], changes: dict[str, object], said: str) -> None:
    write(values)
    with pytest.raises(UserError, match=said):
        data(column="sales", **changes) if "column" not in changes else data(**changes)


def test_a_series_far_from_zero_keeps_its_signal() -> None:
    write([1e12 + i % 7 for i in range(60)])
    made = data()
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    made.trainer = SimpleNamespace(strategy=strategy, global_rank=0, world_size=1)
    inputs, targets = next(iter(made.val_dataloader()))
    assert inputs.shape == (12, 3, 1)
    scaled = (made.targets("val") - made.spec.target.mean[0]) / made.spec.target.std[0]
    assert torch.allclose(targets, scaled.float())
    assert len(targets.unique()) == 7
    assert torch.allclose(inputs[1:, -1], targets[:-1]), "each window ends where the one before forecasts"


def test_a_gap_is_filled_and_not_forecast() -> None:
    write([*range(10), "", *range(11, 24), "nan", *range(25, 40)])
    made = data()
    assert made.values[[9, 10, 24]].tolist() == [9.0, 9.0, 23.0]
    starts = torch.cat([*made.windows.values()]).tolist()
    assert not {10, 24} & set(starts)
    assert made.spec.input.features == 2, "an indicator"
    assert made._columns[[9, 10, 11], 1].tolist() == [0.0, 1.0, 0.0]


def test_several_columns_of_numbers_need_a_name() -> None:
    Path("numbers.csv").write_text("a,b\n" + "\n".join(f"{i},{i}" for i in range(30)))
    with pytest.raises(UserError, match="Set data.column to the column of numbers.csv to forecast: a, b"):
        data()


def test_a_limit_of_the_test_reaches_every_group() -> None:
    rows = "".join(f"{shop},{i},{i % 7 + len(shop)}\n" for shop in ("a", "bb", "ccc") for i in range(120))
    Path("shops.csv").write_text(f"shop,day,sales\n{rows}")
    made = data(path="shops.csv", column="sales", time=None, group="shop", window=7, inputs=[], limit_eval=6)
    whole = data(path="shops.csv", column="sales", time=None, group="shop", window=7, inputs=[])
    for split in ("val", "test"):
        assert made.sizes[split] == 6
        assert set((made.windows[split] // 120).tolist()) == {0, 1, 2}
        assert set(made.windows[split].tolist()) < set(whole.windows[split].tolist())
    assert made.windows["train"].equal(whole.windows["train"])
