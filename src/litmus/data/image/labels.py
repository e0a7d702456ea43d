"""Label files in Ultralytics' format: a line for every bounding box, and what is wrong with the other lines."""

from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from litmus.data.image import decode
from litmus.fetch import local
from litmus.spec import Images

LARGEST = 10_000_000  # bytes of a label file
SLACK = 0.01  # of an image's side, by which a coordinate may lie outside of it: rounding, not a mistake

Box = tuple[float, float, float, float, float]  # class, center x and y, width, height, as in `Labels.boxes`


@dataclass
class Labels:
    """The content of a label file.

    Attributes:
        boxes: (class, center x, center y, width, height), as fractions of the image's width and height.
        mistakes: what is wrong with the file, by line, from 1.
    """

    boxes: list[Box] = field(default_factory=list)
    mistakes: dict[int, str] = field(default_factory=dict)


def label_file(image: Path) -> Path:
    """An image's label file: the last folder `images` in its path becomes `labels`; without one, it is beside it."""
    parts = list(image.with_suffix(".txt").parts)
    for i in reversed(range(len(parts) - 1)):
        if parts[i] == "images":
            parts[i] = "labels"
            break
    return Path(*parts)


def read_labels(path: Path, num_classes: int, keypoints: int) -> Labels:
    """The boxes of a label file, and what is wrong with its other lines; a missing file has no boxes.

    Args:
        path: of the file.
        num_classes: of the dataset.
        keypoints: how many numbers after the box in each line give keypoints; they are ignored.
    """
    labels = Labels()
    try:
        content = local.read_bytes(path, LARGEST).decode("utf-8-sig")
    except FileNotFoundError:
        return labels
    except (OSError, UnicodeDecodeError) as error:
        labels.mistakes[1] = f"the file cannot be read ({type(error).__name__})"
        return labels
    seen = set()
    for line, text in enumerate(content.splitlines(), 1):
        if not text.strip():
            continue
        box = _box(text.split(), num_classes, keypoints)
        if isinstance(box, str):
            labels.mistakes[line] = box
        elif box in seen:
            labels.mistakes[line] = "duplicate box"
        else:
            seen.add(box)
            labels.boxes.append(box)
    return labels


def _box(words: list[str], num_classes: int, keypoints: int) -> Box | str:
    """A box, or what is wrong with the line."""
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return "not numbers"
    if keypoints:
        if len(numbers) not in (5, 5 + keypoints):
            return f"neither five numbers (class, center, width, height) nor {keypoints} more for keypoints"
        numbers = numbers[:5]
    if len(numbers) < 5 or (len(numbers) > 5 and len(numbers) % 2 == 0):
        return "neither five numbers (class, center, width, height) nor a class and an outline"
    name, *rest = numbers
    if name % 1 or not 0 <= name < num_classes:  # infinity's remainder is not 0, either
        return f"no such class: classes are 0 to {num_classes - 1}"
    if len(rest) == 4 and min(rest[2:]) <= 0:
        return "a box without area"
    if not all(-SLACK <= number <= 1 + SLACK for number in rest):
        return "outside the image (coordinates are fractions of its width and height, from 0 to 1)"
    if len(rest) > 4:
        xs, ys = rest[0::2], rest[1::2]
        left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    else:
        x, y, width, height = rest
        left, right, top, bottom = x - width / 2, x + width / 2, y - height / 2, y + height / 2
    # An object cut off by the image's edge may be labeled in its full size: only the visible part counts.
    left, right, top, bottom = (min(max(edge, 0.0), 1.0) for edge in (left, right, top, bottom))
    if right <= left or bottom <= top:
        return "a box without area"
    return (name, (left + right) / 2, (top + bottom) / 2, right - left, bottom - top)


def letterbox_boxes(boxes: Tensor, size: tuple[int, int], images: Images) -> Tensor:
    """Boxes (boxes, 5) of an image of that (height, width), relative to its letterbox; see `decode.letterbox`."""
    scaled, left, top = decode.letterbox_geometry(size, images)
    factor = boxes.new_tensor([1, scaled[1], scaled[0], scaled[1], scaled[0]])
    shift = boxes.new_tensor([0, left, top, 0, 0])
    whole = boxes.new_tensor([1, images.width, images.height, images.width, images.height])
    return (boxes * factor + shift) / whole
