"""How figures are drawn: style, colours, one drawing for the file and for the page."""

import io
import os
import re
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Okabe and Ito (2008): told apart with any colour vision; their yellow and black are replaced, which would vanish on a
# light or a dark page.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C564B", "#7F7F7F")
DASHES = ("-", "--", "-.", ":")
LONGEST = 34  # letters of a label
INK, PAPER = "#1b1f24", "#fffffe"  # a page replaces them by its own colours; a file keeps them
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "text.parse_math": False,  # a dollar in a value is a dollar
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
    "svg.fonttype": "none",  # text stays text: small, and one can search it
    "figure.dpi": 100,
}


@dataclass(frozen=True)
class Figure:
    """A drawn figure.

    Attributes:
        name: of its files, without a suffix.
        caption: what one sees, how many are left out, and what the marks are.
        svg: the drawing.
        png: the same in pixels.
    """

    name: str
    caption: str
    svg: str
    png: bytes


def prepare() -> None:
    """Matplotlib without a screen, and with its cache of fonts outside the home folder, kept from call to call."""
    if "MPLCONFIGDIR" not in os.environ:
        user = os.getuid() if hasattr(os, "getuid") else "user"
        folder = Path(tempfile.gettempdir(), f"litmus-matplotlib-{user}")
        with suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
        if not _is_ours(folder):  # someone else was first
            folder = Path(tempfile.mkdtemp(prefix="litmus-matplotlib-"))
        os.environ["MPLCONFIGDIR"] = str(folder)
    import matplotlib

    matplotlib.use("Agg")


def _is_ours(folder: Path) -> bool:
    if not folder.is_dir() or folder.is_symlink():
        return False
    of = folder.stat()
    return not hasattr(os, "getuid") or (of.st_uid == os.getuid() and of.st_mode & 0o077 == 0)


def drawn(name: str, caption: str, size: tuple[float, float], draw: Callable[[Any], None]) -> Figure:
    """Draws once, and writes it twice."""
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that its font does not have
        canvas = Canvas(figsize=size, layout="constrained")
        draw(canvas)
        text, pixels = io.StringIO(), io.BytesIO()
        canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        canvas.set_layout_engine("none")  # as it was laid out for the first
        canvas.savefig(pixels, format="png", dpi=160, metadata={"Software": None})
    svg = text.getvalue()
    return Figure(name, caption, svg[svg.index("<svg") :], pixels.getvalue())


def short(text: str, longest: int = LONGEST) -> str:
    """A label that leaves room for the drawing; control characters have no place in an SVG."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def inline_svg(figure: Figure) -> str:
    """The drawing to stand within a page: in its colours, with identifiers of its own, as wide as there is room."""
    name = re.sub(r"\W", "-", figure.name)
    svg = re.sub(r'(\sid=")', rf"\g<1>{name}-", figure.svg)
    svg = re.sub(r"(url\(#|href=\"#)", rf"\g<1>{name}-", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = svg.replace(INK, "var(--ink)").replace(PAPER, "var(--paper)")
    size = re.search(r'width="([\d.]+)pt" height="[\d.]+pt"', svg)
    assert size is not None, "matplotlib gives every drawing its size"
    largest = f'style="max-width: {1.6 * float(size[1]):.0f}px"'  # larger still, its letters would shout
    return svg.replace(size[0], largest, 1)
