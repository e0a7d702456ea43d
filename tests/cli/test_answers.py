"""What the verbs answer where a run is named by half, or a prediction has nothing to say."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from comparing import run_compare, sweep
from made_runs import made

from litmus.cli import main, predict
from litmus.errors import UserError
from litmus.record.folder import RunDir


class Echo:
    """Predicts a class for what is not empty, as networks that take texts do."""

    batch_size = 1
    key, names = "probabilities", ("good",)

    def predict(self, texts: Sequence[str], batch_size: int, topk: int) -> list[dict]:
        return [
            {"text": text, "class": "good"} if text else {"text": text, "note": "empty: no prediction"}
            for text in texts
        ]


@pytest.mark.parametrize(("words", "status"), [([""], 1), (["", ""], 1), (["fine", ""], 0)])
def test_texts_that_are_all_empty_have_no_prediction(
    monkeypatch: pytest.MonkeyPatch, words: list[str], status: int
) -> None:
    monkeypatch.setattr(predict, "_load", lambda _: Echo())
    with pytest.raises(SystemExit) as left:
        main.main(["predict", "--pipeline", "sentiment-analysis", "--json", *words])
    assert left.value.code == status


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
