"""What every dataset of labeled images shares: its loaders, and features that are computed once."""

import logging
from abc import abstractmethod
from dataclasses import replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from litmus.config.protocols import Split
from litmus.config.sample import Sample
from litmus.console import Screen
from litmus.data._ahead import Ahead, fits, placed, placed_targets
from litmus.data._base import Data
from litmus.data._classes import count_classes
from litmus.data._concerns import num_repeated
from litmus.data._loader import BatchLoader, Stored, Transform, as_stored
from litmus.data._split import row_fingerprints, select_unseen
from litmus.data._targets import scaled
from litmus.data.image.features import key_of, pick_view
from litmus.data.image.mixing import Mix, MixingLoader
from litmus.data.image.photos import Selection
from litmus.data.image.transform import Augmentation, Normalize, flat_pixels
from litmus.spec import Classes, Images, Target, Values

log = logging.getLogger(__name__)

MOST_PIXELS = 80_000_000  # of a split, for a baseline: so many bytes are read in about 0.1 s
FLAT_SIDE = 16  # pixels of a side, for a baseline


class ImageData(Data):
    """A dataset of images, one class each; or, as some have them, labels or values.

    The features of a network's frozen part are computed once; those of augmented images, once for each of some views.
    """

    input_kinds: ClassVar = (Images,)
    target_kinds: ClassVar[tuple[type[Target], ...]] = (Classes,)
    augmentation: Augmentation | None = None  # of training images
    augmented: tuple[object, ...] = ()  # the settings that it was made of
    mix: Mix | None = None  # of two of them

    @abstractmethod
    def stored(self, split: Split) -> tuple[Stored, Tensor]:
        """Pixels, uint8 (samples, channels, height, width), and targets, as `targets` gives them."""

    def targets(self, split: Split) -> Tensor:
        return self.stored(split)[1]

    @property
    def most_flat(self) -> int:
        return MOST_PIXELS // self._first_image.numel()

    @property
    def flat_noun(self) -> str:
        shrunk = max(self._first_image.shape[1:]) > FLAT_SIDE
        return f"pixels averaged to {FLAT_SIDE} x {FLAT_SIDE}" if shrunk else "pixels"

    def flat_inputs(self, split: Split, rows: Tensor) -> NDArray[np.float32]:
        return flat_pixels(self.unaugmented(split).index_select(0, rows), FLAT_SIDE)

    def sample(self, split: Split, number: int) -> Sample:
        return Sample(image=shown_image(self.unaugmented(split), number))

    @property
    def _first_image(self) -> Tensor:
        """As it is stored: a network may read another size."""
        return self.unaugmented("train").index_select(0, torch.zeros(1, dtype=torch.int64))[0]

    def unaugmented(self, split: Split) -> Stored:
        """The pixels of a split as they are in validation."""
        return self.stored(split)[0]

    def counts(self, split: Split) -> Tensor:
        """Samples of each class or label, int64 (classes or labels,)."""
        return count_classes(self.targets(split), self.spec)

    def _loader(self, split: Split) -> BatchLoader:
        assert self.trainer is not None
        assert isinstance(self.spec.input, Images)
        device = self.trainer.strategy.root_device
        pixels, targets = self.stored(split)
        if isinstance(self.spec.target, Values):
            targets = scaled(targets, self.spec.target)
        pixels = to_device(pixels, device)
        augmentation = self.augmentation if split == "train" else None
        transform: Transform = Normalize(self.spec.input, augmentation, device)
        frozen, mix = self.frozen_part, self.mix if split == "train" else None
        if frozen is not None and split != "test":  # the test set is read only once
            if mix is not None or (augmentation is not None and frozen.views is None):
                log.warning(
                    "data.augment or data.flip: the features of the network's frozen part are computed again in "
                    "every epoch, because the images are augmented differently each time. %s",
                    "" if mix is not None else "model.views=8 computes those of eight views of each image, once.",
                )
            elif augmentation is None:
                pixels = to_device(self._features(split, pixels, targets, transform, None)[:, 0], device)
                transform = as_stored
                if frozen.views is not None and split == "train":
                    log.warning("model.views=%d changes nothing: images are not augmented.", frozen.views)
            else:
                pixels = to_device(self._features(split, pixels, targets, transform, frozen.views), device)
                transform = pick_view
        targets = placed_targets(targets, device)
        if mix is not None:
            num_classes = len(self.spec.target.names)
            return MixingLoader(pixels, targets, transform, self._batching(split), mix=mix, num_classes=num_classes)
        return BatchLoader(pixels, targets, transform, self._batching(split))

    def _features(
        self, split: Split, pixels: Stored, targets: Tensor, transform: Transform, views: int | None
    ) -> Tensor:
        """The frozen part's output for every image, float32 (samples, views, features), on the CPU.

        With `views` None, the images as they are, once.
        """
        assert self.trainer is not None
        assert self.frozen_part is not None
        trainer, frozen, device = self.trainer, self.frozen_part, self.trainer.strategy.root_device
        how = () if views is None else (views, self.seed, type(self).__name__, self.augmented)
        about = repr((frozen.digest(), self.spec.input, trainer.precision, self.eval_batch_size, how))
        key = key_of(self.stored(split)[0], len(targets), about, device)  # the pixels may lie on the device

        def compute() -> Tensor:
            first = self._view(split, pixels, targets, transform, 0)
            features = first.new_empty((len(first), views or 1, *first.shape[1:]))
            for view in range(features.shape[1]):
                features[:, view] = self._view(split, pixels, targets, transform, view) if view else first
            return features

        features, was_kept = self.keep_features(key, compute)
        whence = "were kept by an earlier run" if was_kept else "were computed once, for all epochs"
        of_views = "" if views is None else f" and each of {views} views"
        log.info("%s: %d features of each image%s %s", split, features.shape[2], of_views, whence)
        return features

    def _view(self, split: Split, pixels: Stored, targets: Tensor, transform: Transform, view: int) -> Tensor:
        """One view's features of every image, (samples, features), on the CPU."""
        assert self.trainer is not None
        assert self.frozen_part is not None
        whole = replace(self._batching("val"), rank=0, world_size=1, epoch=lambda: view)
        loader = BatchLoader(pixels, placed_targets(targets, whole.device), transform, whole)
        errors, title = Screen(stderr=True), f"features, {split}" + (f", view {view + 1}" if view else "")
        with torch.no_grad(), self.trainer.precision_plugin.forward_context():
            batches = track(loader, title, len(loader), console=errors, disable=not errors.is_terminal)
            return torch.cat([self.frozen_part(inputs).float().cpu() for inputs, _ in batches])


