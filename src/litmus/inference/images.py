"""Predictions of a network for images."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
import torch
from torch import Tensor

from litmus.config.protocols import Detector, Net
from litmus.data.image.cache import in_threads
from litmus.data.image.decode import Broken, Photo, Source, letterbox_geometry
from litmus.data.image.transform import Normalize
from litmus.inference.prediction import Box, ImagePrediction, key_of, predictions_of
from litmus.inference.save import Inputs
from litmus.spec import Images, Input


class ImagePredictor:
    """Predicts a class, labels, values or bounding boxes for images.

    Args:
        net: in evaluation mode; its input are images.

    Attributes:
        key: of the boxes, or of the figures, in a prediction.
        names: of the classes or values.
    """

    input_kind: ClassVar[type[Input]] = Images
    batch_size = 16

    def __init__(self, net: Net) -> None:
        assert isinstance(net.spec.input, Images)
        self.net = net
        self.images = net.spec.input
        self.normalize = Normalize(self.images, None, next(iter(net.parameters())).device)
        self.key, self.names = key_of(net), net.spec.target.names

    def predict(
        self,
        images: Sequence[Source],
        batch_size: int,
        topk: int,
        min_score: float,
        inputs: Inputs | None = None,
    ) -> Iterator[ImagePrediction]:
        """A prediction for each image, in order; `error` says why it cannot be read.

        Args:
            images: paths of files; or their contents, or images of Pillow, which are called by their numbers, counted
                from 0.
            batch_size: images at a time.
            topk: classes or labels of an image, the best first.
            min_score: boxes with a lower score are dropped.
            inputs: where to write what the network saw; None writes nothing.
        """
        names = [str(image) if isinstance(image, Path) else f"image {i}" for i, image in enumerate(images)]
        read = zip(names, in_threads(images, self.images), strict=True)  # goes on while the network is busy
        while batch := [(name, photo) for name, (_, photo) in islice(read, batch_size)]:
            yield from self._predict_batch(batch, topk, min_score, inputs)

    @torch.inference_mode()
    def _predict_batch(
        self, batch: Sequence[tuple[str, Photo | Broken]], topk: int, min_score: float, inputs: Inputs | None
    ) -> list[ImagePrediction]:
        predictions: list[ImagePrediction] = [{"image": name} for name, _ in batch]
        photos: dict[int, Photo] = {}
        for i, (_, photo) in enumerate(batch):
            if isinstance(photo, Broken):
                predictions[i]["error"] = str(photo)
            else:
                photos[i] = photo
        if not photos:
            return predictions
        outputs = self._outputs(list(photos.values()))
        if self.key == "boxes":
            detector = cast(Detector, self.net)
            found = detector.boxes(outputs, min_score, multi_label=False)
            for (i, photo), boxes in zip(photos.items(), found, strict=True):
                predictions[i]["boxes"] = self._boxes(boxes, photo.size)
        else:
            rows = predictions_of(self.net, outputs, topk)
            for i, own in zip(photos, rows, strict=True):
                predictions[i].update(cast(ImagePrediction, own))
        for i, photo in photos.items():
            if photo.note:
                predictions[i]["note"] = photo.note
            if inputs:
                predictions[i]["input"] = str(inputs.save(photo.pixels, Path(predictions[i]["image"]).stem))
        return predictions

    def _outputs(self, photos: Sequence[Photo]) -> Tensor:
        pixels = torch.from_numpy(np.stack([photo.pixels for photo in photos]))
        return self.net(self.normalize(pixels, torch.Generator(), len(pixels), slice(None)))

    def _boxes(self, boxes: Tensor, size: tuple[int, int]) -> list[Box]:
        """From float (boxes, 6) in pixels of the letterboxed image to boxes in an image of that (height, width)."""
        (height, width), left, top = letterbox_geometry(size, self.images)
        scale = boxes.new_tensor([size[1] / width, size[0] / height] * 2)
        edges = (boxes[:, :4] - boxes.new_tensor([left, top] * 2)) * scale
        edges = edges.clamp(min=0).minimum(boxes.new_tensor([size[1], size[0]] * 2))
        return [
            {"label": self.names[int(number)], "score": score, "box": [round(edge, 1) for edge in own]}
            for own, (score, number) in zip(edges.tolist(), boxes[:, 4:].tolist(), strict=True)
        ]
