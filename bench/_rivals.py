"""What litmus is measured against: bare PyTorch loops, and the usual Lightning pipeline as one would write it."""

import io
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import DataLoader
from torchmetrics.classification import MulticlassAccuracy
from torchvision import transforms
from torchvision.datasets import MNIST

BATCH_SIZE = 128
EVAL_BATCH_SIZE = 1000
MEAN, STD = 0.1307, 0.3081


def fnn() -> nn.Module:
    """784-128-64-10, as `model=fnn`."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))


def cnn() -> nn.Module:
    """Two blocks of 3x3 filters and a dense layer, as `model=cnn`."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(7 * 7 * 64, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def bare_loop(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    fused: bool,
    bf16: bool = False,
    channels_last: bool = False,
    validated: int = 0,
) -> Callable[[], float]:
    """An epoch of the shortest training loop over the same uint8 tensors; gives its seconds.

    Args:
        net: without layers that differ in training.
        images: (samples, 1, 28, 28).
        labels: of them.
        fused: whether Adam is.
        bf16: whether it computes in bf16.
        channels_last: the layout of images and kernels.
        validated: images whose loss and accuracy are measured after the epoch.
    """
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net.to(memory_format=layout)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=fused)

    def outputs(rows: Tensor) -> Tensor:
        inputs = ((images[rows].float() / 255 - MEAN) / STD).contiguous(memory_format=layout)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits: Tensor = net(inputs)
        return logits.float()

    def epoch() -> float:
        started = time.perf_counter()
        for rows in torch.randperm(len(labels)).split(BATCH_SIZE):
            loss = cross_entropy(outputs(rows), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            for rows in torch.arange(validated).split(EVAL_BATCH_SIZE):
                logits = outputs(rows)
                cross_entropy(logits, labels[rows])
                (logits.argmax(1) == labels[rows]).sum()
        return time.perf_counter() - started

    return epoch


class Usual(lightning.LightningModule):
    """The module that most tutorials write."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.accuracy = MulticlassAccuracy(num_classes=10, average="micro")

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        inputs, labels = batch
        logits = self.net(inputs)
        loss = cross_entropy(logits, labels)
        self.accuracy(logits, labels)
        self.log("train/loss", loss, on_step=True, on_epoch=True, prog_bar=True)
        self.log("train/acc", self.accuracy, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def usual_pipeline(
    files: Path,
    make: Callable[[], nn.Module] = fnn,
    *,
    batch_size: int = BATCH_SIZE,
    accelerator: str = "cpu",
    num_workers: int = 0,
) -> Callable[[], float]:
    """An epoch of Lightning over a DataLoader over torchvision's MNIST; gives its seconds.

    Args:
        files: the folder of MNIST's files.
        make: makes the network.
        batch_size: samples per step.
        accelerator: Lightning's name.
        num_workers: processes of the loader; on two cores they make it slower. With some, memory is pinned, as usual.
    """
    root = Path(tempfile.mkdtemp())
    (root / "MNIST").mkdir()
    (root / "MNIST" / "raw").symlink_to(files, target_is_directory=True)
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])
    loader = DataLoader(
        MNIST(root, train=True, transform=transform),
        batch_size=batch_size,
        shuffle=True,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=num_workers > 0,
    )
    return lambda: seconds_of_epoch(Usual(make()), loader, accelerator)


class UsualRegression(lightning.LightningModule):
    """The same for a table and a number as its target."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        inputs, targets = batch
        loss = mse_loss(self.net(inputs), targets)
        self.log("train/loss", loss, on_step=True, on_epoch=True, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Clock(lightning.Callback):
    """Seconds of the epoch's training."""

    seconds = 0.0

    def on_train_epoch_start(self, *arguments: Any) -> None:
        self.started = time.perf_counter()

    def on_train_epoch_end(self, *arguments: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds = time.perf_counter() - self.started


def seconds_of_epoch(module: lightning.LightningModule, loader: DataLoader[Any], accelerator: str = "cpu") -> float:
    """Trains one epoch; its bar is drawn, as usual, but not on the screen."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = lightning.Trainer(
            accelerator=accelerator,
            max_epochs=1,
            callbacks=[clock],
            default_root_dir=folder,
            enable_checkpointing=False,
            enable_model_summary=False,
        )
        with redirect_stdout(io.StringIO()):
            trainer.fit(module, loader)
    return clock.seconds
