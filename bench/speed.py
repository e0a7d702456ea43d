"""The training part of an epoch of 60,000 MNIST images in batches of 128, against what else there is."""

import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from bench import _rivals as rivals
from bench._common import REPEATS, ROOT, alternate, asked, compose_config, markdown, median, ratios, spread, train
from litmus.config.instantiate import build
from litmus.data.mnist import MNIST
from litmus.trainer import pick_hardware

USUAL = "usual: Lightning, DataLoader, torchvision's MNIST"
IMAGES = 60_000
VALIDATED = IMAGES * 5_000 // 55_000  # as many for each that trains as litmus does
STEPS = "litmus, the steps of an epoch: with the doctor, TensorBoard and progress bar"
Others = Mapping[str, tuple[str, str, str]]
Aims = dict[str, tuple[str, float]]  # of a contestant: what is asked for, and the most times that litmus may take
# What else trains the same network: the modules that it takes, its script, and Keras' backend.
OTHERS: Others = {
    "Keras on TensorFlow, fp32": ("keras tensorflow", "_keras.py", "tensorflow"),
    "Keras on JAX, fp32": ("keras jax", "_keras.py", "jax"),
    "Keras on PyTorch, fp32": ("keras torch", "_keras.py", "torch"),
    "fastai, a Learner over a TensorDataset, fp32": ("fastai", "_fastai.py", ""),
}
# As litmus trains the CNN where the processor has bf16; fastai's mixed precision is for GPUs alone.
IN_BF16 = {name.replace("fp32", "bf16"): other for name, other in OTHERS.items() if other[1] == "_keras.py"}
VARIABLES = {"_keras.py": "KERAS_PYTHON", "_fastai.py": "FASTAI_PYTHON"}
SPEED = ["trainer=cpu", "data.batch_size=128", "data.source=auto"]


def measure() -> str:
    images, labels, folder = mnist()
    return _fnn(images, labels, folder) + "\n" + _cnn(images, labels, folder)


def mnist() -> tuple[Tensor, Tensor, Path]:
    """The 60,000 training images, uint8 (samples, 1, 28, 28), their labels, and the folder of the files."""
    data: MNIST = build({**compose_config("data=mnist", "data.val_size=1")["data"]}, 0)
    data.prepare_data()
    if data.warning:
        sys.exit(f"The speed is measured on the whole of MNIST. {data.warning}")
    images, labels = data.splits["train"]
    return images, labels, data.folder


def _fnn(images: Tensor, labels: Tensor, folder: Path) -> str:
    contestants: dict[str, Callable[[], float]] = {
        "litmus": lambda: _litmus("model=fnn", "trainer.max_epochs=3"),
        "whole": lambda: _whole("model=fnn"),
        "unseen": lambda: _whole("model=fnn", "callback.dashboard=null"),
        "bare": rivals.bare_loop(rivals.fnn(), images, labels, fused=False),
        "bare, fused Adam": rivals.bare_loop(rivals.fnn(), images, labels, fused=True),
        "bare, validated": rivals.bare_loop(rivals.fnn(), images, labels, fused=True, validated=VALIDATED),
        "usual": rivals.usual_pipeline(folder),
        **_others(OTHERS, "fnn", folder),
    }
    figures = alternate(contestants, REPEATS, "FNN", warm=OTHERS)
    rows = [
        (STEPS, "litmus"),
        ("litmus, a tenth of a training of 10 epochs: with validation and pictures, too", "whole"),
        ("the same without TensorBoard's curves and pictures", "unseen"),
        ("bare PyTorch loop over the same tensors", "bare"),
        ("the same with the fused Adam that litmus uses", "bare, fused Adam"),
        (f"the same, which validates {VALIDATED:,} images, too", "bare, validated"),
        (USUAL, "usual"),
        *((name, name) for name in OTHERS),
    ]
    aims = {
        "bare": ("at most 1.8 (aim 1.4)", 1.8),
        "bare, fused Adam": ("at most 1.3", 1.3),
        "usual": ("at least 6 times slower", 1 / 6),
        **dict.fromkeys(OTHERS, ("slower", 1.0)),
    }
    whole = ratios(figures["whole"], figures["bare, validated"])
    target = asked("at most 1.3", median(whole) <= 1.3)
    unseen = ratios(figures["unseen"], figures["bare, validated"])
    said = (
        f"\nValidation and pictures included: {spread(whole, 2)} times the loop that validates; asked for: {target}. "
        f"Without TensorBoard's curves and pictures: {spread(unseen, 2)}.\n"
    )
    return "## FNN 784-128-64-10\n\n" + _table(figures, rows, aims) + said


