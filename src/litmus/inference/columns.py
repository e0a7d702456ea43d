"""Predictions of a network for rows of a table."""

from collections.abc import Sequence
from typing import ClassVar

import polars as pl
import torch

from litmus.config.protocols import Net
from litmus.data.columns.conform import Conformed, conform
from litmus.inference.prediction import TOPK, RowPrediction, key_of, predictions_of
from litmus.spec import Columns, Input


class ColumnPredictor:
    """Predicts a class or values for rows of a table, encoded as in training.

    Args:
        net: in evaluation mode; its input are columns.

    Attributes:
        column_names: of the columns that the network takes.
        key: of the figures in a prediction.
        names: of the classes or values.
    """

    input_kind: ClassVar[type[Input]] = Columns
    batch_size = 4096

    def __init__(self, net: Net) -> None:
        assert isinstance(net.spec.input, Columns)
        self.net = net
        self.columns = net.spec.input
        self.column_names = list(net.spec.input.by_name())
        self.key, self.names = key_of(net), net.spec.target.names

    def predict(
        self, frame: pl.DataFrame, batch_size: int, topk: int = TOPK, decimal_comma: bool = False
    ) -> list[RowPrediction]:
        """A prediction for each row, in order; `note` says what is odd about it.

        Args:
            frame: with the network's columns, of any types; others are not looked at.
            batch_size: rows at a time; it changes no prediction.
            topk: classes of a row, the best first.
            decimal_comma: whether text such as "1,5" is a number.
        """
        return self.predict_conformed([conform(frame, self.columns, decimal_comma)], batch_size, topk)

    @torch.inference_mode()
    def predict_conformed(self, parts: Sequence[Conformed], batch_size: int, topk: int) -> list[RowPrediction]:
        """The same for the rows of several tables, end to end; `parts` is at least one of them, conformed."""
        predictions: list[RowPrediction] = []
        for inputs in torch.cat([part.inputs for part in parts]).split(batch_size):
            predictions += predictions_of(self.net, self.net(inputs), topk)
        first = 0
        for part in parts:
            for row, notes in part.notes.items():
                predictions[first + row]["note"] = "; ".join(notes)
            first += len(part.inputs)
        return predictions
