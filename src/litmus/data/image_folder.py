"""Your own images: a folder for each class, or a table of paths and of classes, labels or numbers."""

import hashlib
import logging
import os
from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor

from litmus.config.protocols import SPLITS, Split
from litmus.config.sample import Sample
from litmus.config.types import (
    Augment,
    BatchSize,
    Chance,
    Column,
    Count,
    Folds,
    PhotoPath,
    Section,
    Seed,
    Separator,
    Share,
    Targets,
    Whole,
)
from litmus.config.validate import checked
from litmus.data import _table
from litmus.data._classes import list_some
from litmus.data._folds import shares_of
from litmus.data._loader import Stored
from litmus.data._preflight import check_mixing, photos_are_in_table, split_folders
from litmus.data._split import complete_splits, limits
from litmus.data._target_columns import Answer, AnswerKind, TargetColumns, strata, to_tensor
from litmus.data.image import cache, decode
from litmus.data.image.base import ImageData
from litmus.data.image.mixing import MIXES
from litmus.data.image.photos import FingerprintedImages, Photos, Selection, warn_of_problems
from litmus.data.image.transform import augmentation, mean_and_std, random_resized_crop
from litmus.errors import UserError
from litmus.fetch import local
from litmus.spec import Classes, Images, Labels, Spec, Target, Values

log = logging.getLogger(__name__)

USUAL_FLIP = 0.5  # probability of augmented images, as most photos show nothing whose left and right differ in meaning
SIZE = 64  # pixels of a side, where neither data.size nor the network requires another
MARGIN = 8 / 7  # ratio of the resized shorter side to the crop, as 256 to 224

Listed = tuple[Path, Answer]  # an image file, and what is to be predicted
Numbered = tuple[int, Answer]  # the number of an image, and the same


