"""What forecasts reach on series that people have, with default settings: the test decides nothing here."""

import csv
import statistics
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.progress import track

from bench._common import markdown, run_command
from litmus.data.columns.read import read_frame
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
# fmt: on


COLUMNS = {
    "airline passengers, monthly": "passengers",
    "electrical equipment, monthly": "orders",
    "carbon dioxide, monthly": "co2",
    "Seattle's highest temperature, daily": "temp_max",
    "Microsoft's share, monthly": "price",
}


def measure() -> str:
    with tempfile.TemporaryDirectory() as name:
        paths = _write(Path(name))
        jobs = [(what, seed) for what in COLUMNS for seed in SEEDS] + [("sunspots", seed) for seed in SUNSPOT_SEEDS]
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
    asked = (
        "Asked for: at least as good as the season before on each; at most 1.1 times ridge regression's on trending "
        "seasonal months and\ndaily weather; on sunspots a skill against the naive forecasts above 0.15 for 20 of 20 "
        "seeds. Splits, season, window and scaling\nare the defaults, which look at the training split alone. In the "
        "share's price no season is found: there, the forecast by season is\nthe last value, which nothing beats, and "
        "the run says so.\n"
    )
    return f"## Forecasts, `model=lstm data=series`, default settings\n\n{markdown(head, rows)}\n{asked}"


def _row(what: str, of: list[dict[str, float]]) -> tuple[str, ...]:
    own = [metrics["test/rmse"] for metrics in of]
    naive, seasonal, ridge = (of[0][f"test/{name}_rmse"] for name in (*NAIVE, "ridge"))
    skills = [1 - rmse / min(naive, seasonal) for rmse in own]
    listed = f"{statistics.mean(own):.3g} ({min(own):.3g} to {max(own):.3g})"
    skill = f"{statistics.mean(skills):.2f} ({min(skills):.2f} to {max(skills):.2f})"
    ratio = f"{statistics.mean(own) / ridge:.2f}"
    return what, listed, f"{naive:.3g}", f"{seasonal:.3g}", f"{ridge:.3g}", ratio, skill, f"{len(of)} seeds"


def _write(folder: Path) -> dict[str, Path]:
    """The series as files of two columns. The weather and the share are of the package vega_datasets 0.9.0."""
    months = [date(1949 + i // 12, 1 + i % 12, 1) for i in range(len(AIRLINE))]
    series = {
        "airline passengers, monthly": pl.DataFrame({"month": months, "passengers": AIRLINE}),
        "electrical equipment, monthly": _packaged("statsmodels", "datasets", "elec_equip", "elec_equip.csv"),
        "carbon dioxide, monthly": _carbon_dioxide(),
        "Seattle's highest temperature, daily": _packaged("vega_datasets", "_data", "seattle-weather.csv"),
        "Microsoft's share, monthly": _packaged("vega_datasets", "_data", "stocks.csv"),
    }
    paths = {}
    for number, (what, frame) in enumerate(series.items()):
        if "symbol" in frame.columns:
            frame = frame.filter(pl.col("symbol") == "MSFT").drop("symbol")
        frame = frame.rename({frame.columns[-1]: COLUMNS[what]}) if frame.width == 2 else frame
        paths[what] = folder / f"{number}.csv"
        with paths[what].open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("date", COLUMNS[what]))
            writer.writerows(frame.select(frame.columns[0], COLUMNS[what]).rows())
    return paths


def _packaged(*names: str) -> pl.DataFrame:
    return read_frame(package_file(*names), (), encoding="auto", separator="auto")


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
