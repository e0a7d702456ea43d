"""A dataset in Ultralytics' format: images, and for each a text file with a line for every bounding box."""

import hashlib
import logging
from collections import Counter
from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from litmus.config.protocols import SPLITS, Split
from litmus.config.sample import Sample
from litmus.config.types import (
    BatchSize,
    Chance,
    Count,
    File,
    Folds,
    Seed,
    Share,
    Whole,
)
from litmus.config.validate import checked
from litmus.console import printable
from litmus.data._classes import list_some
from litmus.data._description import read_description
from litmus.data._folds import Fold, shares_of
from litmus.data._loader import Stored
from litmus.data._split import complete_splits, limits
from litmus.data.image import cache, decode
from litmus.data.image.base import shown_image
from litmus.data.image.boxes import BoxData, pad_boxes
from litmus.data.image.labels import Labels, label_file, letterbox_boxes, read_labels
from litmus.data.image.photos import FingerprintedImages, Photos, Selection, warn_of_problems
from litmus.errors import UserError
from litmus.fetch import local
from litmus.spec import Boxes, Images, Spec

log = logging.getLogger(__name__)

LARGEST = 1 << 30  # bytes of a list of images
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
        limit_eval: Count | None,
        split_seed: Seed | None,
        folds: Folds | None,
        fold: Whole | None,
        batch_size: BatchSize,
        eval_batch_size: Count,
        mosaic: Chance,
        flip: Chance,
    ) -> None:
        super().__init__(seed, batch_size, eval_batch_size, mosaic, flip)
        self.path = local.expand(path)
        self.size = size or 0
        self.shares = shares_of(folds, fold, val_share, test_share)
        self.folder = local.cache_folder(dir) / "photos"
        self.limits = limits(limit, limit_eval)
        self.split_seed = seed if split_seed is None else split_seed
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
        description = read_description(self.path)
        for split, entries in description.entries.items():
            self.listed[split] = [image for entry in entries for image in self._images(entry)]
        if not self.listed.get("train"):
            raise UserError(
                f"{self.path}: train names no images. It should be a folder of images, or a file that lists them."
            )
        names = description.names
        for path in {path: None for paths in self.listed.values() for path in paths}:
            self.labels[path] = read_labels(label_file(path), len(names), description.keypoints)
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

    def sample(self, split: Split, number: int) -> Sample:
        assert self.photos is not None
        row = self.samples[split][number]
        pixels = Selection(self.photos.pixels, torch.tensor([row]), None)
        return Sample(image=shown_image(pixels, 0), name=printable(self.photos.paths[row].name))

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

    def _images(self, path: Path) -> list[Path]:
        """The images of an entry: a folder, or a file that lists them."""
        if not path.is_dir():
            return self._listed_in(path)
        images, num_others = decode.find_images(path)
        if num_others:
            log.warning("%s: files skipped, because their extension is not an image's: %d.", path, num_others)
        return images

    def _listed_in(self, path: Path) -> list[Path]:
        """The images that a text file lists. Nothing of it is quoted: it may be any file of the machine."""
        try:
            lines = [line.strip() for line in local.read_bytes(path, LARGEST).decode("utf-8-sig").splitlines()]
        except (OSError, UnicodeDecodeError):
            raise UserError(f"{self.path} names {path}, which is not a list of images.") from None
        listed = [line for line in lines if line]
        images = [path.parent / line for line in listed if line.lower().endswith(decode.EXTENSIONS)]
        if not images:
            raise UserError(f"{self.path} names {path}, which is not a list of images: no line names one.")
        if num_others := len(listed) - len(images):
            log.warning("%s: lines skipped, because their extension is not an image's: %d.", path, num_others)
        return images

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
        missing = [str(label_file(path)) for path in self.labels if not local.is_file(label_file(path))]
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
            val, test = self.shares
            parts = {"val": 1 / val.of if isinstance(val, Fold) else val, "test": test}
            shares = " and ".join(f"{parts[split]:.0%} for {split}" for split in missing)
            log.warning(
                "%s has no images for %s: %s of the training images are used.", self.path, " and ".join(missing), shares
            )
        samples = complete_splits(
            usable, photos.sha256.__getitem__, lambda _: 0, self.shares, self.limits, self.split_seed
        )
        earlier: set[str] = set()
        for split in SPLITS:
            own = {photos.sha256[i] for i in samples[split]}
            if num_shared := len(own & earlier):
                log.warning("%s: %d images of %s are also in an earlier split.", self.path, num_shared, split)
            earlier |= own
        if empty := [split for split, numbers in samples.items() if not numbers]:
            raise UserError(f"{self.path}: no image is left for {' and '.join(empty)}.")
        return samples
