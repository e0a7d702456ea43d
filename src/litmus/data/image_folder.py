"""Photos of one's own: a folder for each class, or a table of paths and labels."""

import hashlib
import logging
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import platformdirs
import torch
from torch import Tensor

from litmus.config.protocols import SPLITS, Split
from litmus.config.types import Column, Count, PhotoPath, Seed, Share
from litmus.config.validate import checked
from litmus.data import _table
from litmus.data._base import classes, few
from litmus.data._split import completed
from litmus.data.image import cache, decode
from litmus.data.image.base import ImageData, mean_and_deviation, random_resized_crop
from litmus.errors import UserError
from litmus.spec import Classes, Images, Spec

log = logging.getLogger(__name__)

SIZE = 64  # pixels of a side, where neither a person nor the network asks for another
MARGIN = 8 / 7  # by which a picture is larger before its middle is cut out, as 256 to 224
READY = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
IMBALANCE = 4  # times as many pictures in one class as in another, and it is said

Sample = tuple[Path, str]  # a photo, and its class


class ImageFolder(cache.Filed, ImageData):
    """Photos, one class each.

    `path` is a folder with a folder of photos for each class; or one with such folders below `train`, and maybe
    `val` and `test`; or a table (CSV, TSV, JSON lines, Parquet) with a column of paths, relative to the
    table, and one of labels. Parts that are not there are split off, class by class. Equal files never
    stand on two sides of a split.

    Each photo is made to fit once, and kept in the cache folder: its shorter side is resized to a
    little more than `size`, and the middle cut out.
    """

    @checked
    def __init__(
        self,
        seed: Seed,
        *,
        path: PhotoPath,
        image: Column,
        label: Column,
        size: Count | None,
        colours: Literal["rgb", "grey"],
        val_share: Share,
        test_share: Share,
        dir: str | None,
        limit: Count | None,
        batch_size: Count,
        eval_batch_size: Count,
        augment: bool,
    ) -> None:
        super().__init__(seed, batch_size, eval_batch_size)
        self.path = Path(path).expanduser()
        self.image, self.label = image, label
        self.size = size
        self.channels = 3 if colours == "rgb" else 1
        self.shares = {"val": val_share, "test": test_share}
        self.folder = Path(dir or platformdirs.user_cache_dir("litmus")).expanduser() / "photos"
        self.limit = limit
        self.augment = augment
        self.augmentation = random_resized_crop if augment else None
        self.source = path
        self.listed: dict[str, list[Sample]] = {}
        self.photos: cache.Photos | None = None
        self.samples: dict[Split, list[tuple[int, str]]] = {}  # number of a photo, and its class

    def prepare_data(self) -> None:
        """Lists the photos and their classes; raises `UserError` where there are none, or one class only."""
        if self.listed:
            return
        if self.path.is_dir():
            self.listed = self._in_folders()
        elif self.path.is_file():
            self.listed = {"train": self._in_table()}
        else:
            raise UserError(
                f"data.path={self.path} is neither a folder of photos nor a table of them: there is nothing."
            )
        names = sorted({name for samples in self.listed.values() for _, name in samples})
        if not names:
            raise UserError(
                f"data.path={self.path} holds no photos ({', '.join(e[1:] for e in decode.ENDINGS)}) in folders, one "
                f"folder for each class.{self._hint()}"
            )
        target = classes(names, [name for _, name in self.listed["train"]], f"data.path={self.path}")
        size = self.size or 0
        self.spec = Spec("image_folder", Images(self.channels, size, size, (), (), round(size * MARGIN)), target)

    def setup(self, stage: str | None = None) -> None:
        """Reads, checks and splits the photos, in the size that the spec has by now."""
        if self.samples:
            return
        assert isinstance(self.spec.input, Images)
        wanted = self.spec.input
        if not wanted.height:
            wanted = replace(wanted, height=SIZE, width=SIZE)
        if not wanted.resized:  # whoever chose the size, a run on MNIST for example, cut nothing out
            wanted = replace(wanted, resized=round(min(wanted.height, wanted.width) * MARGIN))
        paths = [path for samples in self.listed.values() for path, _ in samples]
        self.photos = cache.collected(paths, self._kept(wanted), self.folder)
        cache.say_what_is_wrong(self.photos, self.path)
        self.samples = self._split(self.photos)
        self.sha256 = {self.path.name: self._fingerprint(self.photos)}
        if not wanted.mean:
            training = torch.tensor([number for number, _ in self.samples["train"]])
            mean, std = mean_and_deviation(self.photos.pixels, training)
            wanted = replace(wanted, mean=mean, std=std)
        self.spec = replace(self.spec, input=wanted)

    @property
    def sizes(self) -> dict[Split, int]:
        return {part: len(samples) for part, samples in self.samples.items()}

    def stored(self, part: Split) -> tuple[Any, Tensor]:
        assert self.photos is not None
        assert isinstance(self.spec.target, Classes)
        number = {name: i for i, name in enumerate(self.spec.target.names)}
        if unknown := sorted({name for _, name in self.samples[part]} - set(number)):
            raise UserError(f"data={self.spec.data} has classes that the network was not trained on: {few(unknown)}.")
        rows = torch.tensor([row for row, _ in self.samples[part]])
        targets = torch.tensor([number[name] for _, name in self.samples[part]], dtype=torch.int64)
        return cache.Selection(self.photos.pixels, rows, self._margin(part)), targets

    def groups(self, part: Split) -> list[tuple[Hashable]]:
        assert self.photos is not None
        return [(self.photos.sha256[number],) for number, _ in self.samples[part]]

    def _fingerprint(self, photos: cache.Photos) -> str:
        """Of the files, their classes, and the parts that they came in."""
        sha256 = dict(zip(photos.paths, photos.sha256, strict=True))
        lines = [
            f"{part} {name} {sha256[path]}"
            for part, samples in self.listed.items()
            for path, name in samples
            if path in sha256
        ]
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()

    def _kept(self, wanted: Images) -> Images:
        """How photos are stored: with the margin that random cuts need, if there are to be any."""
        return replace(wanted, height=wanted.resized, width=wanted.resized) if self.augment else wanted

    def _margin(self, part: Split) -> tuple[int, int] | None:
        """What to cut out of the stored pictures' middle; None where all of it is used."""
        assert isinstance(self.spec.input, Images)
        return None if part == "train" or not self.augment else (self.spec.input.height, self.spec.input.width)

    def _in_folders(self) -> dict[str, list[Sample]]:
        below = [path for path in sorted(self.path.iterdir()) if path.is_dir() and not decode.hidden(path)]
        parts = {name: part for part, names in READY.items() for name in names}
        ready: dict[str, Path] = {}
        others = []
        for path in below:
            part = parts.get(path.name.lower())
            if part is None:
                others.append(path)
            elif part in ready:
                raise UserError(f"{ready[part]} and {path} are both folders for {part}: which one is meant?")
            else:
                ready[part] = path
        if not ready or (others and len(ready) == 1):  # a class may be named train, among others
            return {"train": self._by_class(self.path)}
        if "train" not in ready:
            has = " and ".join(f"{path.name}/" for path in ready.values())
            raise UserError(f"data.path={self.path} has {has} for its parts, but no folder train/ to learn from.")
        if others:
            log.warning(
                "%s has %s for its parts; beside them, %s is left out.",
                self.path,
                ", ".join(f"{path.name}/" for path in ready.values()),
                few([f"{path.name}/" for path in others]),
            )
        log.info("%s: %s", self.path, ", ".join(f"{path.name}/ for {part}" for part, path in ready.items()))
        return {part: self._by_class(path) for part, path in ready.items()}

    def _by_class(self, folder: Path) -> list[Sample]:
        photos, num_others = decode.found(folder)
        loose = [path for path in photos if path.parent == folder]
        if loose:
            log.warning("%s: %d photos lie in no class's folder, and are left out.", folder, len(loose))
        if num_others:
            log.warning("%s: %d files are no photos by their names, and are left out.", folder, num_others)
        return [(path, path.relative_to(folder).parts[0]) for path in photos if path.parent != folder]

    def _hint(self) -> str:
        """Of the folder above, where the path is one class's."""
        loose = self.path.is_dir() and any(path.suffix.lower() in decode.ENDINGS for path in self.path.iterdir())
        return f" There are photos in it: is the folder above, {self.path.absolute().parent}, meant?" if loose else ""

    def _in_table(self) -> list[Sample]:
        table = _table.read(self.path, [self.image, self.label], encoding="auto", separator="auto")
        table.keep(lambda cells: None if str(cells[self.label] or "").strip() else f"no {self.label}")
        table.keep(lambda cells: None if self._place(cells).is_file() else f"no such file as its {self.image}")
        table.warn_of_problems()
        return [(self._place(cells), str(cells[self.label]).strip()) for _, cells in table.rows]

    def _place(self, cells: dict[str, Any]) -> Path:
        return self.path.parent / str(cells[self.image] or "").strip()

    def _split(self, photos: cache.Photos) -> dict[Split, list[tuple[int, str]]]:
        number = {path: i for i, path in enumerate(photos.paths)}
        usable = {
            part: [(number[path], name) for path, name in samples if path in number]
            for part, samples in self.listed.items()
        }
        samples = completed(
            usable, lambda own: photos.sha256[own[0]], lambda own: own[1], self.shares, self.limit, self.seed
        )
        if empty := [part for part, own in samples.items() if not own]:
            raise UserError(f"{self.path}: no photo is left for {' and '.join(empty)}: there are too few of them.")
        self._warn_of_leaks(samples, photos.sha256)
        counts = Counter(name for _, name in samples["train"])
        classes(sorted({name for _, name in self.listed["train"]}), list(counts), f"data.path={self.path}")
        most, least = counts.most_common()[0], counts.most_common()[-1]
        if most[1] >= IMBALANCE * least[1]:
            log.warning(
                "Classes are unbalanced: %d training photos of %s, %d of %s. task.balanced=true weighs them alike.",
                most[1],
                most[0],
                least[1],
                least[0],
            )
        return samples

    def _warn_of_leaks(self, samples: dict[Split, list[tuple[int, str]]], sha256: Sequence[str]) -> None:
        """Folders of their own may hold the same file twice, and so may two classes."""
        labels: dict[str, set[str]] = {}
        seen: dict[str, Split] = {}
        leaked = 0
        for part in SPLITS:
            for number, name in samples[part]:
                labels.setdefault(sha256[number], set()).add(name)
                leaked += seen.setdefault(sha256[number], part) != part
        if leaked:
            log.warning("%s: %d photos of validation or test are in an earlier part, too.", self.path, leaked)
        if torn := sum(len(names) > 1 for names in labels.values()):
            log.warning("%s: %d photos stand in more than one class.", self.path, torn)
