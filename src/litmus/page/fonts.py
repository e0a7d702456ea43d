"""Letters on images: Pillow's own font has those of English; for others, one with more letters is looked for."""

import functools
import importlib.util
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

WIDE = "DejaVuSans.ttf"  # Latin, Greek, Cyrillic and symbols; many systems have it, and matplotlib brings it


def font(size: int, text: str) -> "FreeTypeFont":
    """A font of so many pixels that has the letters of a text, where there is one.

    Args:
        size: of the letters.
        text: that will be drawn; see `drawable`.
    """
    wide = None if text.isascii() else _wide(size)
    return _plain(size) if wide is None else wide


def drawable(text: str) -> str:
    """The text in letters that `font` can draw: without accents, where no font has them."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    if printable.isascii() or _wide(10) is not None:
        return printable
    return "".join(each for each in unicodedata.normalize("NFKD", printable) if not unicodedata.combining(each))


@functools.cache
def _plain(size: int) -> "FreeTypeFont":
    from PIL import ImageFont

    return cast("FreeTypeFont", ImageFont.load_default(size))  # a bitmap's only where Pillow lacks FreeType


@functools.cache
def _wide(size: int) -> "FreeTypeFont | None":
    from PIL import ImageFont

    found = importlib.util.find_spec("matplotlib")
    beside = [] if found is None or found.origin is None else [Path(found.origin).parent / "mpl-data/fonts/ttf" / WIDE]
    for path in (*beside, WIDE):  # the latter where the system has its fonts
        try:
            return ImageFont.truetype(str(path), size)
        except (OSError, ImportError):
            continue
    return None
