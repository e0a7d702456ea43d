"""Predictions for the rows of a file: of columns, of texts in a column, or of images whose paths are in a column."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from litmus.data.columns.encode import check_columns
from litmus.data.columns.read import as_names
from litmus.data.columns.stream import Stream
from litmus.inference.answers import AnswerColumns, Prediction
from litmus.inference.columns import ColumnPredictor
from litmus.inference.images import ImagePredictor
from litmus.inference.pipeline import PipelinePredictor
from litmus.inference.predict import Predictor
from litmus.inference.prediction import ImagePrediction
from litmus.spec import Labels

NO_PATH = "has no path"
SLICE = 16  # batches of a network that are one step of a bar


class TablePredictor:
    """Predicts for each row of a table, some rows at a time.

    Args:
        predictor: of any kind.
        path: of the table; paths of images are relative to its folder.
        stream: the table.
        column: of the texts, or of the images' paths; None where the network takes columns.
        batch_size: samples at a time.
        topk: classes of a row, the best first.
        min_score: boxes with a lower score are dropped.

    Attributes:
        answers: the columns that predictions add to the table.
        rows_at_a_time: so many that a bar moves now and then.

    Raises:
        UserError: the table lacks columns that the network takes, or has those of the answers.
    """

    def __init__(
        self,
        predictor: Predictor,
        path: Path,
        stream: Stream,
        *,
        column: str | None,
        batch_size: int,
        topk: int,
        min_score: float,
    ) -> None:
        self.predictor = predictor
        self.column = column
        self.folder = path.parent
        self.decimal_comma = stream.decimal_comma
        labels = not isinstance(predictor, PipelinePredictor) and isinstance(predictor.net.spec.target, Labels)
        topk = len(predictor.names) if labels else topk
        self.batch_size, self.topk, self.min_score = batch_size, topk, min_score
        self.rows_at_a_time = SLICE * batch_size
        if isinstance(predictor, ColumnPredictor):
            check_columns(stream.columns, predictor.columns, str(path))
        of_images = isinstance(predictor, ImagePredictor)
        self.answers = AnswerColumns(
            predictor.key, predictor.names, topk, labels=labels, of_images=of_images, taken=stream.columns
        )

    def predict(self, rows: pl.DataFrame) -> Sequence[Prediction]:
        """A prediction for each row, in order."""
        if isinstance(self.predictor, ColumnPredictor):
            return self.predictor.predict(rows, self.batch_size, self.topk, self.decimal_comma)
        assert self.column is not None
        cells = as_names(rows[self.column]).fill_null("").to_list()
        if isinstance(self.predictor, ImagePredictor):
            return self._of_images(self.predictor, [cell.strip() for cell in cells])
        return self.predictor.predict(cells, self.batch_size, self.topk)

    def _of_images(self, predictor: ImagePredictor, paths: list[str]) -> list[Prediction]:
        named = [self.folder / path for path in paths if path]
        found = predictor.predict(named, self.batch_size, self.topk, self.min_score)
        lacking: ImagePrediction = {"image": "", "error": NO_PATH}
        return [next(found) if path else lacking for path in paths]
