"""Drawings of a few shapes: as SVG for a page, whose colors they take, and as PNG.

Without matplotlib, whose import alone takes 0.5 s and each figure 0.2 s: a run's page is made at the end of every run.
Coordinates are pixels from the top left corner, x to the right, y down.
"""

import base64
import functools
import io
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from litmus.page import fonts

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

# Colors that a page has a light and a dark shade of, by their names in style.css; a PNG takes the light ones.
LIGHT = {
    "ink": "#1b1f24",
    "soft": "#5b6570",
    "line": "#dfe3e8",
    "paper": "#ffffff",
    "panel": "#f6f8fa",
    "accent": "#0072b2",
    "warm": "#b34b00",
    "right": "#1292de",  # cells whose texts are ink, in both shades
    "wrong": "#e0690c",
    "color-1": "#0072b2",
    "color-2": "#d55e00",
    "color-3": "#009e73",
    "color-4": "#cc79a7",
    "color-5": "#6b3a00",
    "color-6": "#332288",
}
# Of lines and bars. Four of Okabe and Ito (2008), and two that are dark on a light page and light on a dark one:
# distinguishable with any color vision, and from the ground (tests/page/test_colors.py).
COLORS = tuple(name for name in LIGHT if name.startswith("color-"))
Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]
Rgb = tuple[int, int, int]
Pixels = NDArray[np.uint8]  # (height, width, 1 or 3)

SCALE = 2  # pixels of a PNG for each unit, unless another number is asked for
FRAME_MS, LAST_MS, FRAME_COLORS = 180, 1_500, 64  # of an animation
FINER = 2  # times as fine lines are drawn, to be averaged: Pillow's own are not smooth
SMALL_FILE = 3_000  # bytes of a PNG, beyond which a JPEG is tried
# Widths of characters, as fractions of their size, in DejaVu Sans: fonts of other systems are narrower.
NARROW, WIDE = set(" !'(),-./:;I[]fijlrt{|}"), set("%@MWmw…→")
WIDTHS = 0.4, 0.64, 1.0  # of narrow ones, of others and of wide ones, such as those of East Asia


class Drawing:
    """Shapes in the order in which they are drawn.

    Args:
        width: in pixels.
        height: in pixels.
        label: what it shows, for those who do not see it.
    """

    def __init__(self, width: float, height: float, label: str) -> None:
        self.width, self.height, self.label = width, height, label
        self._svg: list[Callable[[], str]] = []  # TensorBoard's pictures need none, and a page has them made last
        self._png: list[Callable[[_Canvas], None]] = []

    def line(self, points: Sequence[Point], color: str, width: float = 1.5, dashed: bool = False) -> None:
        """A line through points."""
        if len(points) < 2:
            return
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        self._svg.append(
            lambda: (
                f'<polyline points="{_path(points)}" fill="none" stroke="{_css(color)}" stroke-width="{_n(width)}" '
                f'stroke-linejoin="round"{dashes}/>'
            )
        )
        self._png.append(lambda canvas: canvas.line(points, color, width, dashed))

    def area(self, points: Sequence[Point], color: str, opacity: float) -> None:
        """A filled polygon."""
        self._svg.append(
            lambda: f'<polygon points="{_path(points)}" fill="{_css(color)}" fill-opacity="{_n(opacity)}"/>'
        )
        self._png.append(lambda canvas: canvas.area(points, color, opacity))

    def rectangle(
        self, x: float, y: float, width: float, height: float, color: str, opacity: float = 1.0, title: str = ""
    ) -> None:
        """A filled rectangle; a title is shown where a mouse rests on it."""
        opaque = "" if opacity == 1 else f' fill-opacity="{_n(opacity)}"'
        inner = f"><title>{_text(title)}</title></rect>" if title else "/>"
        self._svg.append(
            lambda: (
                f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" fill="{_css(color)}"{opaque}'
                f"{inner}"
            )
        )
        corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
        self._png.append(lambda canvas: canvas.area(corners, color, opacity))

    def dots(self, points: Sequence[Point], radius: float, color: str, opacity: float = 1.0) -> None:
        """Filled circles of one look."""
        if not points:
            return
        self._svg.append(
            lambda: (
                f'<path d="{"".join(f"M{_n(x)} {_n(y)}h0" for x, y in points)}" stroke="{_css(color)}" '
                f'stroke-opacity="{_n(opacity)}" stroke-width="{_n(2 * radius)}" stroke-linecap="round" fill="none"/>'
            )
        )
        self._png.append(lambda canvas: canvas.dots(points, radius, color, opacity))

    def text(
        self,
        x: float,
        y: float,
        text: str,
        color: str = "ink",
        size: float = 12,
        anchor: Anchor = "start",
        upward: bool = False,
    ) -> None:
        """A line of text.

        Args:
            x: where it begins, has its middle, or ends, as `anchor` says.
            y: of its baseline; of the middle, if it runs upward.
            text: any characters; what cannot be shown is a space.
            color: of it.
            size: of its letters.
            anchor: see `x`.
            upward: whether it runs from the bottom to the top; then x is that of its baseline.
        """
        turned = f' transform="rotate(-90 {_n(x)} {_n(y)})"' if upward else ""
        self._svg.append(
            lambda: (
                f'<text x="{_n(x)}" y="{_n(y)}" fill="{_css(color)}" font-size="{_n(size)}" text-anchor="{anchor}"'
                f"{turned}>{_text(text)}</text>"
            )
        )
        self._png.append(lambda canvas: canvas.text(x, y, text, color, size, anchor, upward))

    def image(self, x: float, y: float, width: float, height: float, pixels: Pixels) -> None:
        """An image, whose pixels stay squares where it is enlarged; a larger one than is seen is made smaller."""
        pixels = shrunk(pixels, round(1.5 * max(width, height)))
        self._svg.append(
            lambda: (
                f'<image x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" preserveAspectRatio="none" '
                f'style="image-rendering:pixelated" href="{address_of(pixels)}"/>'
            )
        )
        self._png.append(lambda canvas: canvas.image(x, y, width, height, pixels))

    def svg(self) -> str:
        """An `<svg>` element, as wide as there is room, up to a fifth beyond its own width."""
        return (
            f'<svg viewBox="0 0 {_n(self.width)} {_n(self.height)}" role="img" aria-label="{_text(self.label)}" '
            f'style="max-width:{self.width * 1.2:.0f}px">{"".join(draw() for draw in self._svg)}</svg>'
        )

    def png(self, scale: int = SCALE) -> bytes:
        """The content of a PNG file, on white, of `scale` pixels for each unit."""
        return _encoded(self.raster(scale))

    def raster(self, scale: int = SCALE) -> "Image":
        """The drawing as an image, on white, of `scale` pixels for each unit."""
        canvas = _Canvas(self.width, self.height, scale)
        for draw in self._png:
            draw(canvas)
        return canvas.smooth()


