"""Predictions for the rows of a table, as columns beside its own; and files of them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, NamedTuple

import polars as pl
import polars.selectors as cs

from litmus.errors import UserError, first_line
from litmus.inference.prediction import ImagePrediction, Key, RowPrediction
from litmus.record.files import replacing

PREFIX = "litmus_"
PARQUET, SEPARATORS = ".parquet", {".csv": ",", ".tsv": "\t"}
BETWEEN_LABELS = "|"
FIGURE = {"probabilities": "probability", "scores": "score"}

Prediction = RowPrediction | ImagePrediction
Cell = str | float | None
Write = Callable[[pl.DataFrame], None]


class Column(NamedTuple):
    """One of the columns: its type, and its cell for a prediction."""

    kind: type[pl.String] | type[pl.Float32]
    cell: Callable[[Prediction], Cell]


class AnswerColumns:
    """The columns that predictions add to a table.

    They are `prediction` and `probability` (or `score`) of the best class, and `prediction_2`, `probability_2` ... of
    others; or `prediction`, the labels with | between them, and the probability of each; or `prediction` of one value,
    `prediction_NAME` of several, in the data's unit; or `boxes`, as JSON. Then `note`, and of images `error`. All of
    them begin with `litmus_` if the table has one of these names.

    Args:
        key: of the figures in the predictions.
        names: of the classes or values.
        topk: classes of a row.
        labels: whether a row has any number of labels.
        of_images: whether rows are images.
        taken: the names of the table's columns.

    Raises:
        UserError: the table has such columns even with `litmus_`.
    """

    def __init__(
        self, key: Key, names: Sequence[str], topk: int, *, labels: bool, of_images: bool, taken: Sequence[str]
    ) -> None:
        own: dict[str, Column] = {}
        if key == "boxes":
            own["boxes"] = Column(pl.String, _boxes)
        elif key == "values":
            for name in names:
                own["prediction" if len(names) == 1 else f"prediction_{name}"] = _value(name)
        elif labels:
            own["prediction"] = Column(pl.String, _labels)
            own |= {f"{FIGURE[key]}_{name}": _figure_of(name) for name in names}
        else:
            for rank in range(min(topk, len(names))):
                suffix = f"_{rank + 1}" if rank else ""
                own[f"prediction{suffix}"] = _label(rank)
                own[f"{FIGURE[key]}{suffix}"] = _figure(rank)
        own["note"] = Column(pl.String, lambda prediction: prediction.get("note"))
        if of_images:
            own["error"] = Column(pl.String, error_of)
        prefix = PREFIX if set(own) & set(taken) else ""
        self.columns = {f"{prefix}{name}": column for name, column in own.items()}
        if doubled := [name for name in self.columns if name in taken]:
            raise UserError(f"The table has columns that the answers would have: {', '.join(doubled)}. Rename them.")

    def frame(self, predictions: Sequence[Prediction]) -> pl.DataFrame:
        """A row for each prediction; what it lacks is null."""
        return pl.DataFrame(
            [
                pl.Series(name, [column.cell(prediction) for prediction in predictions], column.kind)
                for name, column in self.columns.items()
            ]
        )


def error_of(prediction: Prediction) -> str | None:
    """Why there is no prediction for an image; None for others."""
    found = prediction.get("error")
    return found if isinstance(found, str) else None


def is_answered(prediction: Prediction) -> bool:
    """Whether a prediction says anything but a note or an error."""
    return bool(_ranked(prediction) or prediction.get("values") or "boxes" in prediction)


def _ranked(prediction: Prediction) -> dict[str, float]:
    return prediction.get("probabilities") or prediction.get("scores") or {}


def _boxes(prediction: Prediction) -> Cell:
    found = prediction.get("boxes")
    return None if found is None else json.dumps(found, ensure_ascii=False)


def _value(name: str) -> Column:
    return Column(pl.Float32, lambda prediction: prediction.get("values", {}).get(name))


def _labels(prediction: Prediction) -> Cell:
    found = prediction.get("labels")
    return None if found is None else BETWEEN_LABELS.join(found)


def _figure_of(name: str) -> Column:
    return Column(pl.Float32, lambda prediction: _ranked(prediction).get(name))


def _label(rank: int) -> Column:
    return Column(pl.String, lambda prediction: next(islice(_ranked(prediction), rank, None), None))


def _figure(rank: int) -> Column:
    return Column(pl.Float32, lambda prediction: next(islice(_ranked(prediction).values(), rank, None), None))


@contextmanager
def answer_file(path: Path, separator: str = ",") -> Iterator[Write]:
    """Gives what writes tables end to end into one file, which is written whole or not at all.

    Args:
        path: .csv, .tsv, .jsonl, .ndjson or .parquet; text is UTF-8.
        separator: of a .csv.

    Raises:
        UserError: the tables cannot be written so.
    """
    try:
        with replacing(path) as temporary:
            if path.suffix.lower() == PARQUET:
                with _parquet_writer(temporary) as write:
                    yield write
            else:
                with temporary.open("wb") as file:
                    yield _text_writer(file, path.suffix.lower(), {**SEPARATORS, ".csv": separator})
    except pl.exceptions.PolarsError as error:
        raise UserError(f"{path} cannot be written: {first_line(error)}.") from None


def _text_writer(file: BinaryIO, suffix: str, separators: Mapping[str, str]) -> Write:
    is_first = True

    def write(frame: pl.DataFrame) -> None:
        nonlocal is_first
        frame = frame.with_columns(cs.duration().dt.total_seconds(fractional=True))  # as `tidied` reads them
        if suffix in separators:
            flat = frame.with_columns(_as_json(column) for column in frame if column.dtype.is_nested())
            flat.write_csv(file, separator=separators[suffix], include_header=is_first)
        else:
            frame.write_ndjson(file)
        is_first = False

    return write


def _as_json(column: pl.Series) -> pl.Series:
    cells = [None if cell is None else json.dumps(cell, default=str, ensure_ascii=False) for cell in column.to_list()]
    return pl.Series(column.name, cells, pl.String)


@contextmanager
def _parquet_writer(path: Path) -> Iterator[Write]:
    """Keeps the tables on disk until all are there: what a column holds is known then."""
    with TemporaryDirectory(dir=path.parent, prefix=f"{path.name}-") as folder:
        parts: list[Path] = []

        def write(frame: pl.DataFrame) -> None:
            parts.append(Path(folder, str(len(parts))))
            frame.write_ipc(parts[-1])

        yield write
        pl.concat([pl.scan_ipc(part) for part in parts], how="vertical_relaxed").sink_parquet(path)
