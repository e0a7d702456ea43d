"""Strokes, such as a digit's, brought to what a network was trained on: as MNIST was made of NIST's scans.

"The original black and white (bilevel) images from NIST were size normalized to fit in a 20x20 pixel box while
preserving their aspect ratio. [...] the images were centered in a 28x28 image by computing the center of mass of the
pixels" (LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998). The numbers here are not theirs,
but facts of the training images: see `spec.Strokes`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from litmus.spec import Strokes

Pixels = NDArray[np.uint8]
Numbers = NDArray[np.float32]
Mask = NDArray[np.bool_]

INK, FULL = 25, 128  # of 255: from there on a pixel of a training image is drawn; one of each image is at least that
ALIKE = 0.99  # share of the training images that must have the same size, place and ground
SAME = 1.0  # pixels by which the size, and the center of mass, of a training image may differ
RARE = 0.0005  # share of the training images below `Strokes.lowest`, and above `highest`, in each statistic

MAX_SIDE = 1024  # pixels of a longer side to which an image is reduced before its strokes are looked for
FRAME = 0.1  # of an image's sides: where its ground is looked for first
NUM_FITS, NUM_FITTED = 5, 5_000  # of the ground, each without the pixels that were far from the last; pixels in a fit
OUTLIER, CLEAR = 3.0, 6.0  # standard deviations of the ground's noise: no ground any more; a stroke
SIGMA = 1.4826  # standard deviations in a median of absolute deviations, of normal noise
MIN_CONTRAST = 12.0  # of 255; less is no stroke
SPECK = 0.05  # of the largest part's area; smaller parts are dirt
FINE = 8  # pixels of the grid on which strokes are measured, for each of the network's
DOUBT = "do not rely on the answer"
THIN, THICK = 0.8, 1.6  # of the usual width of a stroke, between which it stays as it is


class Statistics(NamedTuple):
    """Of images as the network sees them, a number for each.

    Attributes:
        brightness: mean of the pixels, in [0, 1].
        width: of the strokes, in pixels: twice the area over the length of the contour.
        length: of the strokes, in pixels: half the length of the contour.
        height: of what is drawn, in pixels: low where several things stand side by side.
        blur: share of pixels between ground and ink, among all that are drawn: edges, and whatever is gray.
    """

    brightness: Numbers
    width: Numbers
    length: Numbers
    height: Numbers
    blur: Numbers


STATISTICS = tuple(Statistics.__annotations__)


def statistics(pixels: Pixels) -> Statistics:
    """Those of images, uint8 (images, height, width).

    The length of a contour is the total variation, the sum of the gradients' absolute values (Rudin, Osher and Fatemi
    1992): for anti-aliased strokes it is the length of their edges.
    """
    _, height, width = pixels.shape
    value = np.pad(pixels.astype(np.float32) / 255, [(0, 0), (1, 1), (1, 1)])
    contour = np.hypot(np.diff(value, axis=2)[:, 1:], np.diff(value, axis=1)[:, :, 1:]).sum(axis=(1, 2))
    area = value.sum(axis=(1, 2))
    drawn, full = (np.count_nonzero(pixels >= limit, axis=(1, 2)) for limit in (INK, 256 - INK))
    blur = (drawn - full) / np.maximum(drawn, 1)
    high = _extent(pixels >= INK, 2)
    return Statistics(area / (height * width), 2 * area / np.maximum(contour, 1e-9), contour / 2, high, blur)


def facts(pixels: Pixels) -> Strokes | None:
    """What training images have in common, if they show strokes on black, of one size and centered by their mass.

    Args:
        pixels: uint8 (images, height, width).
    """
    size, center, alike = _layout(pixels)
    usual, place = float(np.median(size)), np.median(center, axis=0)
    alike &= (abs(size - usual) <= SAME) & (abs(center - place) <= SAME).all(axis=1)
    if alike.mean() < ALIKE:
        return None
    found = statistics(pixels)
    lowest, highest = (tuple(float(np.quantile(each, share)) for each in found) for share in (RARE, 1 - RARE))
    _, height, width = pixels.shape
    return Strokes(height, width, round(usual), tuple(place.tolist()), float(np.median(found.width)), lowest, highest)


def _layout(pixels: Pixels) -> tuple[Numbers, Numbers, Mask]:
    """How images, uint8 (images, height, width), show their strokes.

    Returns:
        The longer side of what is drawn, in pixels, (images,); its center of mass, y and x in pixels from the top left
        corner, (images, 2); and whether it is bright on black, (images,).
    """
    drawn = pixels >= INK
    sides = [_extent(drawn, axis) for axis in (2, 1)]
    rows, columns = (pixels.sum(axis=axis, dtype=np.float32) for axis in (2, 1))
    mass = np.maximum(rows.sum(axis=1), 1)
    # Not by `@`, whose last digits depend on how many images there are.
    center = [(own * _middles(own.shape[1])).sum(axis=1) / mass for own in (rows, columns)]
    edges = np.concatenate([pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]], axis=1)
    bright_on_black = np.asarray(np.median(edges, axis=1) < INK) & (pixels.max(axis=(1, 2)) >= FULL)
    return np.maximum(*sides), np.stack(center, axis=1), bright_on_black


def _extent(drawn: Mask, across: int) -> Numbers:
    """From the first to the last row (`across` 2) or column (1) that has any, of bool (images, height, width)."""
    lines: Mask = np.logical_or.reduce(drawn, axis=across)
    length = lines.shape[1] - lines.argmax(axis=1) - lines[:, ::-1].argmax(axis=1)
    return np.where(lines.any(axis=1), length, 0).astype(np.float32)


def _middles(count: int) -> Numbers:
    """Where the pixels of a row are, as float32 (count,): the first from 0 to 1."""
    return np.arange(count, dtype=np.float32) + 0.5


def prepare(images: Sequence[Image.Image], strokes: Strokes) -> list[tuple[Image.Image, str]]:
    """Images as the training images are, each with a note on what was done, and on whether it is unlike them even so.

    Several at once: looking at small images one by one takes longer than decoding them.

    Args:
        images: upright, in L or RGB, of any sizes.
        strokes: how the training images look.

    Returns:
        For each, the image itself where it is so already, or where there are no strokes; else one in L of the training
        images' size.
    """
    prepared: list[tuple[Image.Image, str]] = []
    seen: dict[int, Pixels] = {}  # of the training images' size, by the number of the image
    for number, (image, fitting) in enumerate(zip(images, _fitting(images, strokes), strict=True)):
        if fitting is not None:
            seen[number], note = fitting, ""
        elif (placed := _fitted(image, strokes)) is not None:
            seen[number], note = placed
            image = Image.fromarray(seen[number])
        else:
            note = f"no strokes on an even ground: {DOUBT}"
        prepared.append((image, note))
    for number, warning in zip(seen, _warnings(list(seen.values()), strokes), strict=True):
        image, note = prepared[number]
        prepared[number] = image, "; ".join(each for each in (note, warning) if each)
    return prepared


def _fitting(images: Sequence[Image.Image], strokes: Strokes) -> list[Pixels | None]:
    """uint8 (height, width) of the images that show strokes as the training images do: on black, of that size, there.

    None for the others.
    """
    found = [_resized(image, strokes) for image in images]
    pixels = [own for own in found if own is not None]
    if not pixels:
        return found
    size, center, bright_on_black = _layout(np.stack(pixels))
    near = (abs(center - np.array(strokes.center)) <= SAME).all(axis=1)
    fits = iter(bright_on_black & (strokes.size >= size) & (strokes.size - size <= SAME) & near)
    return [own if own is not None and next(fits) else None for own in found]


def _resized(image: Image.Image, strokes: Strokes) -> Pixels | None:
    """uint8 (height, width) of the training images; None if the image is longer or wider than they are."""
    if image.width * strokes.height != image.height * strokes.width:
        return None
    return np.asarray(image.convert("L").resize((strokes.width, strokes.height), Image.Resampling.BILINEAR))


def _fitted(image: Image.Image, strokes: Strokes) -> tuple[Pixels, str] | None:
    """The strokes of an image as the training images show theirs, and what was done to them; None without strokes."""
    found = _find(image.convert("RGB"))  # gray, too: an image is to have one answer, however it is stored
    if found is None:
        return None
    ink, inverted = found
    fine, changed = _with_usual_pen(_enlarged(ink, FINE * strokes.size), FINE * strokes.pen)
    done = ["inverted" if inverted else "", changed, f"fitted into {strokes.size} pixels", "centered"]
    return _placed(fine, strokes), ", ".join(word for word in done if word)


def _warnings(pixels: Sequence[Pixels], strokes: Strokes) -> list[str]:
    """In what each of some uint8 (height, width) is unlike the training images; "" if in nothing.

    By construction at most `2 * RARE` of the training images are outside the limits of each statistic: 0.5 % in all.
    """
    if not pixels:
        return []
    found = np.stack(statistics(np.stack(pixels)), axis=1)
    unlike = (found < np.array(strokes.lowest)) | (found > np.array(strokes.highest))
    names = [[name for name, odd in zip(STATISTICS, own, strict=True) if odd] for own in unlike.tolist()]
    return [f"unlike the training images in {' and '.join(own)}: {DOUBT}" if own else "" for own in names]


def _find(image: Image.Image) -> tuple[Numbers, bool] | None:
    """The strokes, 0 to 1, cropped, and whether they are darker than the ground; None if there are none."""
    small = image.copy()
    small.thumbnail((MAX_SIDE, MAX_SIDE))
    colors = np.atleast_3d(np.asarray(small, dtype=np.float32))
    difference = colors - _ground(colors)
    contrast = _largest(difference)
    clear = contrast > max(MIN_CONTRAST, CLEAR * SIGMA * float(np.median(contrast)))
    if not clear.any():
        return None
    ink = (contrast / np.quantile(contrast[clear], 0.75)).clip(0, 1)
    parts, around = _main_parts(clear & (ink > 0.5))
    inverted = float(difference[parts].mean()) < 0
    return _cropped(np.where(around, ink, 0), parts), inverted


def _ground(colors: Numbers) -> Numbers:
    """The ground, without what is drawn on it: for each channel a quadratic function of the place.

    Photographed paper is brighter to one side. Of two fits that with the lower median of distances counts (Rousseeuw
    1984): one begins with the image's frame, where most digits do not reach, the other with what is inside, where the
    table is not. Each is repeated with the pixels that were near the last.

    Args:
        colors: float32 (height, width, channels).
    """
    height, width, channels = colors.shape
    y, x = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32) for side in (height, width)), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=2).reshape(-1, 6)
    some = slice(None, None, max(1, len(terms) // NUM_FITTED))
    values, places = colors.reshape(-1, channels)[some], terms[some]
    outward = np.maximum(abs(x), abs(y)).ravel()[some]  # 0 in the middle, 1 at the edge
    beginnings = (outward > 1 - 2 * FRAME, outward < 1 - 4 * FRAME)  # the second is empty in a row of pixels
    fits = [_fit_repeatedly(places, values, used) for used in beginnings if used.any()]
    weights, _ = min(fits, key=lambda fit: fit[1])
    return (terms @ weights).reshape(colors.shape)


def _fit_repeatedly(places: Numbers, values: Numbers, used: Mask) -> tuple[Numbers, float]:
    """A linear fit, beginning with the pixels that are used: its weights, and the median of all pixels' distances."""
    for _ in range(NUM_FITS):
        weights = np.linalg.lstsq(places[used], values[used], rcond=None)[0]
        distance = _largest(values - places @ weights)
        used = distance <= 2 + OUTLIER * SIGMA * float(np.median(distance[used]))
    return weights, float(np.median(distance))


