"""What the verbs answer where a run is named by half, or a prediction has nothing to say."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from comparing import run_compare, sweep
from helpers import ROOT
from made_runs import made

from litmus.cli import _tables, main, predict
from litmus.data.columns.read import read_table
from litmus.errors import UserError
from litmus.inference.answers import answer_file
from litmus.record.folder import RunDir
from litmus.spec import Tokens


class Echo:
    """Predicts a class for what is not empty, as networks that take texts do."""

    batch_size = 1
    key, names, input_kind = "probabilities", ("good",), Tokens

    def predict(self, texts: Sequence[str], batch_size: int, topk: int) -> list[dict]:
        return [
            {"text": text, "class": "good"} if text else {"text": text, "note": "empty: no prediction"}
            for text in texts
        ]


@pytest.mark.parametrize(("words", "status"), [([""], 1), (["", ""], 1), (["fine", ""], 0)])
def test_texts_that_are_all_empty_have_no_prediction(
    monkeypatch: pytest.MonkeyPatch, words: list[str], status: int
) -> None:
    monkeypatch.setattr(predict, "_load", lambda *_: Echo())
    with pytest.raises(SystemExit) as left:
        main.main(["predict", "--pipeline", "sentiment-analysis", "--json", *words])
    assert left.value.code == status


def test_many_classes_of_texts_are_shown_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    """A column for each of 400 classes cannot be read."""
    names = [f"class {i}" for i in range(400)]
    best = {"class 7": 0.9, "class 300": 0.05}
    predictions = [{"text": "one", "label": "class 7", "probabilities": best}, {"text": "", "note": "empty"}]
    _tables.show_texts(predictions, names)
    lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    rows = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert rows == [
        ["text", "label", "probability", "note"],
        ["one", "class 7", "0.9000"],
        ["class 300", "0.0500"],
        ["empty"],
    ]
    few = [{"text": "one", "label": "b", "probabilities": {"b": 0.75, "a": 0.25}}]
    _tables.show_texts(few, ["a", "b"])
    assert capsys.readouterr().out.split() == ["text", "label", "a", "b", "one", "b", "0.2500", "0.7500"]


@pytest.mark.parametrize("topk", [1, 2])
def test_the_best_classes_of_a_text(topk: int, litmus: Callable[..., tuple[str, str]]) -> None:
    run = str(ROOT / "tests/earlier/lstm-text_table")
    words = ["predict", run, "a superb film", "--json"]
    every = json.loads(litmus(*words)[0])["probabilities"]
    assert list(every) == sorted(every, key=every.__getitem__, reverse=True)
    assert json.loads(litmus(*words, "--topk", str(topk))[0])["probabilities"] == dict(list(every.items())[:topk])


def test_a_sweep_is_no_run_and_latest_lies_in_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made(Path("outputs/sweeps/s/seed-0"), "model=fnn")
    Path("outputs/latest").symlink_to("sweeps/s/seed-0")
    with pytest.raises(UserError, match="holds several runs. Name one of them, such as outputs/sweeps/s/seed-0"):
        RunDir("outputs/sweeps/s").read_config()
    with pytest.raises(UserError, match="There is no folder latest. Did you mean outputs/latest?"):
        RunDir("latest").read_config()


def test_a_format_is_printed_without_figures(tmp_path: Path) -> None:
    sweep(tmp_path / "s", {0.001: [0.9], 0.01: [0.8]})
    assert run_compare(tmp_path / "s", "--format", "csv") == 0
    written = {path.suffix for path in (tmp_path / "s/compare").iterdir()}
    assert written == {".md", ".csv", ".tex", ".json"}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_durations_are_written_as_they_are_read(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    with answer_file(path) as write:
        write(pl.DataFrame({"waited": [timedelta(seconds=70.5), None], "note": ["x", "y"]}))
    assert read_table(path, (), encoding="auto", separator="auto").frame["waited"].to_list() == [70.5, None]
