"""Test accuracy of the recipes without convolutions; some minutes a seed."""

from bench.accuracy import table

SEEDS = (0, 1, 2, 3, 4)


def measure() -> str:
    return "## Accuracy on MNIST, recipes without convolutions\n\n" + table(
        [("experiment=fnn_best", SEEDS, "at least 99.0 %"), ("experiment=lstm_rows_best", SEEDS, "at least 99.2 %")]
    )