def _largest(difference: Numbers) -> Numbers:
    """The largest absolute value of all channels, the last dimension: much faster than `max` over so short an axis."""
    largest = abs(difference[..., 0])
    for channel in range(1, difference.shape[-1]):
        np.maximum(largest, abs(difference[..., channel]), out=largest)
    return largest


def _main_parts(drawn: Mask) -> tuple[Mask, Mask]:
    """What is drawn, without dirt and what reaches the image's edge, if there is more; the same with soft edges."""
    from scipy import ndimage

    neighbors = np.ones((3, 3), bool)
    labels, count = ndimage.label(drawn, neighbors)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    areas[0] = 0
    main = areas >= SPECK * areas.max()
    main[0] = False
    inside = main.copy()
    inside[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = False
    parts = (inside if inside.any() else main)[labels]
    return parts, ndimage.binary_dilation(parts, neighbors)


def _cropped(values: Numbers, inside: Mask) -> Numbers:
    """The smallest rectangle of the values that holds all that is inside."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _enlarged(ink: Numbers, side: int) -> Numbers:
    """On a grid on which its longer side has that many pixels, with room around."""
    scale = side / max(ink.shape)
    width, height = (max(1, round(scale * own)) for own in reversed(ink.shape))
    large = np.asarray(Image.fromarray(ink.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC))
    return np.pad(large.clip(0, 1), side // 4)


def _with_usual_pen(ink: Numbers, usual: float) -> tuple[Numbers, str]:
    """Strokes that are not much thinner or thicker than usual, in pixels; and what was done to them."""
    from scipy import ndimage

    width = float(statistics((255 * ink).astype(np.uint8)[None]).width[0])
    wanted = min(max(width, THIN * usual), THICK * usual)
    if width == wanted:
        return ink, ""
    drawn = ink > ink.max() / 2
    outside, inside = (ndimage.distance_transform_edt(each) for each in (~drawn, drawn))
    beyond_edge = np.where(drawn, 0.5 - inside, outside - 0.5)
    changed = (0.5 + (wanted - width) / 2 - beyond_edge).clip(0, 1)
    if not (changed > 0.5).any():  # a thick brush's thinnest stroke
        return ink, ""
    return changed.astype(np.float32), "thickened" if wanted > width else "thinned"


def _placed(ink: Numbers, strokes: Strokes) -> Pixels:
    """uint8 (height, width): fitted into the usual size with anti-aliasing, its center of mass where it usually is.

    Moved by whole pixels, as MNIST's digits were: their centers of mass are within half a pixel of one place.
    """
    cropped = _cropped(ink, ink > 0.5)
    scale = strokes.size / max(cropped.shape)
    width, height = (max(1, round(scale * side)) for side in reversed(cropped.shape))
    fine = Image.fromarray((255 * cropped).astype(np.uint8))
    pixels = np.asarray(fine.resize((width, height), Image.Resampling.BOX))
    canvas = np.zeros((strokes.height, strokes.width), np.uint8)
    rows, columns = (pixels.sum(axis=axis, dtype=np.float32) for axis in (1, 0))
    centers = (each @ _middles(len(each)) / max(each.sum(), 1) for each in (rows, columns))
    top, left = (
        min(max(round(float(place - center)), 0), whole - side)
        for place, center, whole, side in zip(strokes.center, centers, canvas.shape, pixels.shape, strict=True)
    )
    canvas[top : top + height, left : left + width] = pixels
    return canvas
