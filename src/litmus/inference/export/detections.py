"""From a detector's output to boxes in the image's own pixels, in operations that every exported format has."""

import torch
from torch import Tensor, nn

from litmus.inference.export.pixels import length, place
from litmus.model.yolo import IOU, MAX_BOXES
from litmus.spec import Images

MAX_CANDIDATES = 3000  # boxes among which NMS chooses: those with the best scores
APART = 10_000.0  # pixels, more than a network's image has: boxes of two classes never overlap


class Detections(nn.Module):
    """Non-maximum suppression, and the way back out of the letterbox.

    Args:
        images: the network's input.
        min_score: boxes with a lower score are dropped.
    """

    def __init__(self, images: Images, min_score: float) -> None:
        super().__init__()
        self.images, self.min_score = images, min_score

    def forward(self, output: Tensor, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The boxes of an image, the best first.

        Args:
            output: of the network, float32 (1, 4 + classes, cells).
            image: uint8 (1, height, width, 3).

        Returns:
            float32 (boxes, 4), left, top, right and bottom in pixels; float32 (boxes,) scores; int64 (boxes,) classes.
        """
        from torchvision.ops import nms

        cells = output[0].T
        best, label = cells[:, 4:].max(dim=1)
        scores, order = best.topk(min(MAX_CANDIDATES, len(cells)))
        middle, half = cells[order, :2], cells[order, 2:4] / 2
        boxes, labels = torch.cat([middle - half, middle + half], dim=1), label[order]
        kept = nms(boxes + APART * labels[:, None], scores, IOU)[:MAX_BOXES]
        kept = kept[scores[kept] > self.min_score]
        return self.in_image(boxes[kept], image), scores[kept], labels[kept]

    def in_image(self, boxes: Tensor, image: Tensor) -> Tensor:
        """Boxes in a letterbox, float32 (boxes, 4), as boxes in the image, uint8 (1, height, width, 3)."""
        height, width = length(image, 1), length(image, 2)
        (rows, columns), (top, left) = place(height, width, self.images)
        scale = torch.stack([width / columns, height / rows] * 2)
        edges = (boxes - torch.stack([left, top] * 2)) * scale
        return edges.clamp(min=0).minimum(torch.stack([width, height] * 2)).float()
