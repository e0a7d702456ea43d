"""Digits as a person draws or photographs them: strokes through a few points, on many kinds of ground."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Points = list[tuple[float, float]]  # of one stroke: x to the right, y down; the digit is about 1 high
Color = tuple[int, ...]

# Two hands for each digit: x and y of points in percent of its height, strokes with a slash between them. A stroke is a
# smooth curve through its points; where two are equal it has a corner.
HANDS = {
    0: (
        "50,0 20,20 15,55 30,92 55,100 80,75 82,40 70,10 48,2",
        "55,2 25,15 8,50 20,88 50,100 85,80 92,45 75,10 50,0",
    ),
    1: (
        "50,0 50,35 49,70 48,100",
        "30,22 45,10 55,0 55,0 54,50 53,100",
    ),
    2: (
        "15,25 30,5 60,0 80,20 70,50 40,80 12,100 12,100 50,98 88,97",
        "20,20 45,0 75,12 75,40 50,75 25,95 15,85 35,80 60,95 90,92",
    ),
    3: (
        "18,12 50,0 78,18 65,42 40,48 40,48 70,55 82,78 55,100 15,90",
        "20,8 45,0 70,10 72,30 45,46 45,46 78,58 80,85 50,100 20,95",
    ),
    4: (
        "30,0 22,30 15,55 15,55 50,54 90,50 / 72,8 70,50 66,100",
        "65,0 40,30 12,66 12,66 50,66 90,66 / 66,0 65,50 64,100",
    ),
    5: (
        "82,2 50,2 28,4 28,4 24,25 22,45 22,45 50,38 78,55 75,85 45,100 12,90",
        "30,0 27,20 24,42 24,42 55,40 80,62 65,93 35,100 15,92 / 30,1 55,0 85,-2",
    ),
    6: (
        "65,0 38,20 20,55 25,88 50,100 76,85 72,60 48,52 24,68",
        "75,5 45,10 20,45 18,80 42,100 72,90 76,66 55,52 28,62",
    ),
    7: (
        "15,4 50,3 85,0 85,0 62,45 42,100",
        "12,5 50,5 85,2 85,2 65,45 50,100 / 35,50 60,50 82,48",
    ),
    8: (
        "72,12 45,0 25,18 45,42 72,62 75,88 48,100 22,85 35,60 65,38 78,20 68,8",
        "50,48 25,30 30,6 55,0 74,15 68,38 50,48 25,65 22,88 50,100 78,88 74,62 50,48",
    ),
    9: (
        "75,20 50,0 25,15 25,40 50,50 72,35 76,15 76,15 74,55 70,100",
        "72,15 45,2 22,20 30,45 60,44 75,18 75,18 75,55 62,85 30,100",
    ),
}


def strokes(digit: int, hand: int, seed: int) -> list[Points]:
    """A digit as somebody writes it: no two are the same."""
    random = np.random.default_rng([seed, digit, hand])
    slant, width = random.uniform(-0.05, 0.25), random.uniform(0.7, 1.0)
    drawn = []
    for stroke in HANDS[digit][hand].split("/"):
        moved = {point: 0.01 * _point(point) + random.normal(0, 0.015, 2) for point in stroke.split()}
        points = np.array([moved[point] for point in stroke.split()])  # a corner stays one
        points[:, 0] = width * points[:, 0] + slant * (0.5 - points[:, 1])
        drawn.append(_smooth(points))
    return drawn


def _point(text: str) -> np.ndarray:
    return np.array([float(number) for number in text.split(",")])


def _smooth(points: np.ndarray) -> Points:
    """A Catmull-Rom spline through the points; where two are equal there is a corner."""
    corners = [0, *(i for i in range(1, len(points)) if (points[i] == points[i - 1]).all()), len(points)]
    curve: Points = []
    for start, end in pairwise(corners):
        piece = points[start:end]
        padded = np.vstack([2 * piece[0] - piece[1], piece, 2 * piece[-1] - piece[-2]])
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
            for t in np.linspace(0, 1, 16):
                point = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
                curve.append((float(point[0]), float(point[1])))
    return curve


def ink(
    digit: int, hand: int, seed: int, size: tuple[int, int], place: tuple[float, float, float], pen: float, smooth: bool
) -> Image.Image:
    """Where the pen was, as a grayscale image: 255 is ink.

    Args:
        digit: from 0 to 9.
        hand: 0 or 1.
        seed: of what differs whenever one writes.
        size: width and height of the canvas.
        place: left, top and height of the digit, in pixels.
        pen: width of its strokes, in pixels.
        smooth: whether edges are anti-aliased.
    """
    factor = 4 if smooth else 1
    canvas = Image.new("L", (factor * size[0], factor * size[1]))
    pencil = ImageDraw.Draw(canvas)
    left, top, height = (factor * value for value in place)
    radius = factor * pen / 2
    for stroke in strokes(digit, hand, seed):
        points = [(left + height * x, top + height * y) for x, y in stroke]
        pencil.line(points, 255, max(1, round(2 * radius)))
        if radius >= 1:
            for x, y in points:
                pencil.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    return canvas.resize(size, Image.Resampling.BOX)


def painted(mask: Image.Image, ground: Color, color: Color) -> Image.Image:
    """The ink in that color on that ground, in RGB or RGBA."""
    mode = "RGB" if len(ground) == 3 else "RGBA"
    return Image.composite(Image.new(mode, mask.size, color), Image.new(mode, mask.size, ground), mask)


def photographed(mask: Image.Image, seed: int) -> Image.Image:
    """A pen on gray paper: light from one side, a soft lens, noise."""
    random = np.random.default_rng(seed)
    width, height = mask.size
    y, x = np.mgrid[0:height, 0:width]
    angle = random.uniform(0, 2 * np.pi)
    light = 165 + 55 * (np.cos(angle) * (x / width - 0.5) + np.sin(angle) * (y / height - 0.5)) * 2
    paper = np.stack([light, 0.98 * light, 0.92 * light], axis=2)
    blurred = np.asarray(mask.filter(ImageFilter.GaussianBlur(1.0)), dtype=float)[..., None] / 255
    pen = np.array([45, 50, 110])
    image = paper * (1 - 0.9 * blurred) + pen * 0.9 * blurred + random.normal(0, 4, (height, width, 3))
    return Image.fromarray(image.clip(0, 255).astype(np.uint8))


WHITE, BLACK, CLEAR = (255, 255, 255), (0, 0, 0), (0, 0, 0, 0)
RED, YELLOW, BLUE, GREEN = (220, 30, 30), (250, 230, 0), (40, 40, 255), (20, 90, 60)


class Way(NamedTuple):
    """How a digit is drawn: see `ink`; `place` None is in the middle. Colors are None in a photo."""

    size: tuple[int, int]
    place: tuple[float, float, float] | None
    pen: float
    ground: Color | None
    color: Color | None
    smooth: bool = True

    def __call__(self, digit: int, hand: int, seed: int) -> Image.Image:
        height = 0.7 * self.size[1]
        place = self.place or ((self.size[0] - 0.8 * height) / 2, 0.15 * self.size[1], height)
        mask = ink(digit, hand, seed, self.size, place, self.pen, self.smooth)
        if self.ground is None or self.color is None:
            return photographed(mask, seed + digit)
        return painted(mask, self.ground, self.color)


WAYS = {
    "black on white": Way((280, 280), None, 18, WHITE, BLACK),
    "white on black": Way((280, 280), None, 18, BLACK, WHITE),
    "28 pixels, black on white": Way((28, 28), None, 2, WHITE, BLACK),
    "a brush of Paint, off-center": Way((400, 300), (30, 20, 140), 12, WHITE, BLACK, smooth=False),
    "small in a corner": Way((400, 300), (300, 210, 60), 5, WHITE, BLACK),
    "a thin pen": Way((400, 300), (120, 40, 220), 2, WHITE, BLACK),
    "a pencil of one pixel": Way((400, 300), (100, 30, 240), 1, WHITE, BLACK, smooth=False),
    "a thick brush": Way((300, 300), None, 34, WHITE, BLACK),
    "red on white": Way((200, 200), None, 12, WHITE, RED),
    "yellow on white": Way((200, 200), None, 14, WHITE, YELLOW),
    "blue on black": Way((200, 200), None, 12, BLACK, BLUE),
    "white on green": Way((320, 240), (100, 40, 160), 11, GREEN, WHITE),
    "black, ground transparent": Way((256, 256), None, 16, CLEAR, (*BLACK, 255)),
    "white, ground transparent": Way((256, 256), None, 16, (*WHITE, 0), (*WHITE, 255)),
    "a photo of gray paper": Way((640, 480), (200, 90, 280), 14, None, None),
    "a photo, a thin pen": Way((800, 600), (420, 200, 200), 5, None, None),
}
