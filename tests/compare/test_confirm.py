"""`litmus compare --confirm`: what was selected is trained again, on seeds that had no part in selecting it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from comparing import lr_of, rank, row_of, run_compare
from made_runs import made

from litmus.compare.again import APART, FRESH, overrides_for
from litmus.errors import EXIT_STATUS

TINY = ("model=fnn", "model.widths=[4]", "data.source=bundled", "data.limit=100", "data.limit_eval=100")
QUICK = ("trainer=cpu", "trainer.precision=32", "trainer.max_epochs=1", "callback.dashboard.graph=false")


@pytest.mark.slow
def test_the_best_is_measured_again_on_fresh_seeds(tmp_path: Path) -> None:
    for lr, values in {0.001: [0.95, 0.951, 0.953], 0.01: [0.5, 0.503, 0.502]}.items():
        for seed, value in enumerate(values):
            made(tmp_path / f"{lr},{seed}", *TINY, *QUICK, value=value, seed=seed, changes=lr_of(lr))
    assert run_compare(tmp_path, "--confirm", "2", "--no-figures") == 0
    ranking, comparison = rank(tmp_path)
    best = row_of(ranking, 0.001)
    assert [run.seed for run in best.fresh] == [APART, APART + 1]
    assert best.remeasured.n == 2
    assert best.value.mean == pytest.approx(0.9513, abs=1e-4), "they are in no mean"
    assert row_of(ranking, 0.01).fresh == (), "it is worse"
    assert any("which had no part in that, its val/acc is" in note for note in comparison.notes)
    (written,) = json.loads((tmp_path / "compare" / "ranking.json").read_text())["rankings"]
    assert written["rows"][0]["fresh_seeds"]["n"] == 2
    ended = {path: path.stat().st_mtime_ns for path in (tmp_path / FRESH).rglob("result.json")}
    assert run_compare(tmp_path, "--confirm", "2", "--no-figures") == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / FRESH).rglob("result.json")} == ended
    assert run_compare(tmp_path, "--confirm", "3", "--no-figures") == 0
    assert [run.seed for run in row_of(rank(tmp_path)[0], 0.001).fresh] == [APART, APART + 1, APART + 2]
    assert len(list((tmp_path / FRESH).rglob("result.json"))) == 3, "the first two are kept"


def test_runs_of_several_machines_are_run_again_without_a_launcher(tmp_path: Path) -> None:
    made(tmp_path / "run", *TINY, *QUICK, changes={"trainer": {"num_nodes": 2}})
    ranking, _ = rank(tmp_path)
    words = overrides_for(ranking.rows[0], [APART], [tmp_path], FRESH) or []
    assert f"seed={APART}" in words
    assert not [word for word in words if word.startswith("trainer.num_nodes")]


def test_what_cannot_be_confirmed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path / "a", "model=fnn", changes=lr_of(0.001))
    for words, sentence in (
        (["--confirm", "0"], "'0' is not a whole number, at least 1"),
        (["--confirm", "2", "--against", "lr=0.001"], "--confirm runs the best again, which --against does not look"),
    ):
        assert run_compare(tmp_path, *words) == 2
        assert sentence in capsys.readouterr().err


def test_runs_alone_have_no_place_for_others(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn")
    sentence = "--confirm writes its runs into a folder that is compared, and each of these is a run itself"
    assert sentence in run_compare(tmp_path / "a", "--confirm", "2")
    assert not (tmp_path / "a" / FRESH).exists()


def test_a_setting_that_was_changed_while_it_trained_is_not_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = [{"step": 300, "key": "trainer.gradient_clip", "from": None, "to": 1.0}]
    for seed in (0, 1):
        made(tmp_path / f"{seed}", "model=fnn", seed=seed, value=0.9 + seed / 100, changes_on_resume=changed)
    assert run_compare(tmp_path, "--confirm", "2", "--no-figures") == 0
    assert "cannot be run again: it was changed while it trained" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_ctrl_c_lets_the_runs_end_and_ends_the_command(tmp_path: Path) -> None:
    for seed, value in enumerate([0.95, 0.951, 0.953]):
        made(tmp_path / f"{seed}", *TINY, *QUICK, value=value, seed=seed, changes={"trainer": {"max_epochs": 500}})
    command = [sys.executable, "-m", "litmus", "compare", str(tmp_path), "--confirm", "1", "--no-figures"]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, text=True)
    while not list((tmp_path / FRESH).rglob("metrics.csv")):
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.wait(60) == EXIT_STATUS["interrupted"]
    (result,) = (tmp_path / FRESH).rglob("result.json")
    assert json.loads(result.read_text())["status"] == "interrupted"
