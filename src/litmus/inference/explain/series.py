"""Which steps of a window a forecast rests on."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litmus.config.explanation import Explanation, Part
from litmus.config.protocols import Net
from litmus.inference.explain.attribution import integrated_gradients
from litmus.inference.explain.target import chosen, score_of
from litmus.inference.prediction import TOPK, predictions_of
from litmus.spec import Series

METHOD = "integrated gradients"


class WindowExplainer:
    """Explains the forecasts of a network, step by step of the window that it sees.

    A network that forecasts changes from the last value is compared with a window that stays there, any other with one
    of the training split's means.

    Args:
        net: in evaluation mode; its input is a series.
    """

    def __init__(self, net: Net) -> None:
        assert isinstance(net.spec.input, Series)
        self.net, self.series = net, net.spec.input

    def explain(self, window: Tensor, name: str, target: str | None) -> Explanation:
        """What each step, and each column in it, adds to a forecast.

        Args:
            window: as the network receives it, float32 (1, length, features).
            name: of the series.
            target: the step to explain; None takes the first.

        Raises:
            UserError: there is no such step.
        """
        baseline, words = torch.zeros_like(window), "a window of the training split's means"
        if self.series.scaling != "series":
            baseline[:, :, 0] = window[:, -1:, 0]
            words = "a window that stays at its last value"
        with torch.no_grad():
            outputs = self.net(window)
        number = chosen(self.net, outputs, target)
        found = integrated_gradients(score_of(self.net, number), window, baseline)
        (prediction,) = predictions_of(self.net, outputs, TOPK)
        return Explanation(
            name,
            self.net.spec.target.names[number],
            dict(prediction),
            found.output,
            found.reference,
            words,
            METHOD,
            found.error,
            kind="window",
            parts=self._parts(window[0].numpy(), found.values[0].numpy()),
        )

    def _parts(self, window: NDArray[np.float32], values: NDArray[np.float32]) -> list[Part]:
        """Of each column its steps, in the data's unit."""
        shown = window * np.array(self.series.std) + np.array(self.series.mean)
        names = self.series.columns or self.series.raw
        several = len(names) > 1
        return [
            Part(
                _name(names[column] if several else "", len(window) - 1 - step),
                f"{own:.5g}",
                float(value),
                names[column],
            )
            for column in range(window.shape[1])
            for step, (own, value) in enumerate(zip(shown[:, column], values[:, column], strict=True))
        ]


def _name(column: str, before: int) -> str:
    """`t` is the last step of the window, `sales, t-2` a column's two steps before."""
    step = f"t-{before}" if before else "t"
    return f"{column}, {step}" if column else step
