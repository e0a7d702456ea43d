"""`litmus predict RUN` on a run of a series: what follows the last value."""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from litmus.errors import UserError, WrongArguments
from litmus.fetch import local
from litmus.record.files import replacing
from litmus.record.folder import RunDir

if TYPE_CHECKING:
    from litmus.inference.forecast import Forecast

MOST_ROWS = 60  # of a table on the screen


def main(run: RunDir, words: Sequence[str], arguments: argparse.Namespace) -> int:
    """Prints forecasts as a table, and writes them to `--out`, with a picture beside.

    Raises:
        UserError: the file cannot be read, or is no continuation.
    """
    if len(words) > 1:
        raise WrongArguments("This run forecasts a series: name one file that it should continue, or none.")
    path = local.expand(words[0]) if words else None
    out = local.expand(arguments.out) if arguments.out else None
    if path is not None and local.kind_of(path) == "missing":
        raise UserError(f"There is no file {path}. This run takes a table of a series.")
    if out is not None:
        own = run.read_config()["data"]["path"]
        _check_out(out, [path, None if own is None else local.expand(own)])
    run.check_best()
    level = arguments.level

    from litmus import console
    from litmus.inference.forecast import LEVEL, load_forecaster

    with console.log_to(None):
        forecaster = load_forecaster(run)
        level = LEVEL if level is None else level
        forecasts = forecaster.forecast(path, arguments.steps, level)
        columns, rows = as_rows(forecasts)
        if arguments.json:
            for row in rows:
                console.json_line({name: _plain(cell) for name, cell in zip(columns, row, strict=True)})
        else:
            console.table(columns, rows[:MOST_ROWS], title=f"forecast, with intervals of {100 * level:g}%")
            if len(rows) > MOST_ROWS:
                console.say(f"... and {len(rows) - MOST_ROWS:,} more rows; --out forecast.csv writes all")
        for note in forecaster.notes:
            if arguments.json:
                console.error(note)
            else:
                console.say(note, wrap=True)
        if out is not None:
            _write(out, columns, rows, forecasts, level)
    return 0


def _check_out(out: Path, tables: Sequence[Path | None]) -> None:
    """Checks that a forecast can be written there, before anything is loaded.

    Args:
        out: of `--out`.
        tables: what is forecast, and what the run was trained on.

    Raises:
        WrongArguments: its name ends otherwise.
        UserError: it is a folder, or one of the tables.
    """
    if out.suffix.lower() != ".csv":
        raise WrongArguments(f"--out {out} should end in .csv: forecasts are a CSV, with a picture beside it.")
    if local.kind_of(out) == "folder":
        raise UserError(f"{out} is a folder. Name a file for the forecasts.")
    if any(table is not None and out.resolve() == table.resolve() for table in tables):
        raise UserError(f"--out {out} would replace the series itself. Name another file.")


def as_rows(forecasts: Sequence["Forecast"]) -> tuple[list[str], list[tuple[object, ...]]]:
    """The columns of a table of forecasts, and a row for each step of each."""
    from litmus.data.timeline.dates import shown

    has_groups, has_dates = any(own.group for own in forecasts), forecasts[0].dates is not None
    columns = [*(["group"] if has_groups else []), *(["date"] if has_dates else []), "step", forecasts[0].name]
    rows: list[tuple[object, ...]] = []
    for own in forecasts:
        for i, (value, low, high) in enumerate(zip(own.values, own.low, own.high, strict=True)):
            group = [own.group] if has_groups else []
            date = [shown(own.dates[i])] if own.dates is not None else []
            interval = ("", "") if low != low else (float(low), float(high))  # NaN: there is none
            rows.append((*group, *date, i + 1, float(value), *interval))
    return [*columns, "low", "high"], rows


def _plain(cell: object) -> object:
    return None if cell == "" else cell


def _write(
    path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]], forecasts: Sequence["Forecast"], level: float
) -> None:
    from litmus import console
    from litmus.inference.chart import draw_forecasts

    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    picture = path.with_suffix(".png")
    drawn = draw_forecasts(forecasts, level, picture)
    beside = str(picture) if drawn else "(pip install 'litmus[compare]' draws them, too)"
    console.say(f"forecasts  {path}  {beside}")
