"""What forecasts reach on series that people have, with default settings: the test decides nothing here."""

import csv
import statistics
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.progress import track

from bench._common import markdown, run_command
from litmus.data.columns.read import read_table
from litmus.fetch.package import package_file

SEEDS = range(5)
SUNSPOT_SEEDS = range(20)
NAIVE = ("naive", "seasonal")
# Thousands of passengers a month, 1949 to 1960 (Box and Jenkins 1970, series G).
# fmt: off
AIRLINE = (
    112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118,
    115, 126, 141, 135, 125, 149, 170, 170, 158, 133, 114, 140,
    145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166,
    171, 180, 193, 181, 183, 218, 230, 242, 209, 191, 172, 194,
    196, 196, 236, 235, 229, 243, 264, 272, 237, 211, 180, 201,
    204, 188, 235, 227, 234, 264, 302, 293, 259, 229, 203, 229,
    242, 233, 267, 269, 270, 315, 364, 347, 312, 274, 237, 278,
    284, 277, 317, 313, 318, 374, 413, 405, 355, 306, 271, 306,
    315, 301, 356, 348, 355, 422, 465, 467, 404, 347, 305, 336,
    340, 318, 362, 348, 363, 435, 491, 505, 404, 359, 310, 337,
    360, 342, 406, 396, 420, 472, 548, 559, 463, 407, 362, 405,
    417, 391, 419, 461, 472, 535, 622, 606, 508, 461, 390, 432,
)
# Average air temperatures at Nottingham Castle in degrees Fahrenheit, months of 1920 to 1939 (Anderson 1976, as R's
# nottem).
NOTTINGHAM = (
    40.6, 40.8, 44.4, 46.7, 54.1, 58.5, 57.7, 56.4, 54.3, 50.5, 42.9, 39.8,
    44.2, 39.8, 45.1, 47.0, 54.1, 58.7, 66.3, 59.9, 57.0, 54.2, 39.7, 42.8,
    37.5, 38.7, 39.5, 42.1, 55.7, 57.8, 56.8, 54.3, 54.3, 47.1, 41.8, 41.7,
    41.8, 40.1, 42.9, 45.8, 49.2, 52.7, 64.2, 59.6, 54.4, 49.2, 36.3, 37.6,
    39.3, 37.5, 38.3, 45.5, 53.2, 57.7, 60.8, 58.2, 56.4, 49.8, 44.4, 43.6,
    40.0, 40.5, 40.8, 45.1, 53.8, 59.4, 63.5, 61.0, 53.0, 50.0, 38.1, 36.3,
    39.2, 43.4, 43.4, 48.9, 50.6, 56.8, 62.5, 62.0, 57.5, 46.7, 41.6, 39.8,
    39.4, 38.5, 45.3, 47.1, 51.7, 55.0, 60.4, 60.5, 54.7, 50.3, 42.3, 35.2,
    40.8, 41.1, 42.8, 47.3, 50.9, 56.4, 62.2, 60.5, 55.4, 50.2, 43.0, 37.3,
    34.8, 31.3, 41.0, 43.9, 53.1, 56.9, 62.5, 60.3, 59.8, 49.2, 42.9, 41.9,
    41.6, 37.1, 41.2, 46.9, 51.2, 60.4, 60.1, 61.6, 57.0, 50.9, 43.0, 38.8,
    37.1, 38.4, 38.4, 46.5, 53.5, 58.4, 60.6, 58.2, 53.8, 46.6, 45.5, 40.6,
    42.4, 38.4, 40.3, 44.6, 50.9, 57.0, 62.1, 63.5, 56.3, 47.3, 43.6, 41.8,
    36.2, 39.3, 44.5, 48.7, 54.2, 60.8, 65.5, 64.9, 60.1, 50.2, 42.1, 35.8,
    39.4, 38.2, 40.4, 46.9, 53.4, 59.6, 66.5, 60.4, 59.2, 51.2, 42.8, 45.8,
    40.0, 42.6, 43.5, 47.1, 50.0, 60.5, 64.6, 64.0, 56.8, 48.6, 44.2, 36.4,
    37.3, 35.0, 44.0, 43.9, 52.7, 58.6, 60.0, 61.1, 58.1, 49.6, 41.6, 41.3,
    40.8, 41.0, 38.4, 47.4, 54.1, 58.6, 61.4, 61.8, 56.3, 50.9, 41.4, 37.1,
    42.1, 41.2, 47.3, 46.6, 52.4, 59.0, 59.6, 60.4, 57.0, 50.7, 47.8, 39.2,
    39.4, 40.9, 42.4, 47.8, 52.4, 58.0, 60.7, 61.8, 58.2, 46.7, 46.6, 37.8,
)
# fmt: on
SHARES = ("MSFT", "AMZN", "IBM", "GOOG", "AAPL")

SEASONAL = (
    "airline passengers, monthly",
    "electrical equipment, monthly",
    "carbon dioxide, monthly",
    "temperature in Nottingham, monthly",
    "Seattle's highest temperature, daily",
)
MOST_OF_RIDGE = 1.1
ROUNDING = 1e-6  # of float32: a network that forecasts the last value is no better than that, and no worse
LEAST_SKILL = 0.15  # against the naive forecasts


