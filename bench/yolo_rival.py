"""What the same scenes, network, size, batches and epochs reach in litmus and in Ultralytics' own trainer."""

import io
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from rich.console import Console
from rich.progress import track

from bench import _vision_rivals as rivals
from bench._common import compose_config, markdown, run_command, train
from litmus.config.instantiate import build

SEEDS = (0, 1, 2)
SCENES, EPOCHS, SIZE, ARCH = 1000, 10, 160, "yolo11n"


def measure() -> str:
    ours, theirs = [], []
    for seed in track(SEEDS, "YOLO", console=Console(stderr=True)):
        words = [f"data.num_train={SCENES}", f"trainer.max_epochs={EPOCHS}", f"seed={seed}"]
        metrics = run_command("model=yolo", *words)["metrics"]
        ours.append((metrics["test/map"], metrics["test/map50"]))
        theirs.append(_rival(seed))
        print(f"seed {seed}: litmus {ours[-1]}, its rival {theirs[-1]}", file=sys.stderr, flush=True)
    rows = []
    for name, figures in (("litmus", ours), ("Ultralytics' trainer", theirs)):
        maps, maps50 = zip(*figures, strict=True)
        listed = ", ".join(f"{value:.3f}" for value in maps)
        rows.append((name, listed, f"{sum(maps) / len(maps):.3f}", f"{sum(maps50) / len(maps50):.3f}"))
    head = ("", "mAP50-95 by seed", "its mean", "mean of mAP50")
    return (
        f"## {ARCH} on {SCENES:,} scenes of digits, {SIZE} pixels, batches of 16, {EPOCHS} epochs, seeds {SEEDS}\n\n"
        + markdown(head, rows)
        + "\nTarget: mAP50-95 not lower. On the test's 1,000 scenes, measured by litmus for both. Ultralytics' "
        "settings are its defaults, without mirroring in both: it changes the colors and positions of its images; "
        "litmus does not.\n"
    )


def _rival(seed: int) -> tuple[float, float]:
    data = build(compose_config("model=yolo", f"data.num_train={SCENES}")["data"], seed)
    data.prepare_data()
    with tempfile.TemporaryDirectory() as folder:
        described = rivals.on_disk(data, Path(folder))
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            _, best = rivals.train_ultralytics(described, ARCH, SIZE, EPOCHS, seed)
    # Its best weights, tested as litmus tests its own: after an epoch at a rate that changes nothing.
    words = [f"model.weights={best}", "optimizer.lr=1e-12", "trainer.max_epochs=1", "data.num_train=16"]
    measured = train("model=yolo", *words, "model.batchnorm=false", "callback.ema.decay=null")["metrics"]
    return measured["test/map"], measured["test/map50"]
