"""The YAML file of a dataset in Ultralytics' format: where its images are, and what its classes are called."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from litmus.config.protocols import SPLITS, Split
from litmus.config.types import Section
from litmus.data._classes import list_some
from litmus.errors import UserError
from litmus.fetch import local

LARGEST = 10_000_000  # bytes of the file
MOST_CLASSES = 100_000


@dataclass(frozen=True)
class Description:
    """What the file says.

    Attributes:
        path: of the file.
        names: of the classes, in their order.
        keypoints: how many numbers of a label's line give keypoints, after the box.
        entries: of each split that is there: paths of folders of images, or of text files that list them.
    """

    path: Path
    names: tuple[str, ...]
    keypoints: int
    entries: Mapping[Split, list[Path]]


def read_description(path: Path) -> Description:
    """Reads the file, and checks that all that it names is there.

    Raises:
        UserError: it is missing or wrong, or names what does not exist.
    """
    content = _read(path)
    names, keypoints = _class_names(content, path), _num_keypoint_values(content, path)
    root = path.parent / _text(content.get("path") or "", "path", path)
    entries = {split: _entries(root, content[split], split, path) for split in SPLITS if content.get(split)}
    return Description(path, names, keypoints, entries)


def _read(path: Path) -> Section:
    try:
        content = yaml.safe_load(local.read_bytes(path, LARGEST).decode("utf-8-sig"))
    except OSError as error:
        hint = ""
        if local.kind_of(path) == "folder" and (files := sorted([*path.glob("*.yaml"), *path.glob("*.yml")])):
            hint = f" Did you mean {list_some([str(file) for file in files])}?"
        raise UserError(f"data.path={path} cannot be read: {local.reason(error)}.{hint}") from None
    except Exception as error:  # PyYAML's constructors raise whatever a scalar makes them stumble over
        reason = str(error).splitlines()[0] if isinstance(error, yaml.YAMLError) else type(error).__name__
        raise UserError(f"data.path={path} is not a YAML file: {reason}.") from None
    if not isinstance(content, dict):
        raise UserError(f"data.path={path} should have the keys train, val and names.")
    if "validation" in content:
        content.setdefault("val", content.pop("validation"))
    return content


def _entries(root: Path, entry: object, split: str, path: Path) -> list[Path]:
    names = [_text(name, split, path) for name in (entry if isinstance(entry, list) else [entry])]
    return [_located(root, name, path) for name in names]


def _located(root: Path, name: str, path: Path) -> Path:
    found = root / name
    if local.kind_of(found) == "missing" and name.startswith("../"):  # as Roboflow writes it
        found = root / name[3:]
    if local.kind_of(found) not in ("file", "folder"):
        raise UserError(f"{path} names {name}, but {found} does not exist.")
    return found


def _text(value: object, key: str, path: Path) -> str:
    """An entry that is text; not a list of lists, which a few lines of YAML can make endless."""
    if not isinstance(value, str):
        raise UserError(f"{path}: {key} should be a path, or a list of paths.")
    return value


def _num_keypoint_values(content: Section, path: Path) -> int:
    """How many numbers of a line are keypoints: datasets for pose estimation have them after the box."""
    shape = content.get("kpt_shape")
    if shape is None:
        return 0
    if not isinstance(shape, list) or len(shape) != 2 or not all(isinstance(n, int) and n > 0 for n in shape):
        raise UserError(
            f"{path}: kpt_shape should be the number of keypoints and the numbers of each, such as [17, 3]."
        )
    return shape[0] * shape[1]


def _class_names(content: Section, path: Path) -> tuple[str, ...]:
    """The names of the classes, from a list, from a mapping of numbers to names, or from their number, `nc`."""
    names, count = content.get("names"), content.get("nc")
    if names is None and isinstance(count, int) and 0 < count <= MOST_CLASSES:
        return tuple(str(i) for i in range(count))
    if isinstance(names, dict) and set(names) == set(range(len(names))):
        names = [names[i] for i in range(len(names))]
    if isinstance(names, list) and names and all(isinstance(name, str | int | float) for name in names):
        return tuple(str(name) for name in names)
    raise UserError(f"{path}: names should list the classes, such as names: [cat, dog] or {{0: cat, 1: dog}}.")
