"""The end of a run on the screen, of every task: what counts, in order, in any width."""

import importlib
import io
import re
from pathlib import Path

import pytest
from helpers import ROOT
from made_runs import made
from rich.cells import cell_len

from litmus import console
from litmus.callback.progress import ordered  # noqa: F401  # imports torch, as what trains does
from litmus.doctor.diagnose import rules
from litmus.record.folder import RunDir
from litmus.record.metrics import monitored
from litmus.report.facts import CONFUSION
from litmus.run import summary

TASKS = sorted(path.stem for path in (ROOT / "src" / "litmus" / "task").glob("[!_]*.py"))
BASELINE = {"classification": "logistic", "multilabel": "trees", "regression": "seasonal"}
FINDING = {
    "name": "overfitting",
    "severity": "warning",
    "evidence": "In epoch 12, train/acc is 1.000 and val/acc 0.853.",
    "layer": None,
    "epoch": 12,
    "try": "model.dropout=0.3",
}


def ended(folder: Path, task: str) -> RunDir:
    """A run of the task that has ended, with all that it may have measured."""
    target = f"litmus.task.{task}.{task.capitalize()}"
    names = getattr(importlib.import_module(f"litmus.task.{task}"), task.capitalize()).metric_names
    metrics = {f"{split}/{name}": 0.87654 for split in ("train", "val", "test") for name in names if name != "gain"}
    if task in BASELINE:
        decides = monitored(target)[0].partition("/")[2]
        metrics |= {f"{split}/{BASELINE[task]}_{decides}": 0.76543 for split in ("val", "test")}
    metrics |= {f"test/{name}_a class of a very long name": 0.65432 for name in ("precision", "recall")}
    run = RunDir(made(folder, changes={"task": {"_target_": target}}, metric=monitored(target)[0], epochs=12))
    run.write_result(
        (run.read_result() or {})
        | {"metrics": metrics, "best_epoch": 12, "baselines": {"beaten": True, "notes": []}, "findings": [FINDING]}
    )
    run.page.write_text("")
    (folder / CONFUSION).write_text("true,predicted,count\nfour,nine,12\n")
    (folder / "events.out.tfevents.1").write_text("")
    return run


@pytest.mark.parametrize("task", TASKS)
def test_the_end_has_what_counts_in_any_width(task: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    run = ended(Path("run"), task)
    for width in range(40, 121, 4):
        file = io.StringIO()
        options = {"force_terminal": True, "color_system": None, "width": width, "soft_wrap": True}
        monkeypatch.setattr(console, "out", console.Screen(file=file, **options))
        summary.result(run, run.read_result())
        lines = file.getvalue().splitlines()
        assert [line for line in lines if cell_len(line) > width and "data.dir=" not in line] == []
        text = " ".join(" ".join(lines).split())
        parts = [
            "best epoch 12 of 12",
            "test ",
            "validation ",
            "train ",
            *([f"test, {BASELINE[task]}"] if task in BASELINE and BASELINE[task] != "trees" else []),
            f"{monitored(f'litmus.task.{task}.{task.capitalize()}')[0]} ",
            "confused four taken for nine: 12 times",
            f"doctor {rules()['overfitting'].title} ({FINDING['severity']}): {FINDING['evidence']}",
            "try ",
            "run folder run",
            "page run/report.html",
            "look at it litmus dashboard run",
        ]
        places = [text.index(part, text.index("best epoch")) for part in parts]
        assert places == sorted(places), text
        assert set(re.findall(r"\d\.\d{4,}", text)) >= {"0.8765", "0.6543"}
        assert re.search("[▁▂▃▄▅▆▇█]{8,12}", text)


def test_elsewhere_all_columns_are_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run = ended(tmp_path / "run", "detection")
    summary.result(run, run.read_result())
    out = capsys.readouterr().out
    head = out.partition("best epoch 12 of 12\n")[2].splitlines()[0].split()
    assert head[:2] == ["map", "loss"], "what decides stands first"
    assert {"box_loss", "recall", "map50"} <= set(head)
    assert "\x1b" not in out
    assert "train (running mean)" in out