def address_of(pixels: Pixels) -> str:
    """An address that holds the image: see `file_of`."""
    content, kind = file_of(pixels)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def file_of(pixels: Pixels) -> tuple[bytes, str]:
    """An image's file, and its kind: a PNG, or a JPEG where a large one, such as a photo, is smaller so."""
    content, kind = png_of(pixels), "png"
    if len(content) > SMALL_FILE:
        file = io.BytesIO()
        _image(pixels).save(file, "JPEG", quality=80)
        content, kind = min((content, kind), (file.getvalue(), "jpeg"), key=lambda each: len(each[0]))
    return content, kind


def png_of(pixels: Pixels) -> bytes:
    """An image's file."""
    return _encoded(_image(pixels))


def animation(drawings: Sequence[Drawing]) -> bytes:
    """The content of a GIF file that shows drawings of one size one after another, the last one longer, for ever."""
    from PIL import Image

    rasters = [drawing.raster(scale=1) for drawing in drawings]
    colors = rasters[-1].quantize(FRAME_COLORS, Image.Quantize.MEDIANCUT)  # of the last one, so that none flickers
    frames = [raster.quantize(palette=colors, dither=Image.Dither.NONE) for raster in rasters]
    times = [FRAME_MS] * (len(frames) - 1) + [LAST_MS]
    content = io.BytesIO()
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=0, disposal=1)
    return content.getvalue()


def shrunk(pixels: Pixels, side: int) -> Pixels:
    """The image, its longer side at most so many pixels long."""
    height, width, channels = pixels.shape
    if max(height, width) <= side:
        return pixels
    scale = side / max(height, width)
    small = _image(pixels).resize((max(1, round(width * scale)), max(1, round(height * scale))))
    return np.asarray(small, dtype=np.uint8).reshape(small.height, small.width, channels)


def text_width(text: str, size: float = 12) -> float:
    """About how wide a text is, at most."""
    narrow, usual, wide = WIDTHS
    return size * sum(
        narrow if letter in NARROW else wide if letter in WIDE or letter > "\u2e80" else usual for letter in text
    )


