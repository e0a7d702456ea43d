"""The line of an epoch, and the bar before it: as wide as the screen, with whole numbers, the main ones first."""

import importlib
import io
import re

import pytest
from helpers import ROOT
from rich.cells import cell_len

from litmus import console
from litmus.callback.progress import TRAIN, Progress, ordered
from litmus.record.metrics import monitored
from litmus.run.train import train  # noqa: F401  # what a task needs

WIDTHS = range(40, 121, 4)
TASKS = sorted(path.stem for path in (ROOT / "src" / "litmus" / "task").glob("[!_]*.py"))
HUGE = 123456789.123456


def metrics_of(name: str, value: float) -> tuple[dict[str, float], tuple[str, ...], str]:
    """All that a task may measure in an epoch, what it shows, and what it monitors."""
    target = f"litmus.task.{name}.{name.capitalize()}"
    task = getattr(importlib.import_module(f"litmus.task.{name}"), name.capitalize())
    metrics = {f"{split}/{metric}": value for split in ("train", "val") for metric in task.metric_names}
    metrics |= {f"val/rmse_a very long name of a target, the {i}th": value for i in range(30)}
    return metrics, task.headline, monitored(target)[0]


def screen(width: int, on_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    file = io.StringIO()
    made = console.Screen(file=file, force_terminal=on_terminal, color_system=None, width=width, soft_wrap=True)
    monkeypatch.setattr(console, "out", made)
    return file


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("value", [0.12345, HUGE, float("nan")])
def test_the_line_of_an_epoch_fits(task: str, value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, headline, monitor = metrics_of(task, value)
    pieces = ["epoch 100/100", *console.metric_pieces(ordered(metrics, headline, monitor)), "  31,405 samples/s"]
    for width in WIDTHS:
        for on_terminal in (True, False):
            shown = screen(width, on_terminal, monkeypatch)
            console.say_fitting(pieces)
            (line,) = shown.getvalue().splitlines()
            assert cell_len(line) <= width, line
            assert line.startswith(f"epoch 100/100  {monitor} {value:.4f}") or width == 40
            assert "".join(pieces).startswith(line), "what is left out stood at the end"
            assert re.fullmatch(rf"(epoch 100/100|\w+ +|[\w/]+ {value:.4f}|31,405 samples/s| )+", line), line


def test_what_counts_most_stands_first() -> None:
    metrics = dict.fromkeys(("train/loss", "train/acc", "val/loss", "val/acc", "val/f1", "val/skill"), 0.5)
    line = "".join(console.metric_pieces(ordered(metrics, ("loss", "acc", "f1"), "val/acc")))
    assert line == "  val/acc 0.5000 loss 0.5000  train/acc 0.5000 loss 0.5000  val/f1 0.5000"
    for width, last in ((60, "train/acc 0.5000"), (80, "train/acc 0.5000 loss 0.5000")):
        pieces = ["epoch  1/10", *console.metric_pieces(ordered(metrics, ("loss", "acc", "f1"), "val/acc"))]
        assert console.fitting(pieces, width).endswith(f"  val/acc 0.5000 loss 0.5000  {last}")


class Trainer:
    """As much of Lightning's as the callback reads."""

    is_global_zero, world_size, max_epochs, num_training_batches = True, 1, 200, 860
    current_epoch = 99
    callback_metrics = {"train/loss": HUGE, "val/acc": 0.98765}  # noqa: RUF012


class Task:
    headline, monitor = ("loss", "acc", "f1"), "val/acc"

    def running(self, split: str) -> dict[str, float]:
        return {"loss": HUGE, "acc": 0.98765}

    def num_samples(self, split: str) -> int:
        return 123_456


@pytest.mark.parametrize("width", WIDTHS)
def test_the_bar_fits(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = screen(width, True, monkeypatch)
    progress, task = Progress(refresh_per_second=1e9), Task()
    progress.on_train_start(Trainer(), task)
    progress.on_train_batch_end(Trainer(), task, None, None, 500)
    drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.getvalue()).replace("\r", "\n").splitlines()
    assert all(cell_len(line) <= width for line in drawn)
    bar = drawn[-1]
    assert "epoch 100/200" in bar
    assert "501/860" in bar
    assert "…" not in bar
    for number in re.findall(r"(?:loss|acc) (\S+)", bar):
        assert number in (f"{HUGE:.4f}", "0.9877"), bar
    assert ("train/acc 0.9877" in bar) == (width >= 60)
    progress.on_train_end(Trainer(), task)


def test_what_train_means_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(refresh_per_second=1)
    for _ in range(3):
        progress.on_train_epoch_end(Trainer(), Task())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == TRAIN
    assert [line.split()[0] for line in lines[1:]] == ["epoch"] * 3