def _cnn(images: Tensor, labels: Tensor, folder: Path) -> str:
    variants = {
        "bare fp32": {},
        "bare channels_last": {"channels_last": True},
        "bare bf16": {"bf16": True},
        "bare bf16 channels_last": {"bf16": True, "channels_last": True},
    }
    contestants: dict[str, Callable[[], float]] = {
        "litmus": lambda: _litmus("model=cnn", "trainer.max_epochs=1"),
        "usual": rivals.usual_pipeline(folder, rivals.cnn),
    }
    for name, settings in variants.items():
        contestants[name] = rivals.bare_loop(rivals.cnn(), images, labels, fused=True, **settings)
    has_bf16 = pick_hardware(compose_config("model=cnn", "trainer=cpu")["trainer"], True).precision != 32
    others = {**OTHERS, **(IN_BF16 if has_bf16 else {})}
    figures = alternate({**contestants, **_others(others, "cnn", folder)}, 3, "CNN", warm=others)
    best = min(variants, key=lambda name: median(figures[name]))
    rows = [
        (STEPS, "litmus"),
        *((name, name) for name in variants),
        (USUAL, "usual"),
        *((name, name) for name in others),
    ]
    aims: Aims = {"bare fp32": ("at least 1.8 times slower", 1 / 1.8), best: ("at most 1.05", 1.05)}
    aims["usual"] = ("slower", 1.0)
    aims |= dict.fromkeys(others, ("slower", 1.0))
    return "## CNN 32-64, dense 64\n\n" + _table(figures, rows, aims)


def _table(figures: dict[str, list[float]], rows: list[tuple[str, str]], aims: Aims) -> str:
    lines = []
    for what, name in rows:
        aim, most = aims.get(name, ("", math.inf))
        if name not in figures:
            lines.append((what, "not installed here", "", aim))
            continue
        times = median(ratios(figures["litmus"], figures[name]))
        against = "" if name in ("litmus", "whole", "unseen") else f"{times:.2f}"
        lines.append((what, spread(figures[name], 2), against, asked(aim, times <= most)))
    return markdown(("", "seconds an epoch", "litmus takes so many times as long", "target"), lines)


def _litmus(*overrides: str) -> float:
    """Seconds for 60,000 images, from the median of the run's epochs."""
    return IMAGES / float(train(*SPEED, *overrides)["samples_per_second"])


def _whole(*overrides: str) -> float:
    """Seconds for 60,000 images of a whole training, which also validates, and draws pictures of five epochs."""
    result = train(*SPEED, *overrides)
    return float(result["seconds"]["fit"]) / result["epochs"] * IMAGES / result["dataset"]["train"]


def _others(others: Others, net: str, folder: Path) -> dict[str, Callable[[], float]]:
    """Those that are installed: in this environment, or in that of a Python that the variable names."""
    found: dict[str, Callable[[], float]] = {}
    for name, (module, script, backend) in others.items():
        python = os.environ.get(VARIABLES[script], sys.executable)
        asked = f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, {module!r}.split())))"
        if subprocess.run([python, "-c", asked], check=False).returncode == 0:
            precision = ["bf16"] if name in IN_BF16 else []
            command = [python, str(ROOT / "bench" / script), net, str(folder), *precision]
            found[name] = partial(_epoch, command, backend)
    return found


def _epoch(command: list[str], backend: str) -> float:
    environment = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    torch.manual_seed(0)
    print(measure())