class _Canvas:
    """What a PNG is drawn on."""

    def __init__(self, width: float, height: float, scale: int) -> None:
        from PIL import Image as Pillow

        self.scale, self.finer = scale, FINER * scale
        self.picture = Pillow.new("RGB", (round(width * self.finer), round(height * self.finer)), LIGHT["paper"])
        self.texts: list[Callable[[Image], None]] = []  # drawn last, in the final size: they are smooth themselves

    @functools.cached_property
    def pen(self) -> "ImageDraw":
        from PIL import ImageDraw

        return ImageDraw.Draw(self.picture, "RGBA")  # a mode that mixes colors

    def line(self, points: Sequence[Point], color: str, width: float, dashed: bool) -> None:
        scaled = self._scaled(points)
        thickness = max(1, round(width * self.finer))
        for part in _dashes(scaled, 5 * self.finer, 4 * self.finer) if dashed else [scaled]:
            self.pen.line(part, rgb(color), thickness, joint="curve")

    def area(self, points: Sequence[Point], color: str, opacity: float) -> None:
        self.pen.polygon(self._scaled(points), (*rgb(color), round(255 * opacity)))

    def dots(self, points: Sequence[Point], radius: float, color: str, opacity: float) -> None:
        r = radius * self.finer
        for x, y in self._scaled(points):
            self.pen.ellipse((x - r, y - r, x + r, y + r), (*rgb(color), round(255 * opacity)))

    def text(self, x: float, y: float, text: str, color: str, size: float, anchor: Anchor, upward: bool) -> None:
        font, at = fonts.font(round(size * self.scale), text), (x * self.scale, y * self.scale)
        shown = fonts.drawable(text)
        if upward:
            self.texts.append(lambda image: _write_upward(image, at, shown, rgb(color), font, anchor))
        else:
            self.texts.append(lambda image: _write(image, at, shown, rgb(color), font, anchor))

    def image(self, x: float, y: float, width: float, height: float, pixels: Pixels) -> None:
        from PIL import Image

        size = (max(1, round(width * self.finer)), max(1, round(height * self.finer)))
        image = _image(pixels).convert("RGB").resize(size, Image.Resampling.NEAREST)
        self.picture.paste(image, (round(x * self.finer), round(y * self.finer)))

    def smooth(self) -> "Image":
        """What was drawn, in the final size."""
        smooth = self.picture.reduce(FINER)
        for write in self.texts:
            write(smooth)
        return smooth

    def _scaled(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self.finer, y * self.finer) for x, y in points]


def _write(image: "Image", at: Point, text: str, color: Rgb, font: "FreeTypeFont", anchor: Anchor) -> None:
    from PIL import ImageDraw

    place = {"start": "ls", "middle": "ms", "end": "rs"}[anchor]  # Pillow's anchors, on the baseline
    ImageDraw.Draw(image).text(at, text, color, font, place)


def _write_upward(image: "Image", at: Point, text: str, color: Rgb, font: "FreeTypeFont", anchor: Anchor) -> None:
    """Text that runs upward: drawn on a strip, which is turned."""
    from PIL import Image as Pillow

    length, height = int(font.getlength(text)) + 2, int(1.4 * font.size)
    strip = Pillow.new("RGB", (length, height))
    _write(strip, (0, 0.75 * height), text, (255, 255, 255), font, "start")
    turned = strip.convert("L").transpose(Pillow.Transpose.ROTATE_90)
    below = {"start": 0.0, "middle": length / 2, "end": float(length)}[anchor]
    image.paste(color, (round(at[0] - 0.75 * height), round(at[1] - length + below)), turned)


def _dashes(points: Sequence[Point], drawn: float, left_out: float) -> list[list[Point]]:
    """The pieces of a dashed line."""
    pieces: list[list[Point]] = []
    piece, room, inside = [points[0]], drawn, True
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        length, done = float(np.hypot(x1 - x0, y1 - y0)), 0.0
        while length - done > room:
            done += room
            at = (x0 + (x1 - x0) * done / length, y0 + (y1 - y0) * done / length)
            if inside:
                pieces.append([*piece, at])
            piece, inside = [at], not inside
            room = drawn if inside else left_out
        room -= length - done
        piece.append((x1, y1))
    return [*pieces, piece] if inside and len(piece) > 1 else pieces


def _image(pixels: Pixels) -> "Image":
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels))


def _encoded(image: "Image") -> bytes:
    content = io.BytesIO()
    image.save(content, "PNG", compress_level=3)  # 6, the usual, takes 1.8 times as long for 8 % fewer bytes
    return content.getvalue()


def _css(color: str) -> str:
    return f"var(--{color})" if color in LIGHT else color


def rgb(color: str) -> Rgb:
    """Its light shade, or that of a code such as `#0072b2`."""
    code = LIGHT.get(color, color)
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def _text(text: str) -> str:
    """Escaped for SVG, without what it may not contain."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return escape(shown, {'"': "&quot;"})


def _path(points: Sequence[Point]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)


def _n(number: float) -> str:
    """A coordinate in at most a tenth of a pixel."""
    return f"{number:.2f}".rstrip("0").rstrip(".")