class ImageFolder(FingerprintedImages[Numbered], ImageData):
    """Images, one class each; or, by a table, any number of labels, or numbers.

    `path` is a folder with a folder of images for each class; or one with such folders below `train`, and maybe
    `val` and `test`; or a table (CSV, TSV, JSON lines, Parquet) with a column of paths, relative to the
    table, and one of labels, or several of numbers. `kind` and `target_separator` are those of `data=table`, but `auto`
    asks about more than 20 whole numbers, which may be names of classes. Missing splits are taken from the training
    images, class by class. Identical files are always in the same split.

    Each image is resized and center-cropped once, and cached: its shorter side becomes a little longer than `size`,
    then the center is cropped.

    Attributes:
        choice: the name of the dataset, as `data=` selects it.
    """

    choice: ClassVar[str] = "image_folder"
    target_kinds: ClassVar = (Classes, Labels, Values)

    @checked
    def __init__(
        self,
        seed: Seed,
        *,
        path: PhotoPath,
        image: Column,
        label: Targets,
        target_separator: Separator | None,
        kind: Literal["auto", "classes", "numbers"],
        size: Count | None,
        colours: Literal["rgb", "grey"],
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
        augment: Augment,
        flip: Chance | None,
    ) -> None:
        super().__init__(seed, batch_size, eval_batch_size)
        self.path = local.expand(path)
        self.image = image
        self.labels = TargetColumns([label] if isinstance(label, str) else label, "data.label", kind, target_separator)
        self.answers: AnswerKind = "classes"
        self.size = size
        self.channels = 3 if colours == "rgb" else 1
        self.shares = shares_of(folds, fold, val_share, test_share)
        self.folder = local.cache_folder(dir) / "photos"
        self.limits = limits(limit, limit_eval)
        self.split_seed = seed if split_seed is None else split_seed
        self.augment: str = augment
        self.is_cropped = augment != "none"
        self.flip = flip if flip is not None else 0.0 if augment == "none" else USUAL_FLIP
        light = partial(random_resized_crop, flip=self.flip)
        self.augmentation = augmentation(augment, self.flip if augment == "none" else 0.0, light)
        self.augmented = (augment, self.flip)
        self.mix = MIXES.get(augment)
        self.source = path
        self.listed: dict[str, list[Listed]] = {}
        self.photos: Photos | None = None
        self.samples: dict[Split, list[Numbered]] = {}

    def prepare_data(self) -> None:
        """Lists the images and what is to be predicted.

        Raises:
            UserError: there are no images, or only one class.
        """
        if self.listed:
            return
        in_table = photos_are_in_table(self.path)
        self.listed = {"train": self._in_table()} if in_table else self._in_folders()
        if not any(self.listed.values()):
            raise UserError(
                f"data.path={self.path} has no images ({', '.join(e[1:] for e in decode.EXTENSIONS)}) in folders, one "
                f"for each class.{self._hint()}"
            )
        size = self.size or 0
        images = Images(self.channels, size, size, (), (), round(size * MARGIN))
        numeric = self.answers == "numbers"  # whose mean is that of the training split, which is not known yet
        target = Values(tuple(self.labels.names), (), ()) if numeric else self._target(self.listed["train"])
        check_mixing(self.augment, target.noun)
        self.spec = Spec(self.choice, images, target)

    def setup(self, stage: str | None = None) -> None:
        """Reads, checks and splits the images, in the size that `spec` has by now.

        Raises:
            UserError: too few images can be used.
        """
        if self.samples:
            return
        assert isinstance(self.spec.input, Images)
        wanted = self.spec.input
        if not wanted.height:
            wanted = replace(wanted, height=SIZE, width=SIZE)
        if not wanted.resized:  # the size comes from a run whose dataset does not crop, such as MNIST
            wanted = replace(wanted, resized=round(min(wanted.height, wanted.width) * MARGIN))
        paths = [path for samples in self.listed.values() for path, _ in samples]
        self.photos = cache.collect(paths, self._stored_size(wanted), self.folder)
        warn_of_problems(self.photos, self.path)
        self.samples = self._split(self.photos)
        self.sha256 = {self.path.name: self._fingerprint(self.photos)}
        if not wanted.mean:
            training = torch.tensor([number for number, _ in self.samples["train"]])
            mean, std = mean_and_std(self.photos.pixels, training)
            wanted = replace(wanted, mean=mean, std=std)
        self.spec = replace(self.spec, input=wanted)

    @property
    def chosen(self) -> Section:
        return {"flip": self.flip}

    @property
    def sizes(self) -> dict[Split, int]:
        return {split: len(samples) for split, samples in self.samples.items()}

    def stored(self, split: Split) -> tuple[Stored, Tensor]:
        """Inputs and targets of a split.

        Raises:
            UserError: images of a class that the network was not trained on.
        """
        targets = to_tensor([own for _, own in self.samples[split]], self.spec.target, self.spec.data)
        return self._selection(split, self._crop(split)), targets

    def unaugmented(self, split: Split) -> Stored:
        return self._selection(split, self._crop("val"))

    def sample(self, split: Split, number: int) -> Sample:
        assert self.photos is not None
        path = self.photos.paths[self.samples[split][number][0]]
        folder = self.path if self.path.is_dir() else self.path.parent
        return replace(super().sample(split, number), name=_class_name(os.path.relpath(path, folder)))

    @property
    def most_flat(self) -> int:
        assert self.photos is not None
        return super().most_flat if isinstance(self.photos.pixels, Tensor) else 0  # else each is decoded again

    def _selection(self, split: Split, crop: tuple[int, int] | None) -> Selection:
        assert self.photos is not None
        return Selection(self.photos.pixels, torch.tensor([row for row, _ in self.samples[split]]), crop)

    def groups(self, split: Split) -> list[tuple[Hashable]]:
        assert self.photos is not None
        return [(self.photos.sha256[number],) for number, _ in self.samples[split]]

    def _fingerprint(self, photos: Photos) -> str:
        """A hash of the files, their classes, and the splits in which they were listed."""
        sha256 = dict(zip(photos.paths, photos.sha256, strict=True))
        lines = [
            f"{split} {own} {sha256[path]}"
            for split, samples in self.listed.items()
            for path, own in samples
            if path in sha256
        ]
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()

    def _stored_size(self, wanted: Images) -> Images:
        """The size in which images are cached: uncropped if they are augmented, for random crops."""
        return replace(wanted, height=wanted.resized, width=wanted.resized) if self.is_cropped else wanted

    def _crop(self, split: Split) -> tuple[int, int] | None:
        """(height, width) of the center to crop from the cached images; None uses all of it."""
        assert isinstance(self.spec.input, Images)
        return None if split == "train" or not self.is_cropped else (self.spec.input.height, self.spec.input.width)

    def _in_folders(self) -> dict[str, list[Listed]]:
        folders, others = split_folders(self.path)
        if not folders:
            return {"train": self._by_class(self.path)}
        if others:
            log.warning(
                "%s has %s as its splits; the other folders are skipped: %s.",
                self.path,
                ", ".join(f"{path.name}/" for path in folders.values()),
                list_some([f"{path.name}/" for path in others]),
            )
        log.info("%s: %s", self.path, ", ".join(f"{path.name}/ for {split}" for split, path in folders.items()))
        return {split: self._by_class(path) for split, path in folders.items()}

    def _by_class(self, folder: Path) -> list[Listed]:
        images, num_others = decode.find_images(folder)
        loose = [path for path in images if path.parent == folder]
        if loose:
            log.warning("%s: %d images are in no class's folder and are skipped.", folder, len(loose))
        if num_others:
            log.warning("%s: files skipped, because their extension is not an image's: %d.", folder, num_others)
        named = [(path, path.relative_to(folder).parts[0]) for path in images if path.parent != folder]
        if named and (empty := sorted(_folders(folder) - {name for _, name in named})):
            log.warning("%s: no image, and so no class, is in %s.", folder, list_some([f"{name}/" for name in empty]))
        return [(path, _class_name(name)) for path, name in named]

    def _hint(self) -> str:
        """Suggests the folder above, where the path is the folder of one class."""
        loose = self.path.is_dir() and any(path.suffix.lower() in decode.EXTENSIONS for path in self.path.iterdir())
        return f" It has images itself: did you mean the folder above, {self.path.absolute().parent}?" if loose else ""

    def _in_table(self) -> list[Listed]:
        names = self.labels.names
        table = _table.read(self.path, [self.image, *names], encoding="auto", separator="auto", lists=names)
        table.drop(self.labels.missing)
        table.drop(lambda cells: None if local.is_file(self._file(cells)) else f"no such file in {self.image}")
        self.answers = self.labels.kind_in([cells for _, cells in table.rows], asks=True)
        if self.answers == "numbers":
            table.drop(self.labels.no_number)
        table.warn_of_problems()
        return [(self._file(cells), self.labels.answer(cells, self.answers)) for _, cells in table.rows]

    def _file(self, cells: _table.Cells) -> Path:
        return self.path.parent / str(cells[self.image] or "").strip()

    def _split(self, photos: Photos) -> dict[Split, list[Numbered]]:
        number = {path: i for i, path in enumerate(photos.paths)}
        usable = {
            split: [(number[path], own) for path, own in samples if path in number]
            for split, samples in self.listed.items()
        }
        stratum = dict(zip(usable["train"], strata([own for _, own in usable["train"]], self.answers), strict=True))
        samples = complete_splits(
            usable,
            lambda own: photos.sha256[own[0]],
            stratum.__getitem__,
            self.shares,
            self.limits,
            self.split_seed,
        )
        if empty := [split for split, own in samples.items() if not own]:
            raise UserError(f"{self.path}: no image is left for {' and '.join(empty)}: there are too few.")
        self._warn_of_leaks(samples, photos.sha256)
        target = self._target(samples["train"])
        if isinstance(self.spec.target, Values) and not self.spec.target.mean:
            self.spec = replace(self.spec, target=target)
        return samples

    def _target(self, training: Sequence[tuple[object, Answer]]) -> Target:
        everything = [own for samples in self.listed.values() for _, own in samples]
        return self.labels.make_target(
            self.answers, everything, [own for _, own in training], f"data.path={self.path}", sorted
        )

    def _warn_of_leaks(self, samples: dict[Split, list[Numbered]], sha256: Sequence[str]) -> None:
        """Warns if the dataset's own splits, or two classes, contain the same file."""
        labels: dict[str, set[Answer]] = {}
        seen: dict[str, Split] = {}
        num_leaked = 0
        for split in SPLITS:
            for number, name in samples[split]:
                labels.setdefault(sha256[number], set()).add(name)
                num_leaked += seen.setdefault(sha256[number], split) != split
        if num_leaked:
            log.warning("%s: %d images of val or test are also in an earlier split.", self.path, num_leaked)
        if num_ambiguous := sum(len(names) > 1 for names in labels.values()):
            log.warning("%s: %d images have different %s.", self.path, num_ambiguous, self.spec.target.noun)


def _folders(path: Path) -> set[str]:
    return {each.name for each in path.iterdir() if each.is_dir() and not local.is_hidden(each)}


def _class_name(folder: str) -> str:
    r"""A file's or folder's name; bytes that are not UTF-8, which no checkpoint or event file holds, as `\xe9`."""
    return os.fsencode(folder).decode("utf-8", "backslashreplace")
