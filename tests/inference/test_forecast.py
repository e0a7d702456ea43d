"""Forecasts beyond the last value of a series: by `litmus predict`, with intervals that hold what they say."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from helpers import ROOT

from litmus import load
from litmus.cli.main import main
from litmus.errors import UserError
from litmus.inference.forecast import conformal, load_forecaster
from litmus.record.folder import RunDir

Train = Callable[..., RunDir]
Litmus = Callable[..., tuple[str, str]]
QUICK = ["model=lstm", "model.widths=[4]", "trainer=cpu", "trainer.max_epochs=2", "task.baselines=false"]


def write(name: str, columns: dict[str, object]) -> None:
    rows = zip(*columns.values(), strict=True)
    Path(name).write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n")


def refused(run: RunDir, *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(run.path), *words])
    return str(ended.value.code)


def months(number: int) -> list[str]:
    return [f"{2000 + i // 12}-{1 + i % 12:02}-01" for i in range(number)]


def rows_of(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


def test_conformal_intervals_are_by_the_rank_that_the_theory_says() -> None:
    errors = np.arange(1.0, 20.0)[:, None]  # 19: the 18th of them covers 90 %
    assert conformal(errors, 0.9).tolist() == [18.0]
    assert np.isnan(conformal(errors[:8], 0.9)).all(), "8 errors are too few"
    rng = np.random.default_rng(0)
    held = [abs(rng.normal()) <= conformal(np.abs(rng.normal(size=(19, 1))), 0.9)[0] for _ in range(4000)]
    assert 0.885 < np.mean(held) < 0.915


def test_intervals_hold_their_share_of_what_came(train: Train) -> None:
    """Within the horizon, and beyond it, where forecasts follow from forecasts."""
    rng = np.random.default_rng(1)
    walk = rng.normal(size=3000).cumsum()
    write("walk.csv", {"value": walk})
    data = ["data=series", "data.path=walk.csv", "data.window=8", "data.horizon=2", "data.val_share=0.3"]
    run = train(*QUICK, *data, "data.test_share=0.3", "data.min_steps=10", small=[])
    forecaster = load_forecaster(run)
    starts = np.arange(2100, 2994)
    found = forecaster._recursive(np.append(walk, [0, 0])[:, None], starts, 4)
    inside = np.abs(walk[starts[:, None] + np.arange(4)] - found) <= forecaster._widths(4, 0.8, [""])
    assert inside.mean(axis=0) == pytest.approx([0.8] * 4, abs=0.06)
    assert "From step 3 on, forecasts follow from forecasts (data.horizon=2)" in forecaster.notes[-1]
    assert "by 897 such forecasts in validation" in forecaster.notes[-1]


@pytest.fixture
def sales(trained: Train) -> RunDir:
    values = [round(100 + i + 20 * np.sin(i * np.pi / 6), 3) for i in range(120)]
    write("sales.csv", {"month": months(120), "sales": values})
    return trained(*QUICK, "data=series", "data.path=sales.csv", "data.horizon=3", "data.min_steps=20", small=[])


def test_a_forecast_is_printed_and_written(sales: RunDir, litmus: Litmus) -> None:
    out, _ = litmus("predict", str(sales.path), "--steps", "5", "--json")
    found = rows_of(out)
    assert [row["date"] for row in found] == ["2010-01-01", "2010-02-01", "2010-03-01", "2010-04-01", "2010-05-01"]
    assert all(row["low"] < row["sales"] < row["high"] for row in found)
    assert [row["sales"] for row in found] == pytest.approx(
        [100 + i + 20 * np.sin(i * np.pi / 6) for i in range(120, 125)], abs=5
    )
    out, _ = litmus("predict", str(sales.path), "--out", "forecast.csv")
    assert "2010-03-01" in out
    assert "2010-04-01" not in out, "the horizon, if nothing is said"
    with Path("forecast.csv").open(newline="") as file:
        kept = list(csv.DictReader(file))
    assert [float(row["sales"]) for row in kept] == [row["sales"] for row in found[:3]]
    assert Path("forecast.png").read_bytes().startswith(b"\x89PNG")


def test_another_file_is_continued(sales: RunDir, litmus: Litmus) -> None:
    write("new.csv", {"month": months(150)[110:], "sales": [1000 + i for i in range(40)]})
    out, _ = litmus("predict", str(sales.path), "new.csv", "--json")
    assert [row["date"] for row in rows_of(out)] == ["2012-07-01", "2012-08-01", "2012-09-01"]
    assert rows_of(out)[0]["sales"] == pytest.approx(1040, abs=10), "far from what it was trained on"
    write("short.csv", {"month": months(9), "sales": range(9)})
    assert "9 values are too few to forecast from: the network sees 24." in refused(sales, "short.csv")
    write("other.csv", {"month": months(40), "price": range(40)})
    assert "has no column sales" in refused(sales, "other.csv")
    assert "There is no file nosuch.csv. This run takes a table of a series." in refused(sales, "nosuch.csv")
    assert "--topk has no effect on forecasts" in refused(sales, "--topk", "3")


@pytest.mark.wide
def test_litmus_load_forecasts_what_is_printed(sales: RunDir, litmus: Litmus, caplog: pytest.LogCaptureFixture) -> None:
    net = load(sales.path)
    assert net.forecast() == rows_of(litmus("predict", str(sales.path), "--json")[0])
    printed = rows_of(litmus("predict", str(sales.path), "--json", "--steps", "5", "--level", "0.8")[0])
    assert net.forecast(steps=5, level=0.8) == printed
    assert "From step 4 on, forecasts follow from forecasts" in caplog.text
    polars = pl.read_csv("sales.csv", try_parse_dates=True)
    for given in ("sales.csv", Path("sales.csv"), polars, pl.read_csv("sales.csv"), pd.read_csv("sales.csv")):
        assert net.forecast(5, 0.8, given) == printed
    values = [row["sales"] for row in net.forecast()]
    window = polars["sales"].to_numpy()
    for prediction in (net.predict(window), *net.predict([window, window[-24:]]), *net.predict(polars)):
        assert prediction == {"values": dict(zip(net.names, values, strict=True))}
    with pytest.raises(UserError, match="9 values are too few to forecast from: the network sees 24"):
        net.predict(window[:9])
    with pytest.raises(UserError, match="The table has no rows"):
        net.forecast(frame_or_path=polars.head(0))
    with pytest.raises(UserError, match=r"The table has no column sales"):
        net.forecast(frame_or_path=polars.rename({"sales": "price"}))
    for what in ("sales.csv", np.array(["a"]), np.array([np.nan])):
        with pytest.raises(UserError, match="This network takes series: an array"):
            net.predict(what)
    for wrong in ({"steps": 0}, {"level": 1.0}, {"frame_or_path": "nosuch.csv"}):
        with pytest.raises(UserError, match=r"should be|There is no file"):
            net.forecast(**wrong)
    with pytest.raises(UserError, match="takes images, and forecasts no series"):
        load(ROOT / "tests" / "earlier" / "cnn-mnist").forecast()


def test_beyond_the_horizon_there_are_no_intervals_without_the_run_s_own_data(sales: RunDir, litmus: Litmus) -> None:
    Path("sales.csv").rename("moved.csv")
    out, _ = litmus("predict", str(sales.path), "moved.csv", "--steps", "4")
    assert "without intervals: the run's own data is not there" in " ".join(out.split())
    found = rows_of(litmus("predict", str(sales.path), "moved.csv", "--steps", "4", "--json")[0])
    assert [row["low"] is None for row in found] == [False, False, False, True]


def test_errors_of_each_step_stand_in_the_result(sales: RunDir) -> None:
    metrics = sales.read_result()["metrics"]
    steps = [metrics[f"test/rmse_step{step}"] for step in (1, 2, 3)]
    assert metrics["test/rmse"] == pytest.approx(np.sqrt(np.mean(np.square(steps))))
    assert metrics["test/mae"] == pytest.approx(np.mean([metrics[f"test/mae_step{step}"] for step in (1, 2, 3)]))
    kept = torch.load(sales.best, weights_only=True)["errors"]
    assert kept.shape == (16, 3)
    assert (kept.diff(dim=0) >= 0).all()
    assert float(kept.mean()) == pytest.approx(metrics["val/mae"], rel=1e-4)


def test_an_earlier_run_forecasts_without_intervals(litmus: Litmus) -> None:
    pytest.importorskip("statsmodels")
    out, _ = litmus("predict", str(ROOT / "tests" / "earlier" / "lstm-series"))
    assert "There are no intervals: the run is of an earlier version" in " ".join(out.split())


@pytest.mark.wide
def test_what_is_known_ahead_is_given_for_the_steps_to_forecast(train: Train) -> None:
    rng = np.random.default_rng(0)
    sale = rng.integers(0, 2, 300)
    value = 10 + 5 * sale + rng.normal(size=300) * 0.1
    write("shop.csv", {"value": [*value[:298], "", ""], "sale": sale})
    data = ["data=series", "data.path=shop.csv", "data.column=value", "data.known=[sale]", "data.window=6"]
    run = train(*QUICK, *data, "trainer.max_epochs=10", "optimizer.lr=0.03", small=[])
    forecaster = load_forecaster(run)
    (found,) = forecaster.forecast(None, 2)
    assert found.values == pytest.approx(10 + 5 * sale[298:], abs=1)
    with pytest.raises(
        UserError, match="A forecast of 3 steps needs 3 rows with sale after the last value of value, and there are 2"
    ):
        forecaster.forecast(None, 3)


def test_each_group_is_forecast_by_itself(train: Train, litmus: Litmus) -> None:
    rows = [(name, month, level + i) for i, month in enumerate(months(60)) for name, level in (("a", 0), ("b", 500))]
    groups, dates, values = zip(*rows, strict=True)
    write("two.csv", {"shop": groups, "month": dates, "sales": values})
    run = train(*QUICK, "data=series", "data.path=two.csv", "data.group=shop", "data.min_steps=10", small=[])
    found = rows_of(litmus("predict", str(run.path), "--json")[0])
    assert [(row["group"], row["date"]) for row in found] == [("a", "2005-01-01"), ("b", "2005-01-01")]
    assert [row["sales"] for row in found] == pytest.approx([60, 560], abs=2)


def test_inputs_are_not_known_beyond_the_horizon(train: Train) -> None:
    write("with.csv", {"value": [i % 5 for i in range(80)], "other": range(80)})
    data = ["data=series", "data.path=with.csv", "data.column=value", "data.inputs=[other]", "data.window=6"]
    forecaster = load_forecaster(train(*QUICK, *data, "data.min_steps=5", small=[]))
    assert len(forecaster.forecast(None, 1)) == 1
    with pytest.raises(UserError, match="--steps 2 is too many: the network forecasts 1 step at once"):
        forecaster.forecast(None, 2)


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("sales.csv", "--out sales.csv would replace the series itself. Name another file."),
        ("./other/../more.csv", "would replace the series itself"),
        ("folder.csv", "folder.csv is a folder. Name a file for the forecasts."),
    ],
)
def test_a_forecast_replaces_no_data(sales: RunDir, out: str, said: str) -> None:
    Path("folder.csv").mkdir()
    Path("other").mkdir()
    Path("more.csv").write_text(Path("sales.csv").read_text())
    assert said in refused(sales, "more.csv", "--out", out)
    assert Path("sales.csv").read_text() == Path("more.csv").read_text()


@pytest.mark.parametrize("out", ["forecast.png", "forecast.parquet", "forecast"])
def test_a_forecast_is_a_csv(sales: RunDir, out: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(sales, "--out", out) == "2"
    assert f"--out {out} should end in .csv: forecasts are a CSV, with a picture beside it." in capsys.readouterr().err
    assert not Path(out).exists()


def test_groups_of_different_size_have_their_own_intervals(train: Train, litmus: Litmus) -> None:
    """One is a thousand times the other; a third is too short, which stops neither training nor forecasts."""
    rng = np.random.default_rng(0)
    days = np.arange("2024-01-01", "2024-10-27", dtype="datetime64[D]")  # 300
    wave = 10 + np.sin(2 * np.pi * np.arange(300) / 7)
    rows = [
        (name, days[i], scale * (wave[i] + 0.2 * rng.normal()))
        for name, scale, number in (("a", 1, 300), ("b", 1000, 300), ("c", 1, 6))
        for i in range(number)
    ]
    groups, dates, values = zip(*rows, strict=True)
    write("shops.csv", {"shop": groups, "day": dates, "sales": values})
    data = ["data=series", "data.path=shops.csv", "data.group=shop", "data.val_share=0.2", "data.min_steps=20"]
    run = train(*QUICK, *data, "trainer.max_epochs=5", "optimizer.lr=0.01", small=[])
    assert run.read_config()["data"]["scaling"] == "window"
    assert "Too short for a window of 14 values in some splits, and left out there: c (train, val, test)" in (
        run.log.read_text()
    )
    forecaster = load_forecaster(run)
    first, second = forecaster.forecast(None, 1)
    assert forecaster.notes == ["6 values of c are too few to forecast from: the network sees 14."]
    small, large = (float(own.high[0] - own.low[0]) for own in (first, second))
    assert 0.3 < small < 3
    assert 100 * small < large < 10_000 * small
    for one, further in zip((first, second), forecaster.forecast(None, 4), strict=True):
        assert (further.low[0], further.high[0]) == (one.low[0], one.high[0]), "whatever else is forecast"
        assert not np.isnan(further.high).any()


def test_data_of_another_step_is_named(sales: RunDir) -> None:
    write("daily.csv", {"month": np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]"), "sales": range(60)})
    forecaster = load_forecaster(sales)
    forecaster.forecast(Path("daily.csv"), 1)
    said = "A row is a day after the last, and in the run's data a month: do not rely on the forecast."
    assert said in forecaster.notes


def test_points_between_thousands_are_those_of_the_training(train: Train, caplog: pytest.LogCaptureFixture) -> None:
    values = [600 + 50 * (i % 12) for i in range(120)]
    lines = [f"{day};{value:,}".replace(",", ".") for day, value in zip(months(120), values, strict=True)]
    Path("sums.csv").write_text("\n".join(["Tag;Umsatz €", *lines]))
    run = train(*QUICK, "data=series", "data.path=sums.csv", small=[])
    assert run.read_config()["data"]["thousands"] == ["Umsatz €"]
    assert "numbers such as 600: 1.000 in column Umsatz € is read as 1000" in run.log.read_text()
    caplog.clear()
    lines = [line if line[-4] == "." else f"{line}.000" for line in lines]
    Path("new.csv").write_text("\n".join(["Tag;Umsatz €", *lines]))
    (own,) = load_forecaster(run).forecast(Path("new.csv"), 1)
    assert own.history.max() == 950_000, "1.150 is no decimal number here, either"
    assert "column Umsatz" not in caplog.text
