"""Which pixels of an image speak for a network's answer."""

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from litmus.config.explanation import Explanation, Heat
from litmus.config.protocols import Detector, Net
from litmus.data.image.cache import in_threads
from litmus.data.image.decode import PADDING, Broken, Source
from litmus.data.image.transform import Normalize
from litmus.errors import UserError
from litmus.inference.explain.attribution import grad_cam, integrated_gradients, last_maps, occlusion
from litmus.inference.explain.target import chosen, number_of, score_of
from litmus.inference.prediction import TOPK, predictions_of
from litmus.record.metrics import min_score_of
from litmus.spec import Boxes, Images
from litmus.task.boxes.precision import box_iou

PATCHES = 7  # that cover the longer side of an image: squares that are covered are that large
MOST_BOXES = 4  # of an image that are explained
Pixels = NDArray[np.uint8]  # (height, width, channels)
GRADIENTS, OCCLUSION, GRAD_CAM = "integrated gradients", "occlusion", "Grad-CAM (HiRes)"


class ImageExplainer:
    """Explains the answers of a network for images.

    Args:
        net: in evaluation mode; its input are images.
    """

    def __init__(self, net: Net) -> None:
        assert isinstance(net.spec.input, Images)
        self.net, self.images = net, net.spec.input
        self.normalize = Normalize(self.images, None, torch.device("cpu"))
        self.side = max(1, round(max(self.images.height, self.images.width) / PATCHES))

    def explain(self, image: Source, name: str, target: str | None) -> list[Explanation]:
        """One explanation; of a detector, one for each of the best boxes.

        Args:
            image: a file, its content, or an image of Pillow.
            name: of it.
            target: the class, label or value to explain; None takes the likeliest.

        Raises:
            UserError: the image cannot be read, there is no such target, or a detector finds no box.
        """
        ((_, photo),) = in_threads([image], self.images)
        if isinstance(photo, Broken):
            raise UserError(f"{name} {photo}.")
        pixels = torch.from_numpy(photo.pixels.copy())[None]  # what Pillow gives cannot be written to
        return self.explain_inputs(self._inputs(pixels), photo.pixels.transpose(1, 2, 0), name, target)

    def explain_inputs(self, inputs: Tensor, pixels: Pixels, name: str, target: str | None) -> list[Explanation]:
        """As `explain`, of an image as the network receives it.

        Args:
            inputs: float32 (1, channels, height, width).
            pixels: what is shown of it.
            name: of it.
            target: see `explain`.
        """
        if isinstance(self.net.spec.target, Boxes):
            return self._boxes(pixels, inputs, name, target)
        with torch.no_grad():
            outputs = self.net(inputs)
        number = chosen(self.net, outputs, target)
        score = score_of(self.net, number)
        words, baseline = self._baseline(inputs)
        integrated = integrated_gradients(score, inputs, baseline)
        heats = [
            Heat(GRADIENTS, integrated.values[0].sum(dim=0).numpy()),
            Heat(OCCLUSION, occlusion(score, inputs, baseline, self.side)[0].numpy()),
        ]
        layer = last_maps(cast(nn.Module, self.net), inputs)
        if layer is not None:
            heats.append(Heat(GRAD_CAM, grad_cam(score, inputs, layer).numpy()))
        (prediction,) = predictions_of(self.net, outputs, TOPK)
        return [
            Explanation(
                name,
                self.net.spec.target.names[number],
                dict(prediction),
                integrated.output,
                integrated.reference,
                words,
                GRADIENTS,
                integrated.error,
                heats=heats,
                pixels=pixels,
            )
        ]

    def _inputs(self, pixels: Tensor) -> Tensor:
        return self.normalize(pixels, torch.Generator(), len(pixels), slice(None))

    def _baseline(self, inputs: Tensor) -> tuple[str, Tensor]:
        """What an image is compared with: black, on which strokes are drawn; else the color that is their mean."""
        if self.images.channels == 1:
            return "a black image", self._inputs(torch.zeros(inputs.shape, dtype=torch.uint8))
        return "an image of the mean color", torch.zeros_like(inputs)

    def _boxes(self, pixels: Pixels, inputs: Tensor, name: str, target: str | None) -> list[Explanation]:
        """What counts for each of the best boxes: how much its score, times its overlap, falls under a square."""
        detector = cast(Detector, self.net)
        names = detector.spec.target.names
        lowest = min_score_of(detector)
        with torch.no_grad():
            (found,) = detector.boxes(detector(inputs), lowest, multi_label=False)
        if target is not None:
            found = found[found[:, 5] == number_of(target, names, detector.spec.target.noun)]
        found = found[:MOST_BOXES]
        if not len(found):
            what = f" of {target}" if target is not None else ""
            raise UserError(f"{name}: the network finds no box{what} with a score of {lowest:.2g} or more.")

        def scores(images: Tensor) -> Tensor:
            return torch.stack(
                [_kept(own, found) for own in detector.boxes(detector(images), 0.001, multi_label=False)]
            )

        gray = self._inputs(torch.full(inputs.shape, PADDING, dtype=torch.uint8))
        heats = occlusion(scores, inputs, gray, self.side)
        return [
            Explanation(
                name,
                names[int(box[5])],
                {},
                float(box[4]),
                0.0,
                "",
                OCCLUSION,
                None,
                heats=[Heat(OCCLUSION, heat.numpy())],
                pixels=pixels,
                box=tuple(round(edge, 1) for edge in box[:4].tolist()),
            )
            for box, heat in zip(found, heats, strict=True)
        ]


def _kept(boxes: Tensor, wanted: Tensor) -> Tensor:
    """Of each wanted box the best score times overlap among the boxes of its class; 0 where there is none."""
    if not len(boxes):
        return wanted.new_zeros(len(wanted))
    same = boxes[None, :, 5] == wanted[:, None, 5]
    return (box_iou(wanted[:, :4], boxes[:, :4]) * boxes[None, :, 4] * same).amax(dim=1)
