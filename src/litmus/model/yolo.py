"""YOLO (Redmon et al. 2016): networks and losses of the ultralytics package, without its trainer."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from litmus.config.types import NonNegative, Positive, Probability, Section
from litmus.config.validate import checked
from litmus.errors import UserError
from litmus.model import _preflight, _ultralytics, _weights
from litmus.model._base import Detector, Predict, by_depth
from litmus.model._preflight import COCO
from litmus.spec import Boxes, Images, Spec

if TYPE_CHECKING:
    from litmus.model._ultralytics import Loss

SIZE = 640  # height and width in pixels of the images that COCO's weights were trained on
GAINS = {"box": 7.5, "cls": 0.5, "dfl": 1.5}  # of the terms of the loss: the package's defaults
MAX_BOXES = 300  # predicted for an image: the package's default
IOU = 0.7  # above which NMS drops the worse of two boxes of one class: the package's default


class YOLO(Detector):
    """A one-stage detector: for every cell of three grids, it predicts a bounding box and a score for each class.

    `weights` is `coco`, a .pt of the ultralytics package, or a run folder; null means random weights. With
    pretrained weights, the backbone's learning rate is `lr_decay` times that of the layers after it.
    `batchnorm=false` freezes the statistics of its batch norm. YOLO has no dropout: here, `dropout` drops whole
    channels of the feature maps before the last layer.

    The loss is the package's: complete IoU of boxes (`box`), cross-entropy of classes (`cls`), and distribution
    focal loss of the edges (`dfl`; in versions without it, their L1 distance), each times its gain.
    """

    multiple_of: ClassVar = 32  # height and width must be multiples of it
    input_kinds: ClassVar = (Images,)
    gains_from_bf16: ClassVar = True
    has_hidden_matrices: ClassVar = False

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
        _check_sides(spec.input)
        self.arch = arch
        self.network = _ultralytics.make_network(arch, spec.input.channels, spec.target.names)
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
        self._criterion: Loss | None = None
        # On a CPU, convolutions in bf16 are about 1.7 times as fast in this layout.
        self.to(memory_format=torch.channels_last)
        self.train()

    @classmethod
    def image_spec(cls, settings: Section, images: Images) -> Images:
        weights, size = settings["weights"], SIZE
        if weights == COCO:
            _ultralytics.coco_file(settings["arch"])  # before time is spent on decoding images
        elif weights is not None:
            size = _size_of(weights) or SIZE  # also checks that the file can be read
        height = images.height or -(-size // cls.multiple_of) * cls.multiple_of  # rounded up, as the package does
        return _check_sides(Images(3, height, images.width or height, (0.0,) * 3, (1.0,) * 3))

    @classmethod
    def pretrained_spec(cls, arch: str) -> tuple[str, Spec]:
        images = cls.image_spec({"arch": arch, "weights": COCO}, Images(3, 0, 0, (), ()))
        names = _ultralytics.load(_ultralytics.coco_file(arch), f"{arch}.pt").names
        return COCO, Spec(COCO, images, Boxes(tuple(names[i] for i in range(len(names)))))

    def rebuild_settings(self) -> Section:
        return {"weights": _weights.CHECKPOINT if self.pretrained else None}

    @property
    def last_layer(self) -> nn.Module:
        return self.network.model[-1]

    def train(self, mode: bool = True) -> "YOLO":
        """As of every module; with `batchnorm=false`, the statistics stay as they are."""
        super().train(mode)
        if not self.batchnorm:
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm):
                    module.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, height, width) float in [0, 1] -> (batch, 4 + classes, cells), the input of `boxes`.

        For each cell: center x and y, width and height in pixels, and scores in [0, 1]. Versions with two heads
        (yolo26, yolov10) use the one that requires NMS, which is more precise; so does the package by default. In
        training, the output is the raw output instead, a structure that only `losses` reads.
        """
        outputs = self.network(x.contiguous(memory_format=torch.channels_last))
        return outputs if self.training or isinstance(outputs, Tensor) else outputs[0]

    def predict_and_raw(self, x: Tensor) -> tuple[Tensor, object]:
        _, raw = self.network(x.contiguous(memory_format=torch.channels_last))
        with torch.autocast(x.device.type, enabled=False):  # in bf16, an edge may be pixels off
            raw = _in_float32(raw)
            return _ultralytics.decode(self.network, raw), raw

    def losses(self, raw: object, targets: Tensor) -> dict[str, Tensor]:
        real = targets[..., 0] >= 0  # the others are padding
        batch = {"batch_idx": real.nonzero()[:, 0].float(), "cls": targets[real][:, :1], "bboxes": targets[real][:, 1:]}
        with torch.autocast(targets.device.type, enabled=False):
            criterion = self._loss() if self.training else _ultralytics.with_final_weights(self._loss())
            terms, _ = criterion(_in_float32(raw), batch)
        return dict(zip(GAINS, terms / len(targets), strict=True))

    def begin_epoch(self, epoch: int, num_epochs: int) -> None:
        """Versions with two heads shift the weight from one to the other during training."""
        _ultralytics.schedule(self._loss(), epoch, num_epochs)

    def boxes(self, output: Tensor, min_score: float, multi_label: bool) -> list[Tensor]:
        return _ultralytics.nms(output.float(), min_score, IOU, MAX_BOXES, multi_label)

    def max_differences(self, output: Tensor, other: Tensor) -> list[tuple[float, float]]:
        """As every network's; for coordinates in pixels, and for scores."""
        differences = (other - output).abs().amax(dim=(0, 2))
        largest = output.abs().amax(dim=(0, 2))
        return [(float(differences[rows].max()), float(largest[rows].max())) for rows in (slice(4), slice(4, None))]

    def parameter_groups(self) -> list[Section]:
        """As every network's, with groups of their own for the backbone, whose learning rate may be lower."""
        backbone = self.network.model[: _ultralytics.backbone_length(self.network)]
        return by_depth(super().parameter_groups(), {id(p): 1 for p in backbone.parameters()}, self.lr_decay)

    def save_ultralytics(self, path: Path) -> Predict:
        assert isinstance(self.spec.input, Images)
        read = _ultralytics.save(self.network, path, self.spec.input.height)
        return lambda x: read(x)[0]

    def _loss(self) -> "Loss":
        """Made on first use, because it keeps tensors on the device of the network."""
        if self._criterion is None:
            self._criterion = _ultralytics.make_criterion(self.network, GAINS)
        return self._criterion

    def _drop(self, _: nn.Module, inputs: tuple[list[Tensor]]) -> tuple[list[Tensor]]:
        return ([self.drop(maps) for maps in inputs[0]],)


def _size_of(weights: str) -> int | None:
    """Height and width in pixels of the images that the weights of a file or a run were trained on, if known."""
    path = _preflight.checkpoint_of(weights)
    if path.suffix != ".ckpt":
        return _ultralytics.size_of(path, f"model.weights={weights}")
    spec = _weights.spec_of(weights)
    return spec.input.height if spec and isinstance(spec.input, Images) else None


def _check_sides(images: Images) -> Images:
    multiple = YOLO.multiple_of
    if images.height % multiple or images.width % multiple:
        raise UserError(
            f"model=yolo requires images whose height and width are multiples of {multiple}, not {images.height} x "
            f"{images.width}. Set data.size."
        )
    return images


def _in_float32(raw: Any) -> Any:  # nested dicts of tensors, as the package builds them
    if isinstance(raw, dict):
        return {name: _in_float32(value) for name, value in raw.items()}
    return raw.float() if isinstance(raw, Tensor) else raw
