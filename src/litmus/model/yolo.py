"""YOLO (Redmon et al. 2016), in the versions of the ultralytics package: its networks and its loss, no more of it."""

from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from litmus.config.types import NonNegative, Positive, Probability
from litmus.config.validate import checked
from litmus.errors import UserError
from litmus.model import _ultralytics, _weights
from litmus.model._base import Net, by_depth
from litmus.spec import Boxes, Images, Spec

COCO = "coco"
SIZE = 640  # pixels of a side, of the pictures that COCO's weights were trained on
STRIDE = 32  # a side must be a multiple of it
GAINS = {"box": 7.5, "cls": 0.5, "dfl": 1.5}  # of the parts of the loss: the package's own defaults
MAX_BOXES = 300  # answered for a picture at most
OVERLAP = 0.7  # of two boxes of one class, as intersection over union, above which the worse one is dropped


class YOLO(Net):
    """A detector: in one pass, at every place of three grids, a box and a score for each class.

    `weights` is `coco`, a .pt of the ultralytics package, or the folder of a run; null begins at random. Of loaded
    weights, the backbone learns `lr_decay` times as fast as what is behind it. `batchnorm=false` freezes the
    statistics of its own batch norm. It has no dropout of its own: `dropout` drops whole channels of the
    maps that the last layer reads.

    The loss is the package's: complete IoU of boxes (`box`), cross-entropy of classes (`cls`), and the distribution
    of the edges (`dfl`; their distance, in versions without), each with its gain.
    """

    input_kinds: ClassVar = (Images,)
    target_kinds: ClassVar = (Boxes,)
    gains_from_bf16: ClassVar = True

    @checked
    def __init__(
        self,
        spec: Spec,
        *,
        arch: Literal[
            "yolov8n", "yolov8s", "yolov8m", "yolov8l", "yolov8x",
            "yolov9t", "yolov9s", "yolov9m", "yolov9c", "yolov9e",
            "yolov10n", "yolov10s", "yolov10m", "yolov10b", "yolov10l", "yolov10x",
            "yolo11n", "yolo11s", "yolo11m", "yolo11l", "yolo11x",
            "yolo12n", "yolo12s", "yolo12m", "yolo12l", "yolo12x",
            "yolo26n", "yolo26s", "yolo26m", "yolo26l", "yolo26x",
        ],
        weights: str | None,
        lr_decay: Positive,
        dropout: Probability,
        batchnorm: bool,
        l2: NonNegative,
    ) -> None:  # fmt: skip
        super().__init__(spec, l2)
        assert isinstance(spec.input, Images)
        _refuse_other_sides(spec.input)
        self.arch = arch
        self.network = _ultralytics.network(arch, spec.input.channels, spec.target.names)
        self.pretrained = weights is not None
        if weights is not None and weights != _weights.CHECKPOINT:
            loaded = _ultralytics.tensors(arch, weights)
            what = f"model.weights={weights}"
            self.provenance = _weights.load(self, loaded, what, _ultralytics.is_head(self.network))
        self.lr_decay = lr_decay if self.pretrained else 1.0
        self.batchnorm = batchnorm
        self.drop = nn.Dropout2d(dropout) if dropout else nn.Identity()
        if dropout:
            self.network.model[-1].register_forward_pre_hook(self._drop)
        self._criterion: Any = None
        # Convolutions in bf16 run about 1.7 times faster on a CPU with this layout.
        self.to(memory_format=torch.channels_last)
        self.train()

    @classmethod
    def image_spec(cls, settings: dict[str, Any], images: Images) -> Images:
        weights, size = settings["weights"], SIZE
        if weights == COCO:
            _ultralytics.coco_file(settings["arch"])  # before a long time is spent on photos
        elif weights is not None:
            size = _size_of(weights) or SIZE  # a file that cannot be read is refused here, too
        height = images.height or -(-size // STRIDE) * STRIDE  # as the package rounds it
        return _refuse_other_sides(Images(3, height, images.width or height, (0.0,) * 3, (1.0,) * 3))

    @classmethod
    def pretrained_spec(cls, arch: str) -> tuple[str, Spec]:
        images = cls.image_spec({"arch": arch, "weights": COCO}, Images(3, 0, 0, (), ()))
        names = _ultralytics.loaded(_ultralytics.coco_file(arch), f"{arch}.pt").names
        return COCO, Spec(COCO, images, Boxes(tuple(names[i] for i in range(len(names)))))

    def rebuild_settings(self) -> dict[str, Any]:
        return {"weights": _weights.CHECKPOINT if self.pretrained else None}

    def train(self, mode: bool = True) -> "YOLO":
        """As every module's; with `batchnorm=false` the statistics stay as they are."""
        super().train(mode)
        if not self.batchnorm:
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    def forward(self, x: Tensor) -> Any:
        """(batch, 3, height, width) in [0, 1]; in training what `losses` reads, otherwise `boxes`' input.

        That is (batch, 4 + classes, places): centre, width and height in pixels, and scores in [0, 1]. Versions with
        two heads (yolo26, yolov10) answer, as the package's own do unless told otherwise, with the one whose boxes are
        to be suppressed: it is the more exact.
        """
        outputs = self.network(x.contiguous(memory_format=torch.channels_last))
        return outputs if self.training or isinstance(outputs, Tensor) else outputs[0]

    def answer_and_raw(self, x: Tensor) -> tuple[Tensor, Any]:
        """In evaluation: what `boxes` reads, and what `losses` reads."""
        _, raw = self.network(x.contiguous(memory_format=torch.channels_last))
        with torch.autocast(x.device.type, enabled=False):  # in bf16 an edge may be pixels off
            raw = _in_float32(raw)
            return _ultralytics.decoded(self.network, raw), raw

    def losses(self, raw: Any, targets: Tensor) -> dict[str, Tensor]:
        """The parts of the loss, each times its gain, means over the batch; they sum to the loss.

        Args:
            raw: what the network gave.
            targets: float (batch, most boxes, 5), see `spec.Boxes`.
        """
        if self._criterion is None:
            self._criterion = _ultralytics.criterion(self.network, GAINS)
        there = targets[..., 0] >= 0
        batch = {
            "batch_idx": there.nonzero()[:, 0].float(),
            "cls": targets[there][:, :1],
            "bboxes": targets[there][:, 1:],
        }
        with torch.autocast(targets.device.type, enabled=False):
            criterion = self._criterion if self.training else _ultralytics.settled(self._criterion)
            parts, _ = criterion(_in_float32(raw), batch)
        return dict(zip(GAINS, parts / len(targets), strict=True))

    def begin_epoch(self, epoch: int, num_epochs: int) -> None:
        """Versions with two heads move the weight between them during the training."""
        if self._criterion is None:
            self._criterion = _ultralytics.criterion(self.network, GAINS)
        _ultralytics.schedule(self._criterion, epoch, num_epochs)

    def boxes(self, answer: Tensor, min_score: float, several: bool) -> list[Tensor]:
        """For each picture float (boxes, 6): left, top, right, bottom in pixels, score, class; the best first.

        Args:
            answer: of a batch.
            min_score: of a box.
            several: whether a place may be answered with several classes, as average precision is measured with.
        """
        return _ultralytics.nms(answer.float(), min_score, OVERLAP, MAX_BOXES, several)

    def max_differences(self, answer: Tensor, other: Tensor) -> list[tuple[float, float]]:
        """As every network's; of places in pixels, and of scores."""
        apart = (other - answer).abs().amax(dim=(0, 2))
        size = answer.abs().amax(dim=(0, 2))
        return [(float(apart[kind].max()), float(size[kind].max())) for kind in (slice(4), slice(4, None))]

    def parameter_groups(self) -> list[dict[str, Any]]:
        """As every network's, the backbone's apart: it may learn more slowly."""
        backbone = self.network.model[: _ultralytics.backbone_length(self.network)]
        return by_depth(super().parameter_groups(), {id(p): 1 for p in backbone.parameters()}, self.lr_decay)

    def to_ultralytics(self, path: Path) -> Any:
        """Writes a .pt of the package, and gives the network that the package reads out of it."""
        assert isinstance(self.spec.input, Images)
        return _ultralytics.written(self.network, path, self.spec.input.height)

    def _drop(self, _: nn.Module, inputs: tuple[list[Tensor]]) -> tuple[list[Tensor]]:
        return ([self.drop(maps) for maps in inputs[0]],)


def _size_of(weights: str) -> int | None:
    """Pixels of a side, of the pictures that a file's or a run's weights were trained on, where that is known."""
    path = _weights.checkpoint_of(weights)
    if path.suffix != ".ckpt":
        return _ultralytics.size_of(path, f"model.weights={weights}")
    before = _weights.spec_of(weights)
    return before.input.height if before and isinstance(before.input, Images) else None


def _refuse_other_sides(images: Images) -> Images:
    if images.height % STRIDE or images.width % STRIDE:
        sides = f"{images.height} x {images.width}"
        raise UserError(f"model=yolo reads pictures whose sides are multiples of {STRIDE}; these are {sides}.")
    return images


def _in_float32(raw: Any) -> Any:
    if isinstance(raw, dict):
        return {name: _in_float32(value) for name, value in raw.items()}
    return raw.float() if isinstance(raw, Tensor) else raw