def measure() -> str:
    with tempfile.TemporaryDirectory() as name:
        paths = _write(Path(name))
        jobs = [(what, seed) for what in paths for seed in SEEDS] + [("sunspots", seed) for seed in SUNSPOT_SEEDS]
        results: dict[str, list[dict[str, float]]] = {}
        for what, seed in track(jobs, "series", console=Console(stderr=True)):
            path = [f"data.path={paths[what]}"] if what in paths else []
            result = run_command("model=lstm", "data=series", *path, f"seed={seed}")
            results.setdefault(what, []).append(result["metrics"])
    head = (
        "test RMSE",
        "LSTM",
        "last value",
        "season before",
        "ridge, same lags",
        "LSTM / ridge",
        "skill, naive",
        "of",
    )
    rows = [_row(what, of) for what, of in results.items()]
    return f"## Forecasts, `model=lstm data=series`, default settings\n\n{markdown(head, rows)}\n{_verdict(results)}\n"


def _verdict(results: dict[str, list[dict[str, float]]]) -> str:
    """What was asked for, and on which series it is missed."""
    seasonal = {what: _ratio(of, "seasonal") for what, of in results.items() if what != "sunspots"}
    ridge = {what: _ratio(results[what], "ridge") for what in SEASONAL}
    skilled = sum(_skill(metrics) > LEAST_SKILL for metrics in results["sunspots"])
    asked = (
        ("at least as good as the season before, in the mean of seeds", 1.0, seasonal),
        (f"at most {MOST_OF_RIDGE} times ridge regression's, on months and daily weather", MOST_OF_RIDGE, ridge),
    )
    lines = []
    for what, most, ratios in asked:
        missed = [f"{name} ({ratio:.2f})" for name, ratio in ratios.items() if ratio > most + ROUNDING]
        met = f"met on {len(ratios) - len(missed)} of {len(ratios)}"
        lines.append(f"- {what}: {met}{'; missed on ' + ', '.join(missed) if missed else ''}")
    lines.append(f"- sunspots, a skill above {LEAST_SKILL}: on {skilled} of {len(SUNSPOT_SEEDS)} seeds")
    return (
        "Asked for:\n\n" + "\n".join(lines) + "\n\nSplits, season, window and scaling are the defaults, which look at "
        "the training split alone. Where no season is found,\nas in prices, the forecast by season is the last value, "
        "and that is what epoch 0 forecasts: a network that keeps\nit is as good by definition.\n"
    )


def _ratio(of: list[dict[str, float]], baseline: str) -> float:
    """The mean RMSE in the test, of the baseline's."""
    return statistics.mean(metrics["test/rmse"] for metrics in of) / of[0][f"test/{baseline}_rmse"]


def _skill(metrics: dict[str, float]) -> float:
    return 1 - metrics["test/rmse"] / min(metrics[f"test/{name}_rmse"] for name in NAIVE)


def _row(what: str, of: list[dict[str, float]]) -> tuple[str, ...]:
    own = [metrics["test/rmse"] for metrics in of]
    naive, seasonal, ridge = (of[0][f"test/{name}_rmse"] for name in (*NAIVE, "ridge"))
    skills = [_skill(metrics) for metrics in of]
    listed = f"{statistics.mean(own):.3g} ({min(own):.3g} to {max(own):.3g})"
    skill = f"{statistics.mean(skills):.2f} ({min(skills):.2f} to {max(skills):.2f})"
    ratio = f"{statistics.mean(own) / ridge:.2f}"
    return what, listed, f"{naive:.3g}", f"{seasonal:.3g}", f"{ridge:.3g}", ratio, skill, f"{len(of)} seeds"


def _write(folder: Path) -> dict[str, Path]:
    """The series as files of two columns. The weather and the shares are of the package vega_datasets 0.9.0."""
    weather = _packaged("vega_datasets", "_data", "seattle-weather.csv")
    shares = _packaged("vega_datasets", "_data", "stocks.csv")
    columns = (_months(1949, AIRLINE), _packaged("statsmodels", "datasets", "elec_equip", "elec_equip.csv"))
    frames = (*columns, _carbon_dioxide(), _months(1920, NOTTINGHAM), weather.select("date", "temp_max"))
    series = dict(zip(SEASONAL, frames, strict=True))
    for symbol in SHARES:
        series[f"share of {symbol}, monthly"] = shares.filter(pl.col("symbol") == symbol).select("date", "price")
    paths = {}
    for number, (what, frame) in enumerate(series.items()):
        paths[what] = folder / f"{number}.csv"
        with paths[what].open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("date", "value"))
            writer.writerows(frame.rows())
    return paths


def _months(first: int, values: Sequence[float]) -> pl.DataFrame:
    """Of the years from `first` on."""
    return pl.DataFrame({"month": [date(first + i // 12, 1 + i % 12, 1) for i in range(len(values))], "value": values})


def _packaged(*names: str) -> pl.DataFrame:
    return read_table(package_file(*names), (), encoding="auto", separator="auto").frame


def _carbon_dioxide() -> pl.DataFrame:
    """Means of the weeks of each month; a month without any lies between its neighbors."""
    weeks = pl.read_csv(package_file("statsmodels", "datasets", "co2", "co2.csv"))
    month = weeks["date"].cast(pl.String).str.to_date("%Y%m%d").dt.truncate("1mo")
    means = weeks.with_columns(month.alias("month")).group_by("month", maintain_order=True).agg(pl.col("co2").mean())
    filled = means.sort("month").upsample("month", every="1mo")
    number = np.arange(filled.height)
    known = filled["co2"].is_not_null().to_numpy()
    values = np.interp(number, number[known], filled["co2"].drop_nulls().to_numpy())
    return filled.with_columns(pl.Series("co2", values))
