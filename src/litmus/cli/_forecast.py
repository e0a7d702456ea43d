"""`litmus predict RUN` on a run of a series: what follows the last value."""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from litmus.cli._loading import loading, say_device
from litmus.errors import UserError, WrongArguments
from litmus.fetch import local
from litmus.inference.device import find_device
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
    if path is None and arguments.encoding is not None:
        raise WrongArguments("--encoding is that of a file to continue. Name the file.")
    config, out = run.read_config(), None
    if path is not None and local.kind_of(path) == "missing":
        raise UserError(f"There is no file {path}. This run takes a table of a series.")
    if arguments.out:
        own = config["data"]["path"]
        out = _check_out(arguments.out, [path, None if own is None else local.expand(own)])
    run.check_best()
    level = arguments.level

    from litmus import console

    with console.log_to(None):
        with loading(run, config, arguments.json):
            from litmus.inference.forecast import LEVEL, as_rows, load_forecaster

            device = find_device(arguments.device)
            say_device(device, arguments.json)
            forecaster = load_forecaster(run, device)
        level = LEVEL if level is None else level
        forecasts = forecaster.forecast(path, arguments.steps, level, arguments.encoding)
        found = as_rows(forecasts)
        columns, rows = list(found[0]), [["" if cell is None else cell for cell in row.values()] for row in found]
        if arguments.json:
            for row in found:
                console.json_line(row)
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


def _check_out(given: str, tables: Sequence[Path | None]) -> Path:
    """Checks that a forecast can be written there, before anything is loaded.

    Args:
        given: `--out`.
        tables: what is forecast, and what the run was trained on.

    Returns:
        Where.

    Raises:
        WrongArguments: its name ends otherwise.
        UserError: it is a folder, or one of the tables.
    """
    out = local.expand(given)
    if out.suffix.lower() != ".csv":
        raise WrongArguments(f"--out {given} should end in .csv: forecasts are a CSV, with a picture beside it.")
    if local.kind_of(out) == "folder":
        raise UserError(f"{given} is a folder. Name a file for the forecasts.")
    if any(table is not None and out.resolve() == table.resolve() for table in tables):
        raise UserError(f"--out {given} would replace the series itself. Name another file.")
    return out


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
