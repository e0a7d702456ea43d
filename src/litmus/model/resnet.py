"""ResNet (He et al. 2016): torchvision's, with ImageNet's weights or random ones."""

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor, nn

from litmus.config.types import Count, NonNegative, Positive, Probability, Section
from litmus.config.validate import checked
from litmus.errors import UserError
from litmus.model import _preflight, _torchvision, _weights
from litmus.model._base import FrozenPart, Net, by_depth
from litmus.model._blocks import Dropout
from litmus.model._preflight import IMAGENET
from litmus.spec import Classes, Images, Spec

if TYPE_CHECKING:
    import torchvision

SMALL = 64  # pixels of the longer side, up to which images get the small stem
STAGES = ("stem", "layer1", "layer2", "layer3", "layer4")


class ResNet(Net):
    """Convolutions in four stages of residual blocks, the mean over the last map, and a linear head.

    `weights` is `imagenet`, a file in torchvision's layout, or a run folder; null means random weights.
    `train` selects what is trained: `all` stages, the `last_stage` and the head, or the `head` alone, on features
    that are computed once. Of images that are augmented, those of so many `views` are computed, of which each step
    takes one at random; without `views`, they are computed anew in every epoch. With pretrained weights, the learning
    rate of each stage is `lr_decay` times that of the stage after it.

    The small stem, for images of at most 64 pixels, is a 3 x 3 convolution with stride 1 instead of the 7 x 7 with
    stride 2; max-pooling follows both. Batch norm is part of the network: `batchnorm=false` freezes its
    statistics as they were loaded, which small batches need; those of frozen stages are always frozen. Dropout
    acts before the head.
    """

    input_kinds: ClassVar = (Images,)
    gains_from_bf16: ClassVar = True
    has_hidden_matrices: ClassVar = False

    @checked
    def __init__(
        self,
        spec: Spec,
        *,
        arch: Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"],
        weights: str | None,
        train: Literal["all", "last_stage", "head"],
        views: Count | None,
        stem: Literal["auto", "large", "small"],
        lr_decay: Positive,
        dropout: Probability,
        batchnorm: bool,
        l2: NonNegative,
    ) -> None:
        super().__init__(spec, l2)
        assert isinstance(spec.input, Images)
        loaded = _tensors(arch, weights)
        self.stem = _stem(stem, spec.input, loaded)
        self.body = _body(arch, spec.input.channels, self.stem)
        self.drop = Dropout(dropout) if dropout else nn.Identity()
        self.head = nn.Linear(self.body.fc.in_features, self.num_outputs)
        self.body.fc = nn.Identity()
        if loaded:
            self.provenance = _weights.load(self, loaded, f"model.weights={weights}", _is_head)
        self.pretrained = weights is not None
        self.views = views
        self.batchnorm = batchnorm
        self.lr_decay = lr_decay if self.pretrained else 1.0
        self.frozen = {"all": 0, "last_stage": len(STAGES) - 1, "head": len(STAGES)}[train]
        for module in self._stages()[: self.frozen]:
            module.requires_grad_(False)
        # On a CPU, convolutions in bf16 are about 1.7 times as fast in this layout.
        self.to(memory_format=torch.channels_last)
        self.train()

    @classmethod
    def image_spec(cls, settings: Section, images: Images) -> Images:
        """The images as the weights expect them.

        Raises:
            UserError: random weights would be frozen, `views` are of a network that trains as a whole, or the weights
                are not available or do not fit the images.
        """
        weights = settings["weights"]
        if settings.get("views") is not None and settings["train"] != "head":
            raise UserError(
                f"model.views={settings['views']} is for model.train=head, whose features are computed once."
            )
        if weights is None:
            _preflight.resnet(settings)
            return images
        if weights == IMAGENET:
            _weights.imagenet_file(settings["arch"])  # before time is spent on decoding images
        spec = None if weights == IMAGENET else _weights.spec_of(weights)
        if spec is not None and isinstance(spec.input, Images):
            before = spec.input
            if images.mean:  # stored in one size: scaled as a whole, without a crop
                return replace(before, resized=0)
            if not images.height:
                return before
            resized = images.height * before.resized // before.height  # data.size is set
            return replace(before, height=images.height, width=images.width, resized=resized)
        preset = _weights.imagenet(settings["arch"]).transforms()
        return _weights.input_spec(
            images, preset.crop_size[0], preset.resize_size[0], tuple(preset.mean), tuple(preset.std)
        )

    @classmethod
    def pretrained_spec(cls, arch: str) -> tuple[str, Spec]:
        images = cls.image_spec({"arch": arch, "weights": IMAGENET}, Images(3, 0, 0, (), ()))
        names = tuple(_weights.imagenet(arch).meta["categories"])
        return IMAGENET, Spec(IMAGENET, images, Classes(names))

    @property
    def frozen_part(self) -> FrozenPart | None:
        return FrozenPart(self.features, self.body, self.views) if self.frozen == len(STAGES) else None

    def rebuild_settings(self) -> Section:
        return {"weights": _weights.CHECKPOINT if self.pretrained else None, "stem": self.stem}

    def train(self, mode: bool = True) -> "ResNet":
        """As of every module; the statistics of frozen stages stay as they are."""
        super().train(mode)
        for number, stage in enumerate(self._stages()):
            if number < self.frozen or not self.batchnorm:
                for module in stage.modules():
                    if isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm):
                        module.eval()
        return self

    def features(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) float -> (batch, features) float, at least 0."""
        return self.body(x.contiguous(memory_format=torch.channels_last))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) float, or the output of `features` -> (batch, names of the target)."""
        return self.head(self.drop(self.features(x) if x.ndim == 4 else x))

    def parameter_groups(self) -> list[Section]:
        """As every network's, split by the learning rates of the stages; the head's groups come last."""
        stages = self._stages()
        depth = {id(p): len(stages) - number for number, stage in enumerate(stages) for p in stage.parameters()}
        return by_depth(super().parameter_groups(), depth, self.lr_decay)

    def _stages(self) -> list[nn.Module]:
        """The stages of the backbone, first to last."""
        body = self.body
        return [nn.ModuleList([body.conv1, body.bn1]), body.layer1, body.layer2, body.layer3, body.layer4]


def _tensors(arch: str, weights: str | None) -> dict[str, Tensor]:
    if weights is None or weights == _weights.CHECKPOINT:
        return {}
    return _weights.tensors(str(_weights.imagenet_file(arch)) if weights == IMAGENET else weights, _rename)


def _is_head(name: str) -> bool:
    return name.startswith("head.")


def _rename(name: str) -> str:
    layer, _, rest = name.partition(".")
    return f"head.{rest}" if layer == "fc" else f"body.{name}"


def _stem(stem: str, images: Images, loaded: dict[str, Tensor]) -> Literal["large", "small"]:
    if stem != "auto":
        return "large" if stem == "large" else "small"
    if loaded:
        kernel = loaded.get("body.conv1.weight")
        return "small" if kernel is not None and kernel.shape[-1] == 3 else "large"
    return "small" if max(images.height, images.width) <= SMALL else "large"


def _body(arch: str, channels: int, stem: Literal["large", "small"]) -> "torchvision.models.ResNet":
    body: torchvision.models.ResNet = getattr(_torchvision.models(), arch)(weights=None)
    filters = body.conv1.out_channels
    if stem == "small":
        body.conv1 = nn.Conv2d(channels, filters, 3, padding=1, bias=False)
    elif channels != 3:
        body.conv1 = nn.Conv2d(channels, filters, 7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(body.conv1.weight, mode="fan_out", nonlinearity="relu")  # as torchvision's others
    return body
