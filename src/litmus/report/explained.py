"""The page of `litmus explain RUN INPUT`, and a picture of each input."""

from collections.abc import Sequence
from pathlib import Path

from litmus.config.explanation import Explanation
from litmus.page.drawing import Drawing
from litmus.page.explanation import drawing_of
from litmus.page.template import render
from litmus.record.files import replacing, write_text
from litmus.report.explanations import COLORS, caption

PAGE = "explained.html"


def write(folder: Path, title: str, explanations: Sequence[Explanation]) -> Path:
    """Writes `1.png`, `2.png`, ... and `explained.html` into a folder; gives the page."""
    from markupsafe import Markup  # Jinja's: text that is not escaped again

    figures: list[tuple[Drawing, str]] = []
    for number, own in enumerate(explanations, start=1):
        drawing = drawing_of(own)
        with replacing(folder / f"{number}.png") as temporary:
            temporary.write_bytes(drawing.png())
        figures.append((drawing, caption(own)))
    text = render(
        "litmus.report",
        "explained.html.jinja",
        title=title,
        colors=COLORS,
        figures=figures,
        svg=lambda drawing: Markup(drawing.svg()),  # escaped by the drawing
    )
    write_text(folder / PAGE, text.encode("utf-8", "replace").decode())
    return folder / PAGE
