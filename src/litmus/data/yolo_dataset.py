"""A dataset in Ultralytics' format: images, and for each a text file with a line for every bounding box."""

import hashlib
import logging
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import replace
from pathlib import Path

import platformdirs
import torch
import yaml
from torch import Tensor

from litmus.config.protocols import SPLITS, Split
from litmus.config.types import Chance, Count, File, Section, Seed, Share
from litmus.config.validate import checked
from litmus.data._classes import list_some
from litmus.data._loader import Stored
from litmus.data._split import complete_splits
from litmus.data.image import cache, decode
from litmus.data.image.boxes import BoxData, pad_boxes
from litmus.data.image.labels import Labels, label_file, letterbox_boxes, read_labels
from litmus.data.image.photos import FingerprintedImages, Photos, Selection, warn_of_problems
from litmus.errors import UserError
from litmus.spec import Boxes, Images, Spec

log = logging.getLogger(__name__)

SIZE = 640  # pixels of a side, where neither data.size nor the network requires another


class YOLODataset(FingerprintedImages[int], BoxData):
    """Images of any size with bounding boxes, as the YAML file `path` describes them.

    It names folders of images (or text files that list them) under `train`, `val` and maybe `test`, and classes
    under `names`. Beside each folder `images` is one named `labels`, with a .txt for each image: class, center,
    width and height as fractions of the image's. Outlines become the boxes around them; keypoints, which the YAML
    file announces by `kpt_shape`, are ignored.
    An image without a label file has no boxes. A missing split is taken from the training images.
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
        self.photos: Photos | None = None
        self.samples: dict[Split, list[int]] = {}  # numbers of images

    def prepare_data(self) -> None:
        """Lists images and reads their labels.

        Raises:
            UserError: the YAML file is wrong, or there are no images or no boxes.
        """
        if self.listed:
            return
        description = self._read_description()
        names = _class_names(description, self.path)
        root = self.path.parent / str(description.get("path") or "")
        for split in SPLITS:
            if description.get(split):
                self.listed[split] = list(self._images(root, description[split]))
        if not self.listed.get("train"):
            raise UserError(
                f"{self.path}: train names no images. It should be a folder of images, or a file that lists them."
            )
        keypoints = _num_keypoint_values(description, self.path)
        for path in {path: None for paths in self.listed.values() for path in paths}:
            self.labels[path] = read_labels(label_file(path), len(names), keypoints)
        self._warn_of_problems()
        self.spec = Spec("yolo_dataset", Images(3, self.size, self.size, (), ()), Boxes(names))

    def setup(self, stage: str | None = None) -> None:
        """Reads and splits the images, in the size that `spec` has by now.

        Raises:
            UserError: too few images can be used.
        """
        if self.samples:
            return
        assert isinstance(self.spec.input, Images)
        wanted = self.spec.input
        if not wanted.height:
            wanted = replace(wanted, height=SIZE, width=SIZE)
        wanted = replace(wanted, resized=0)
        self.photos = cache.collect(list(self.labels), wanted, self.folder)
        warn_of_problems(self.photos, self.path)
        self.samples = self._split(self.photos)
        self.sha256 = {self.path.name: self._fingerprint(self.photos)}
        self.spec = replace(self.spec, input=wanted)

    @property
    def sizes(self) -> dict[Split, int]:
        return {split: len(numbers) for split, numbers in self.samples.items()}

    def stored(self, split: Split) -> tuple[Stored, Tensor]:
        assert self.photos is not None
        assert isinstance(self.spec.input, Images)
        boxes = []
        for number in self.samples[split]:
            own = torch.tensor(self.labels[self.photos.paths[number]].boxes).reshape(-1, 5)
            boxes.append(letterbox_boxes(own, self.photos.sizes[number], self.spec.input))
        numbers = torch.tensor(self.samples[split])
        return Selection(self.photos.pixels, numbers, None), pad_boxes(boxes)

    def groups(self, split: Split) -> list[tuple[Hashable]]:
        assert self.photos is not None
        return [(self.photos.sha256[number],) for number in self.samples[split]]

    def _fingerprint(self, photos: Photos) -> str:
        """A hash of the images, their boxes, the classes, and the splits in which they were listed."""
        sha256 = dict(zip(photos.paths, photos.sha256, strict=True))
        lines = [
            f"{split} {sha256[path]} {self.labels[path].boxes}"
            for split, paths in self.listed.items()
            for path in paths
            if path in sha256
        ]
        return hashlib.sha256("\n".join([repr(self.spec.target.names), *sorted(lines)]).encode()).hexdigest()

    def _read_description(self) -> Section:
        try:
            description = yaml.safe_load(self.path.read_text())
        except OSError as error:
            hint = ""
            if self.path.is_dir() and (files := sorted([*self.path.glob("*.yaml"), *self.path.glob("*.yml")])):
                hint = f" Did you mean {list_some([str(file) for file in files])}?"
            raise UserError(f"data.path={self.path} cannot be read: {error.strerror}.{hint}") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"data.path={self.path} is not a YAML file: {str(error).splitlines()[0]}.") from None
        if not isinstance(description, dict):
            raise UserError(f"data.path={self.path} should have the keys train, val and names.")
        if "validation" in description:
            description.setdefault("val", description.pop("validation"))
        return description

    def _images(self, root: Path, entry: object) -> Iterable[Path]:
        """The images of a split; its entry is a folder, a file that lists images, or a list of those."""
        for name in map(str, entry if isinstance(entry, list) else [entry]):
            path = root / name
            if not path.exists() and name.startswith("../"):  # as Roboflow writes it
                path = root / name[3:]
            if path.is_dir():
                images, num_others = decode.find_images(path)
                if num_others:
                    log.warning("%s: files skipped, because their extension is not an image's: %d.", path, num_others)
                yield from images
            elif path.is_file():
                try:
                    lines = [line.strip() for line in path.read_text().splitlines()]
                except UnicodeDecodeError:
                    raise UserError(f"{self.path} names {name}, which is not a list of images.") from None
                yield from (path.parent / line for line in lines if line)
            else:
                raise UserError(f"{self.path} names {name}, but {path} does not exist.")

    def _warn_of_problems(self) -> None:
        kinds: Counter[str] = Counter()
        wrong = []
        for path, labels in self.labels.items():
            for line, mistake in labels.mistakes.items():
                kinds[mistake] += 1
                wrong.append(f"{label_file(path)}:{line} {mistake}")
                log.info("%s, line %d: %s", label_file(path), line, mistake)
        num_boxes = sum(len(labels.boxes) for labels in self.labels.values())
        empty = sum(not labels.boxes for labels in self.labels.values())
        log.info("%d images, %d boxes, %d images without boxes", len(self.labels), num_boxes, empty)
        if wrong:
            reasons = "; ".join(f"{mistake}: {count}" for mistake, count in kinds.most_common())
            log.warning("%d lines of label files are skipped (%s):\n%s", len(wrong), reasons, list_some(wrong, "\n"))
        if not num_boxes:
            first = label_file(next(iter(self.labels)))
            raise UserError(f"{self.path}: no image has a box. Labels are read from files such as {first}.")
        missing = [str(label_file(path)) for path in self.labels if not label_file(path).is_file()]
        without = {str(label_file(path)) for path, own in self.labels.items() if not own.boxes and not own.mistakes}
        blank = sorted(without.difference(missing))
        for file in missing:
            log.info("%s does not exist", file)
        for file in blank:
            log.info("%s: no box", file)
        if missing:
            message = "%d of %d images have no label file and count as images without boxes: %s."
            log.warning(message, len(missing), len(self.labels), list_some(missing))

    def _split(self, photos: Photos) -> dict[Split, list[int]]:
        number = {path: i for i, path in enumerate(photos.paths)}
        usable = {split: [number[p] for p in paths if p in number] for split, paths in self.listed.items()}
        missing = [split for split in ("val", "test") if split not in usable]
        if missing:
            shares = " and ".join(f"{self.shares[split]:.0%} for {split}" for split in missing)
            log.warning(
                "%s has no images for %s: %s of the training images are used.", self.path, " and ".join(missing), shares
            )
        samples = complete_splits(usable, photos.sha256.__getitem__, lambda _: 0, self.shares, self.limit, self.seed)
        earlier: set[str] = set()
        for split in SPLITS:
            own = {photos.sha256[i] for i in samples[split]}
            if num_shared := len(own & earlier):
                log.warning("%s: %d images of %s are also in an earlier split.", self.path, num_shared, split)
            earlier |= own
        if empty := [split for split, numbers in samples.items() if not numbers]:
            raise UserError(f"{self.path}: no image is left for {' and '.join(empty)}.")
        return samples


def _num_keypoint_values(description: Section, path: Path) -> int:
    """How many numbers of a line are keypoints: datasets for pose estimation have them after the box."""
    shape = description.get("kpt_shape")
    if shape is None:
        return 0
    if not isinstance(shape, list) or len(shape) != 2 or not all(isinstance(n, int) and n > 0 for n in shape):
        raise UserError(
            f"{path}: kpt_shape should be the number of keypoints and the numbers of each, such as [17, 3]."
        )
    return shape[0] * shape[1]


def _class_names(description: Section, path: Path) -> tuple[str, ...]:
    """The names of the classes, from a list, from a mapping of numbers to names, or from their number, `nc`."""
    names = description.get("names")
    if isinstance(names, dict) and names and set(names) == set(range(len(names))):
        return tuple(str(names[i]) for i in range(len(names)))
    if isinstance(names, list) and names:
        return tuple(str(name) for name in names)
    if names is None and isinstance(description.get("nc"), int) and description["nc"] > 0:
        return tuple(str(i) for i in range(description["nc"]))
    raise UserError(f"{path}: names should list the classes, such as names: [cat, dog] or {{0: cat, 1: dog}}.")