class ImagesInMemory(ImageData):
    """A dataset of images that are in memory, which are recognized by their pixels.

    Attributes:
        splits: pixels, uint8 (samples, channels, height, width), and class numbers, int64 (samples,).
    """

    splits: dict[Split, tuple[Tensor, Tensor]]

    @property
    def sizes(self) -> dict[Split, int]:
        return {split: len(labels) for split, (_, labels) in self.splits.items()}

    def stored(self, split: Split) -> tuple[Tensor, Tensor]:
        return self.splits[split]

    @cached_property  # every checkpoint stores them
    def seen(self) -> Tensor:
        return torch.cat([self._fingerprints("train"), self._fingerprints("val")]).unique()

    @property
    def repeated(self) -> dict[Split, int]:
        return num_repeated({split: self._fingerprints(split).numpy() for split in self.splits})

    def _fingerprints(self, split: Split) -> Tensor:
        return row_fingerprints(self.splits[split][0].numpy())

    def leave_out(self, seen: Tensor) -> None:
        pixels, labels = self.splits["test"]
        rows = select_unseen(torch.isin(self._fingerprints("test"), seen).tolist(), "images")
        self.splits["test"] = (pixels[rows], labels[rows])


def shown_image(pixels: Stored, number: int) -> NDArray[np.uint8]:
    """An image as it is stored, uint8 (height, width, channels)."""
    return pixels[number : number + 1][0].permute(1, 2, 0).cpu().numpy()


def to_device(pixels: Stored, device: torch.device) -> Stored:
    """The images on the device that trains, if they fit; otherwise each batch is read while the last one trains."""
    if isinstance(pixels, Tensor):
        return placed(pixels, device)
    if not isinstance(pixels, Selection) or (device.type == "cpu" and pixels.is_in_memory):
        return pixels
    if device.type == "cuda" and pixels.is_in_memory and fits(pixels.nbytes, device):
        return pixels.to(device)
    return Ahead(pixels.reading, device)
