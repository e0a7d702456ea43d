"""Images a second of the same network on the same scenes, in litmus and in Ultralytics' own trainer."""

import io
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from bench import _vision_rivals as rivals
from bench._common import alternate, asked, compose_config, markdown, median, ratios, spread, train
from litmus.config.instantiate import build

SCENES, EPOCHS, SIZE, ARCH = 1000, 2, 160, "yolo11n"
REPEATS = 3
WORDS = ["model=yolo", f"data.num_train={SCENES}", "data.num_val=100", "data.num_test=16"]


def measure() -> str:
    data = build(compose_config(*WORDS)["data"], 0)
    data.prepare_data()
    with tempfile.TemporaryDirectory() as folder:
        described = rivals.on_disk(data, Path(folder))
        figures = alternate(
            {
                "litmus": lambda: float(train(*WORDS, f"trainer.max_epochs={EPOCHS}")["samples_per_second"]),
                "rival": lambda: _rival(described),
            },
            REPEATS,
            "YOLO",
        )
    times = median(ratios(figures["litmus"], figures["rival"]))
    rows = [
        ("litmus: bf16 where native", spread(figures["litmus"], 1), "", ""),
        (
            "Ultralytics' trainer, fp32",
            spread(figures["rival"], 1),
            f"{times:.2f}",
            asked("at least 2.6", times >= 2.6),
        ),
    ]
    head = ("", "images a second", "litmus is so many times as fast", "target")
    return f"## {ARCH} on scenes of digits, {SIZE} pixels, batches of 16\n\n" + markdown(head, rows)


def _rival(described: Path) -> float:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return rivals.train_ultralytics(described, ARCH, SIZE, EPOCHS, 0)[0]
