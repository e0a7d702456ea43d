"""`litmus predict` for the rows of a table in a file."""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from litmus import console
from litmus.config.types import Section
from litmus.config.validate import did_you_mean
from litmus.errors import UserError, WrongArguments
from litmus.fetch import local
from litmus.fetch.encoding import encoding_of_another

if TYPE_CHECKING:
    import polars as pl

    from litmus.data.columns.stream import Stream
    from litmus.inference.answers import Prediction
    from litmus.inference.tables import TablePredictor

ANSWERS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
FIRST_ROWS, FIRST_COLUMNS = 10, 4  # of a table, that are shown
MOST_NOTES, SHOWN_NOTES = 10_000, 5  # that are counted apart, and that are shown
READING = {"encoding": "auto", "separator": "auto"}  # the keys of a dataset that say how its file is read

Answered = Iterator[tuple["pl.DataFrame", "Sequence[Prediction]"]]


def parquet_answers(out: str | None, table: Path) -> str:
    """The file of `--parquet`: that of `--out`, or one in the current folder that is named after the table.

    Raises:
        WrongArguments: `--out` names a file of another kind.
    """
    if out is None:
        return f"{table.stem}-answers.parquet"
    if not out.lower().endswith(".parquet"):
        raise WrongArguments(f"--parquet writes Parquet, but --out is {out}. Leave one of them out.")
    return out


def check_answers(out: str, table: Path) -> None:
    """Checks that answers can be written into a file of that name.

    Raises:
        WrongArguments: its name ends otherwise.
        UserError: it is a folder, or the table itself.
    """
    path = local.expand(out)
    if path.suffix.lower() not in ANSWERS:
        raise WrongArguments(f"--out {out} should end in {', '.join(ANSWERS[:-1])} or {ANSWERS[-1]}.")
    if local.kind_of(path) == "folder":
        raise UserError(f"{out} is a folder. Name a file for the answers.")
    if path.resolve() == table.resolve():
        raise UserError(f"--out {out} would replace the table itself. Name another file.")


def open_stream(path: Path, settings: Section, wanted: list[str], encoding: str | None) -> "Stream":
    """A table, read as a dataset of these settings reads its own.

    Args:
        path: of the table.
        settings: of the dataset.
        wanted: columns that it should have.
        encoding: of `--encoding`.
    """
    from litmus.data.columns.stream import open_table

    how = {key: str(settings.get(key, usual)) for key, usual in READING.items()}
    codec = encoding or encoding_of_another(path, how["encoding"])
    return open_table(path, wanted, encoding=codec, separator=how["separator"])


def choose_column(stream: "Stream", path: Path, asked: str | None, own: str | None, noun: str) -> str:
    """The column of the texts, or of the images' paths.

    Args:
        stream: the table.
        path: of the table.
        asked: the column of `--column`.
        own: the column of the run's own table.
        noun: what is in it.

    Raises:
        UserError: there is no such column, or nothing says which it is.
    """
    has = f"It has: {', '.join(stream.columns)}."
    if asked is not None:
        if asked not in stream.columns:
            raise UserError(f"{path} has no column {asked}.{did_you_mean(asked, stream.columns)} {has}")
        return asked
    if own in stream.columns and own is not None:
        return own
    if len(stream.columns) == 1:
        return stream.columns[0]
    lacks = f"{path} has no column {own}, as the run's own table. " if own is not None else ""
    raise UserError(f"{lacks}Name the column of the {noun} in {path}: --column NAME. {has}")


def predict_file(tables: "TablePredictor", path: Path, stream: "Stream", arguments: argparse.Namespace) -> int:
    """Prints the answers for the first rows, or writes those for all; gives the exit status.

    Args:
        tables: what predicts.
        path: of the table.
        stream: the table.
        arguments: of the command line.

    Raises:
        UserError: the table cannot be read to its end, or the answers cannot be written.
    """
    report = Report()
    if arguments.json:
        for _, predictions in report.counting(_answered(tables, stream)):
            for prediction in predictions:
                console.json_line(prediction)
    elif arguments.out:
        # A comma that separates columns stands between thousands elsewhere: 7,440 would be read as another number.
        separator = ";" if stream.decimal_comma else ","
        _write(local.expand(arguments.out), separator, tables, report.counting(_answered(tables, stream)))
        console.say(f"{arguments.out}: {console.counted(report.num_rows, 'row')} of {path} with answers")
    else:
        _show(tables, stream, report)
    report.say()
    return report.status


def _answered(tables: "TablePredictor", stream: "Stream") -> Answered:
    """All rows, with a bar in a terminal."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("predicting"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console.err, disable=not console.err.is_terminal, transient=True) as bar:
        task, before = bar.add_task("", total=1.0), 0.0
        for chunk, fraction in stream.chunks:
            step = (fraction - before) / chunk.height
            before = fraction
            for rows in chunk.iter_slices(tables.rows_at_a_time):
                yield rows, tables.predict(rows)
                bar.advance(task, step * rows.height)


def _write(out: Path, separator: str, tables: "TablePredictor", answered: Answered) -> None:
    from litmus.inference.answers import answer_file

    with answer_file(out, separator) as write:
        for rows, predictions in answered:
            write(rows.hstack(tables.answers.frame(predictions)))


def _show(tables: "TablePredictor", stream: "Stream", report: "Report") -> None:
    """The first rows: their first columns, and the answers."""
    first, _ = next(stream.chunks)
    num_rows = first.height + sum(chunk.height for chunk, _ in stream.chunks)  # also checks that all can be read
    rows = first.head(FIRST_ROWS)
    ((_, predictions),) = report.counting(iter([(rows, tables.predict(rows))]))
    found = tables.answers.frame(predictions)
    found = found.select(column for column in found if column.null_count() < found.height)
    shown = rows.select(rows.columns[:FIRST_COLUMNS]).hstack(found)
    cells = [["" if cell is None else cell for cell in row] for row in shown.iter_rows()]
    console.table(shown.columns, cells)
    if num_rows > rows.height:
        console.say(f"the first {rows.height} of {num_rows:,} rows; --out answers.csv writes the answers for all")


class Report:
    """What became of the rows."""

    def __init__(self) -> None:
        self.num_rows = self.num_answers = self.num_errors = 0
        self._counts: Counter[str] = Counter()  # of each note
        self._first: dict[str, int] = {}  # row of each note, counted from 1

    @property
    def status(self) -> int:
        """The exit status: 1 if a row has an error, or none has an answer."""
        return 1 if self.num_errors or not self.num_answers else 0

    def counting(self, answered: Answered) -> Answered:
        """The same, counted."""
        from litmus.inference.answers import error_of, is_answered

        for rows, predictions in answered:
            for number, prediction in enumerate(predictions, start=self.num_rows + 1):
                error = error_of(prediction)
                self.num_errors += error is not None
                self.num_answers += is_answered(prediction)
                for note in [error] if error else filter(None, prediction.get("note", "").split("; ")):
                    if note in self._counts or len(self._counts) < MOST_NOTES:
                        self._counts[note] += 1
                        self._first.setdefault(note, number)
            self.num_rows += rows.height
            yield rows, predictions

    def say(self) -> None:
        """The most frequent notes and errors, on standard error."""
        for note, count in self._counts.most_common(SHOWN_NOTES):
            where = (
                f"row {self._first[note]:,}" if count == 1 else f"{count:,} rows, first in row {self._first[note]:,}"
            )
            console.error(f"{where}: {note}")
        if len(self._counts) > SHOWN_NOTES:
            console.error(f"and {console.counted(len(self._counts) - SHOWN_NOTES, 'other note')}, in the column note")
