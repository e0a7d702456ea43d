"""Fine-tuning ResNet-18 at 224 pixels, against plain loops over the same images."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.models import resnet18

from bench import _vision_rivals as rivals
from bench._common import alternate, asked, markdown, median, ratios, spread, train
from litmus.trainer import has_native_bf16

CLASSES = 4
PHOTOS = 1280  # for the frozen backbone; fine-tuning takes fewer
FEW = 256
EPOCHS = 5
REPEATS = 3


def measure() -> str:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _write_photos(root / "photos")
        torch.save(resnet18(weights=None).state_dict(), root / "weights.pth")
        run = ["model=resnet", f"data.path={root / 'photos'}", f"data.dir={root / 'cache'}", "trainer=cpu"]
        run += [f"model.weights={root / 'weights.pth'}", "data.test_share=0.01"]
        return _all_of_it(run) + "\n" + _head(run, root / "cache")


def _all_of_it(run: list[str]) -> str:
    images = torch.randint(0, 256, (FEW, 3, 224, 224), dtype=torch.uint8)
    labels = torch.randint(0, CLASSES, (FEW,))
    words = [*run, f"data.limit={FEW}", f"data.limit_eval={FEW}", "trainer.max_epochs=1"]
    bf16 = has_native_bf16("cpu")
    figures = alternate(
        {
            "litmus": lambda: float(train(*words)["samples_per_second"]),
            "plain": lambda: rivals.fine_tuned(images, labels, CLASSES),
            **({"best": lambda: rivals.fine_tuned(images, labels, CLASSES, bf16=True)} if bf16 else {}),
        },
        REPEATS,
        "ResNet-18, all of it",
    )
    rows = [("litmus: photos from disk, bf16 where native", spread(figures["litmus"], 1), "", "")]
    for name, what, wanted in (
        ("plain", "fp32 loop as in torchvision's references, over tensors", 2.3),
        ("best", "the same loop, bf16 channels_last", 0.0),
    ):
        if name in figures:
            times = median(ratios(figures["litmus"], figures[name]))
            aim = asked(f"at least {wanted}", times >= wanted) if wanted else ""
            rows.append((what, spread(figures[name], 1), f"{times:.2f}", aim))
    head = ("", "images a second", "litmus is so many times as fast", "target")
    return "## Fine-tuning ResNet-18 at 224 pixels, batches of 32\n\n" + markdown(head, rows)


def _head(run: list[str], cache: Path) -> str:
    num_val = PHOTOS // 10
    parts = [
        (torch.randint(0, 256, (n, 3, 224, 224), dtype=torch.uint8), torch.randint(0, CLASSES, (n,)))
        for n in (PHOTOS - num_val - PHOTOS // 100, num_val)
    ]
    words = [*run, "model.train=head", f"trainer.max_epochs={EPOCHS}"]
    bf16 = has_native_bf16("cpu")

    def cold() -> float:
        shutil.rmtree(cache / "features", ignore_errors=True)
        return float(train(*words)["seconds"]["fit"])

    figures = alternate(
        {
            "litmus": cold,
            "warm": lambda: float(train(*words)["seconds"]["fit"]),
            "plain": lambda: rivals.frozen(parts, CLASSES, EPOCHS, bf16),
        },
        REPEATS,
        "ResNet-18, its head",
    )
    times, warm = (median(ratios(figures["plain"], figures[name])) for name in ("litmus", "warm"))
    rows = [
        (f"plain loop, {'bf16 channels_last' if bf16 else 'fp32'}", spread(figures["plain"], 1), "", ""),
        (
            "litmus, `model.train=head`: features computed once",
            spread(figures["litmus"], 1),
            f"{times:.2f}",
            asked("at least 4", times >= 4),
        ),
        (
            "the same again: features in the cache",
            spread(figures["warm"], 1),
            f"{warm:.2f}",
            asked("at least 8", warm >= 8),
        ),
    ]
    head = ("", f"seconds for {EPOCHS} epochs with validation", "so many times as fast", "target")
    return "## Training a head on a frozen ResNet-18\n\n" + markdown(head, rows)


def _write_photos(root: Path) -> None:
    generator = np.random.default_rng(0)
    for name in range(CLASSES):
        (root / str(name)).mkdir(parents=True)
        for i in range(PHOTOS // CLASSES):
            pixels = generator.integers(0, 256, (40, 48, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((400, 320)).save(root / str(name) / f"{i}.jpg")
