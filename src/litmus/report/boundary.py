"""A page's part on what a network of two inputs, or of one, makes of each place: epoch by epoch."""

from litmus.config.boundaries import Boundaries
from litmus.page.boundary import boundary
from litmus.page.selection import evenly
from litmus.report.parts import Frames, Section

MOST_FRAMES = 30


def sections(shown: Boundaries | None) -> list[Section]:
    """The pictures of some epochs, one at a time."""
    if shown is None:
        return []
    some = [int(number) for number in evenly(len(shown.epochs), MOST_FRAMES)]
    frames = [(f"{int(shown.epochs[number]):,}", boundary(shown, number)) for number in some]
    return [Section("boundary", _title(shown), [Frames("boundary", _said(shown), frames)])]


def _title(shown: Boundaries) -> str:
    return "The decision boundary" if shown.classes else "The curve"


def _said(shown: Boundaries) -> str:
    choose = "Choose an epoch; 0 is before the training." if 0 in shown.epochs else "Choose an epoch."
    if not shown.classes:
        return f"What the network predicts for each input, and the training samples. {choose}"
    lines = " Each dashed line is where a hidden unit's sum is 0." if shown.units.shape[1] else ""
    seen = "The class that the network predicts at each place, white where it changes, and the training samples."
    return f"{seen}{lines} {choose}"
