"""A dataset in Ultralytics' format: pictures, and for each a text file with a line for every box."""

import hashlib
import logging
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import platformdirs
import torch
import yaml
from torch import Tensor

from litmus.config.protocols import SPLITS, Split
from litmus.config.types import Chance, Count, File, Seed, Share
from litmus.config.validate import checked
from litmus.data._base import few
from litmus.data._split import completed
from litmus.data.image import cache, decode
from litmus.data.image.boxes import BoxData, rows
from litmus.data.image.labels import Labels, fitted, label_file, read_labels
from litmus.errors import UserError
from litmus.spec import Boxes, Images, Spec

log = logging.getLogger(__name__)

SIZE = 640  # pixels of a side, where neither a person nor the network asks for another


class YOLODataset(cache.Filed, BoxData):
    """Pictures of any size with boxes, as `path`, a YAML file, lists them.

    It names folders of pictures (or text files that list them) under `train`, `val` and maybe `test`, and classes
    under `names`. Beside each folder `images` lies one named `labels`, with a .txt for each picture: class, centre,
    width and height as parts of the picture's; outlines of five and more numbers become the boxes around them, and
    keypoints, which the YAML file's `kpt_shape` tells of, are left out.
    A picture without a label file has no boxes. A part that is not named is split off the training pictures.
    """

    @checked
    def __init__(
        self,
        seed: Seed,
        *,
        path: File,
        size: Count | None,
        val_share: Share,
        test_share: Share,
        dir: str | None,
        limit: Count | None,
        batch_size: Count,
        eval_batch_size: Count,
        mosaic: Chance,
        flip: Chance,
    ) -> None:
        super().__init__(seed, batch_size, eval_batch_size, mosaic, flip)
        self.path = Path(path).expanduser()
        self.size = size or 0
        self.shares = {"val": val_share, "test": test_share}
        self.folder = Path(dir or platformdirs.user_cache_dir("litmus")).expanduser() / "photos"
        self.limit = limit
        self.source = path
        self.listed: dict[str, list[Path]] = {}
        self.labels: dict[Path, Labels] = {}
        self.photos: cache.Photos | None = None
        self.samples: dict[Split, list[int]] = {}  # numbers of photos

    def prepare_data(self) -> None:
        """Lists pictures and reads their labels; raises `UserError` where nothing can be learned from them."""
        if self.listed:
            return
        described = self._described()
        names = _names(described, self.path)
        root = self.path.parent / str(described.get("path") or "")
        for part in SPLITS:
            if described.get(part):
                self.listed[part] = list(self._pictures(root, described[part]))
        if not self.listed.get("train"):
            raise UserError(
                f"{self.path}: train names no pictures. It should be a folder, or a list of them in a file."
            )
        keypoints = _num_keypoint_numbers(described, self.path)
        for path in {path: None for paths in self.listed.values() for path in paths}:
            self.labels[path] = read_labels(label_file(path), len(names), keypoints)
        self._say_what_is_wrong()
        self.spec = Spec("yolo_dataset", Images(3, self.size, self.size, (), ()), Boxes(names))

    def setup(self, stage: str | None = None) -> None:
        """Reads and splits the pictures, in the size that the spec has by now."""
        if self.samples:
            return
        assert isinstance(self.spec.input, Images)
        wanted = self.spec.input
        if not wanted.height:
            wanted = replace(wanted, height=SIZE, width=SIZE)
        wanted = replace(wanted, resized=0)
        self.photos = cache.collected(list(self.labels), wanted, self.folder)
        cache.say_what_is_wrong(self.photos, self.path)
        self.samples = self._split(self.photos)
        self.sha256 = {self.path.name: self._fingerprint(self.photos)}
        self.spec = replace(self.spec, input=wanted)

    @property
    def sizes(self) -> dict[Split, int]:
        return {part: len(numbers) for part, numbers in self.samples.items()}

    def stored(self, part: Split) -> tuple[Any, Tensor]:
        assert self.photos is not None
        assert isinstance(self.spec.input, Images)
        boxes = []
        for number in self.samples[part]:
            own = torch.tensor(self.labels[self.photos.paths[number]].boxes).reshape(-1, 5)
            boxes.append(fitted(own, self.photos.sizes[number], self.spec.input))
        numbers = torch.tensor(self.samples[part])
        return cache.Selection(self.photos.pixels, numbers, None), rows(boxes)

    def groups(self, part: Split) -> list[tuple[Hashable]]:
        assert self.photos is not None
        return [(self.photos.sha256[number],) for number in self.samples[part]]

    def _fingerprint(self, photos: cache.Photos) -> str:
        """Of the pictures, their boxes, the classes, and the parts that they came in."""
        sha256 = dict(zip(photos.paths, photos.sha256, strict=True))
        lines = [
            f"{part} {sha256[path]} {self.labels[path].boxes}"
            for part, paths in self.listed.items()
            for path in paths
            if path in sha256
        ]
        return hashlib.sha256("\n".join([repr(self.spec.target.names), *sorted(lines)]).encode()).hexdigest()

    def _described(self) -> dict[str, Any]:
        try:
            described = yaml.safe_load(self.path.read_text())
        except OSError as error:
            hint = ""
            if self.path.is_dir() and (files := sorted([*self.path.glob("*.yaml"), *self.path.glob("*.yml")])):
                hint = f" Is {few([str(file) for file in files])} meant?"
            raise UserError(f"data.path={self.path} cannot be read: {error.strerror}.{hint}") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"data.path={self.path} is no YAML file: {str(error).splitlines()[0]}.") from None
        if not isinstance(described, dict):
            raise UserError(f"data.path={self.path} should say train:, val: and names:.")
        if "validation" in described:
            described.setdefault("val", described.pop("validation"))
        return described

    def _pictures(self, root: Path, places: Any) -> Iterable[Path]:
        for place in places if isinstance(places, list) else [places]:
            path = root / str(place)
            if not path.exists() and str(place).startswith("../"):  # as Roboflow writes it
                path = root / str(place)[3:]
            if path.is_dir():
                pictures, num_others = decode.found(path)
                if num_others:
                    log.warning("%s: %d files are no pictures by their names, and are left out.", path, num_others)
                yield from pictures
            elif path.is_file():
                try:
                    lines = [line.strip() for line in path.read_text().splitlines()]
                except UnicodeDecodeError:
                    raise UserError(f"{self.path} names {place}, which is no list of pictures.") from None
                yield from (path.parent / line for line in lines if line)
            else:
                raise UserError(f"{self.path} names {place}, but {path} is not there.")

    def _say_what_is_wrong(self) -> None:
        kinds: Counter[str] = Counter()
        wrong = []
        for path, labels in self.labels.items():
            for line, mistake in labels.mistakes.items():
                kinds[mistake] += 1
                wrong.append(f"{label_file(path)}:{line} {mistake}")
                log.info("%s, line %d: %s", label_file(path), line, mistake)
        num_boxes = sum(len(labels.boxes) for labels in self.labels.values())
        empty = sum(not labels.boxes for labels in self.labels.values())
        log.info("%d pictures, %d boxes, %d pictures without any", len(self.labels), num_boxes, empty)
        if wrong:
            reasons = "; ".join(f"{mistake}: {count}" for mistake, count in kinds.most_common())
            log.warning("%d lines of label files are left out (%s):\n%s", len(wrong), reasons, few(wrong, "\n"))
        if not num_boxes:
            first = label_file(next(iter(self.labels)))
            raise UserError(f"{self.path}: no picture has a box. Labels are looked for in files such as {first}.")
        missing = [str(label_file(path)) for path in self.labels if not label_file(path).is_file()]
        without = {str(label_file(path)) for path, own in self.labels.items() if not own.boxes and not own.mistakes}
        blank = sorted(without.difference(missing))
        for file in missing:
            log.info("%s is not there", file)
        for file in blank:
            log.info("%s: no box", file)
        if missing:
            said = "%d of %d pictures have no label file, and count as without boxes: %s."
            log.warning(said, len(missing), len(self.labels), few(missing))

    def _split(self, photos: cache.Photos) -> dict[Split, list[int]]:
        number = {path: i for i, path in enumerate(photos.paths)}
        usable = {part: [number[p] for p in paths if p in number] for part, paths in self.listed.items()}
        absent = [part for part in ("val", "test") if part not in usable]
        if absent:
            said = " and ".join(f"{self.shares[part]:.0%} for {part}" for part in absent)
            log.warning("%s names no pictures for %s: %s of the training ones are split off.", self.path, absent, said)
        samples = completed(usable, photos.sha256.__getitem__, lambda _: 0, self.shares, self.limit, self.seed)
        earlier: set[str] = set()
        for part in SPLITS:
            own = {photos.sha256[i] for i in samples[part]}
            if shared := len(own & earlier):
                log.warning("%s: %d pictures of %s are in an earlier part, too.", self.path, shared, part)
            earlier |= own
        if empty := [part for part, numbers in samples.items() if not numbers]:
            raise UserError(f"{self.path}: no picture is left for {' and '.join(empty)}.")
        return samples


def _num_keypoint_numbers(described: dict[str, Any], path: Path) -> int:
    """How many numbers of a line tell where keypoints are: datasets for poses have them after the box."""
    shape = described.get("kpt_shape")
    if shape is None:
        return 0
    if not isinstance(shape, list) or len(shape) != 2 or not all(isinstance(n, int) and n > 0 for n in shape):
        raise UserError(f"{path}: kpt_shape should say how many keypoints, and of how many numbers, such as [17, 3].")
    return shape[0] * shape[1]


def _names(described: dict[str, Any], path: Path) -> tuple[str, ...]:
    """The classes, from a list, from numbers and names, or from how many there are."""
    names = described.get("names")
    if isinstance(names, dict) and sorted(names) == list(range(len(names))) and names:
        return tuple(str(names[i]) for i in range(len(names)))
    if isinstance(names, list) and names:
        return tuple(str(name) for name in names)
    if names is None and isinstance(described.get("nc"), int) and described["nc"] > 0:
        return tuple(str(i) for i in range(described["nc"]))
    raise UserError(f"{path}: names should list the classes, such as names: [cat, dog] or {{0: cat, 1: dog}}.")
