"""What came of a learning-rate range test: on the screen, as a picture, and as JSON."""

from pathlib import Path
from typing import TYPE_CHECKING

from litmus import console
from litmus.config.types import Section
from litmus.page.axes import axis
from litmus.page.charts import Line, lines
from litmus.page.drawing import Drawing
from litmus.record.files import replacing
from litmus.record.folder import finite

if TYPE_CHECKING:
    from litmus.run.learning_rate import RangeTest

LOSS, RATE = "train/loss", "optimizer.lr"
BLOCKS = 40  # of the sparkline


def override(test: "RangeTest") -> str | None:
    """The suggestion as one types it; None where there is none."""
    return None if test.suggestion is None else f"{RATE}={test.suggestion:g}"


def reason(test: "RangeTest") -> str | None:
    """Why there is no suggestion, and what to try; None where there is one."""
    if test.suggestion is not None:
        return None
    between = f"from {RATE}={test.rates[0]:.2g} to {test.rates[-1]:.2g}"
    if test.ended_early and test.lowest < len(test.rates) / 10:
        return f"The loss never falls, it only grows, {between}. Begin lower: --from {test.rates[0] / 1000:.1g}."
    return (
        f"The loss never falls by more than it varies from batch to batch, {between}: it is {test.first:.4g} before "
        f"the first step, and {test.smoothed[test.lowest]:.4g} at best. More --steps show smaller falls."
    )


def show(test: "RangeTest", configured: float, command: str | None, picture: Path | None) -> None:
    """Prints the curve, and the rate as a command.

    Args:
        test: it.
        configured: the rate that was set.
        command: that trains with the suggestion; None without one.
        picture: its file, if there is one.
    """
    room, at = min(BLOCKS, len(test.rates)), float(test.rates[test.lowest])
    ended = "where the loss has grown" if test.ended_early else "the last rate"
    curve = console.sparkline(test.smoothed.tolist(), room)
    console.say(f"{LOSS:<{console.LABEL}}{curve}  {RATE} {test.rates[0]:.2g} to {test.rates[-1]:.2g}, {ended}")
    if command is None:
        console.say(str(reason(test)), style="yellow", wrap=True)
    else:
        place = " " * (console.LABEL + test.lowest * room // len(test.rates))
        console.say(f"{place}^ {test.smoothed[test.lowest]:.4g} at {at:.2g}, {test.first:.4g} before the first step")
        console.say(f"{'suggestion':<{console.LABEL}}{override(test)}, a third of {at:.2g} (set: {configured:g})")
        if test.still_falls:
            console.say(f"The loss still falls at the last rate: a higher --to may find a higher {RATE}.", wrap=True)
        console.say_command("train", command)
    if picture is not None:
        console.say_labeled("picture", str(picture))


def plain(test: "RangeTest", configured: float, command: str | None, picture: Path | None) -> object:
    """The same, as JSON has it; arguments as of `show`."""
    content: Section = {
        "suggestion": test.suggestion,
        "command": command,
        "reason": reason(test),
        "configured": configured,
        "lowest": {"lr": float(test.rates[test.lowest]), "loss": float(test.smoothed[test.lowest])},
        "first_loss": test.first,
        "ended_early": test.ended_early,
        "picture": None if picture is None else str(picture),
        "rates": test.rates.tolist(),
        "losses": test.losses.tolist(),
        "smoothed": test.smoothed.tolist(),
    }
    return finite(content)


def drawing(test: "RangeTest", title: str) -> Drawing:
    """The loss after each step over its rate, with a line at the suggestion.

    Args:
        test: it.
        title: what was tested.
    """
    rates, mark = test.rates.tolist(), None
    if test.suggestion is not None:
        mark = (test.suggestion, f"{RATE}={test.suggestion:g}")
    drawn = [
        Line("a batch", rates, test.losses.tolist(), "line"),
        Line("smoothed", rates, test.smoothed.tolist()),
    ]
    return lines(
        f"loss over the learning rate, {title}",
        axis(rates, f"{RATE} ({title})", log=True),
        axis([*test.losses, test.first], LOSS),
        drawn,
        mark,
    )


def write(picture: Path, content: Drawing) -> None:
    """Writes the picture, a PNG, whole or not at all."""
    with replacing(picture) as temporary:
        temporary.write_bytes(content.png())
