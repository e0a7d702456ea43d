"""The figure of 01-perceptron.md: the boundaries of both networks on both kinds of points."""

from collections.abc import Sequence

from guide_runs import Run, of
from PIL.Image import Image

from litmus.page.boundary import boundary
from litmus.record import boundaries


def draw(runs: Sequence[Run]) -> list[list[Image]]:
    """Rows of pictures: the perceptron's, and the other network's."""
    return [
        [_last(of(runs, model=model, data__kind=kind, seed=0)[0]) for kind in ("linear", "xor")]
        for model in ("perceptron", "fnn")
    ]


def _last(run: Run) -> Image:
    found = boundaries.read(run.path)
    assert found is not None
    return boundary(found, len(found.epochs) - 1).raster(scale=1)
