"""What pretrained vision is measured against: plain loops, and Ultralytics' own trainer."""

import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchvision.models import resnet18

from litmus.data.image.boxes import BoxData
from litmus.model import _ultralytics

BATCH_SIZE = 32
MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)


def fine_tuned(images: Tensor, labels: Tensor, num_classes: int, bf16: bool = False) -> float:
    """Images a second of an epoch of fine-tuning as torchvision's references do it: SGD with momentum.

    Decoding is left out: the images are tensors already.

    Args:
        images: uint8 (images, 3, height, width).
        labels: their classes.
        num_classes: of the head.
        bf16: in bf16 and channels_last in place of fp32.
    """
    net = resnet18(weights=None)
    net.fc = nn.Linear(net.fc.in_features, num_classes)
    layout = torch.channels_last if bf16 else torch.contiguous_format
    net.to(memory_format=layout)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    started = time.perf_counter()
    for rows in torch.randperm(len(labels)).split(BATCH_SIZE):
        inputs = ((images[rows].float() / 255 - MEAN) / STD).contiguous(memory_format=layout)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = cross_entropy(net(inputs), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return len(labels) / (time.perf_counter() - started)


def frozen(parts: list[tuple[Tensor, Tensor]], num_classes: int, epochs: int, bf16: bool) -> float:
    """Seconds of training a head on a frozen backbone, every image through all of it in every epoch.

    Args:
        parts: training and validation, images and labels.
        num_classes: of the head.
        epochs: how many, each with a validation.
        bf16: in bf16 and channels_last, as litmus where it is native.
    """
    net = resnet18(weights=None).eval()
    net.requires_grad_(False)
    net.fc = nn.Linear(net.fc.in_features, num_classes)
    layout = torch.channels_last if bf16 else torch.contiguous_format
    net.to(memory_format=layout)
    optimizer = torch.optim.AdamW(net.fc.parameters(), lr=1e-3)
    started = time.perf_counter()
    for _ in range(epochs):
        for number, (images, labels) in enumerate(parts):
            for rows in torch.randperm(len(labels)).split(BATCH_SIZE):
                inputs = ((images[rows].float() / 255 - MEAN) / STD).contiguous(memory_format=layout)
                with torch.set_grad_enabled(number == 0), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                    loss = cross_entropy(net(inputs), labels[rows])
                if number == 0:
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
    return time.perf_counter() - started


def on_disk(data: BoxData, root: Path, limit: int | None = None) -> Path:
    """Scenes as a dataset in Ultralytics' format; gives its YAML file."""
    for part in ("train", "val"):
        for kind in ("images", "labels"):
            (root / kind / part).mkdir(parents=True)
        pixels, boxes = data.stored(part)
        for i, (image, own) in enumerate(zip(pixels[:limit], boxes, strict=False)):
            Image.fromarray(image[0].numpy()).convert("RGB").save(root / "images" / part / f"{i}.png")
            lines = [" ".join([str(int(box[0])), *map(str, box[1:])]) for box in own.tolist() if box[0] >= 0]
            (root / "labels" / part / f"{i}.txt").write_text("\n".join(lines) + "\n")
    names = [str(name) for name in data.spec.target.names]
    (root / "data.yaml").write_text(f"path: {root}\ntrain: images/train\nval: images/val\nnames: {names}\n")
    return root / "data.yaml"


def train_ultralytics(
    described: Path, arch: str, size: int, epochs: int, seed: int, *, device: str = "cpu", **settings: Any
) -> tuple[float, Path]:
    """Ultralytics' own trainer with its default settings, but for mirroring, which changes digits.

    Returns:
        Images a second of the training part of its epochs, and its best weights.
    """
    _ultralytics.package()
    from ultralytics.models import YOLO

    times: list[float] = []
    started = 0.0

    def begin(_: Any) -> None:
        nonlocal started
        started = time.perf_counter()

    def end(trainer: Any) -> None:
        times.append(len(trainer.train_loader.dataset) / (time.perf_counter() - started))

    model = YOLO(f"{arch}.yaml")
    model.add_callback("on_train_epoch_start", begin)
    model.add_callback("on_train_epoch_end", end)
    threads = torch.get_num_threads()
    model.train(
        data=str(described),
        imgsz=size,
        epochs=epochs,
        seed=seed,
        device=device,
        fliplr=0.0,
        plots=False,
        verbose=False,
        project=tempfile.mkdtemp(),
        name="run",
        exist_ok=True,
        **{"batch": 16, **settings},
    )
    torch.set_num_threads(threads)
    assert model.trainer is not None
    return sorted(times)[len(times) // 2], Path(model.trainer.best)
