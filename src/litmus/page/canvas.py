"""How figures are drawn: style, colors, one drawing for the files and for the page."""

import io
import os
import re
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from litmus.page import drawing

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure as Canvas
    from matplotlib.typing import RcKeyType

COLORS = tuple(drawing.LIGHT[name] for name in drawing.COLORS)
GRAY = "#7f7f7f"  # of what may be chance
DASHES = ("-", "--", "-.", ":")
LONGEST = 34  # characters of a label
# A page replaces these and COLORS by its own, of which it has two shades; a file keeps them.
INK, PAPER = "#1b1f24", "#fffffe"
STYLE: "dict[RcKeyType, object]" = {
    "font.family": "sans-serif",
    "font.size": 9,
    "text.parse_math": False,  # a dollar sign in a value is no formula
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.titlesize": 9,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "figure.facecolor": PAPER,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "pdf.fonttype": 42,  # TrueType: journals refuse Type 3
    "svg.fonttype": "none",  # text stays text: small, and searchable
    "figure.dpi": 100,
}


@dataclass(frozen=True)
class Figure:
    """A drawn figure.

    Attributes:
        name: of its files, without a suffix.
        caption: what it shows, how many settings are omitted, and what the marks are.
        svg: the drawing, an `<svg>` element.
        png: the same, the content of a PNG file.
        pdf: the same, the content of a PDF file, for papers.
    """

    name: str
    caption: str
    svg: str
    png: bytes
    pdf: bytes


def set_up_matplotlib() -> None:
    """Lets matplotlib draw without a screen, and keep its font cache in the folder of temporary files."""
    if "MPLCONFIGDIR" not in os.environ:
        user = os.getuid() if hasattr(os, "getuid") else "user"
        folder = Path(tempfile.gettempdir(), f"litmus-matplotlib-{user}")
        with suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
        if not _is_ours(folder):  # another user's
            folder = Path(tempfile.mkdtemp(prefix="litmus-matplotlib-"))
        os.environ["MPLCONFIGDIR"] = str(folder)
    import matplotlib

    matplotlib.use("Agg")


def _is_ours(folder: Path) -> bool:
    if not folder.is_dir() or folder.is_symlink():
        return False
    status = folder.stat()
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and status.st_mode & 0o077 == 0)


def draw_figure(name: str, caption: str, size: tuple[float, float], draw: "Callable[[Canvas], None]") -> Figure:
    """Draws a figure once, for every format.

    Args:
        name: of its files.
        caption: below it.
        size: width and height in inches.
        draw: draws on the empty figure that it gets.
    """
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # characters that its font does not have
        canvas = Canvas(figsize=size, layout="constrained")
        draw(canvas)
        text, pixels, paper = io.StringIO(), io.BytesIO(), io.BytesIO()
        canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        canvas.set_layout_engine("none")  # keep the layout of the SVG
        canvas.savefig(pixels, format="png", dpi=160, metadata={"Software": None})
        canvas.savefig(paper, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
    svg = text.getvalue()
    return Figure(name, caption, svg[svg.index("<svg") :], pixels.getvalue(), paper.getvalue())


def whole_ticks(axis: "Axis", most: int | Literal["auto"] = "auto") -> None:
    """Marks whole numbers only, as epochs and steps are, even if there is but one on the axis; about `most` of them."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))


def shorten(text: str, longest: int = LONGEST) -> str:
    """A label of at most `longest` characters, without control characters, which an SVG may not contain."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def inline_svg(figure: Figure) -> str:
    """The drawing as part of a page: in the page's colors, with unique identifiers, as wide as there is room."""
    name = re.sub(r"\W", "-", figure.name)
    svg = re.sub(r'(\sid=")', rf"\g<1>{name}-", figure.svg)
    svg = re.sub(r"(url\(#|href=\"#)", rf"\g<1>{name}-", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<path (?![^>]*\bd=)[^>]*/>", "", svg)  # of a contour's level that is nowhere
    for color, own in {INK: "ink", PAPER: "paper", **dict(zip(COLORS, drawing.COLORS, strict=True))}.items():
        svg = svg.replace(color, f"var(--{own})")
    size = re.search(r'width="([\d.]+)pt" height="[\d.]+pt"', svg)
    assert size is not None, "matplotlib writes the size of every drawing"
    max_width = f'style="max-width: {1.6 * float(size[1]):.0f}px"'  # beyond, its text is larger than the page's
    return svg.replace(size[0], max_width, 1)
