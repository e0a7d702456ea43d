"""Runs on tables, on the screen and in their folder."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import ON_HOUSES

from litmus.cli.evaluate import changed
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.run import summary
from litmus.run.evaluate import evaluate

Train = Callable[..., RunDir]
FEW = ["trainer.max_epochs=1", "trainer.limit_batches=3", "callback.dashboard.graph=false"]


@pytest.mark.usefixtures("tables")
def test_columns_are_said_once_and_evaluate_prints_json_alone(
    train: Train, capsys: pytest.CaptureFixture[str], litmus: Callable[..., tuple[str, str]]
) -> None:
    run = train("model=fnn", *FEW, small=ON_HOUSES)
    said = capsys.readouterr().out
    for word in ("area", "sold", "read as %Y-%m-%d", "garden", "no 0, yes 1", "an epoch passes 25 times over"):
        assert said.count(word) == 1, word
    kept = run.read_result()["dataset"]["columns"]
    assert list(kept) == ["area", "rooms", "sold", "garden", "price"]
    assert kept["area"].startswith("number: standardized; ")
    printed, _ = litmus("evaluate", str(run.path), "--json")
    metrics = {name: value for name, value in run.read_result()["metrics"].items() if name.startswith("test/")}
    assert json.loads(printed) == metrics


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    "changes", [["task.balanced=true"], ["data.scaling=quantile"], ["data.batch_size=auto"]], ids=str
)
def test_keys_that_need_the_data(train: Train, changes: list[str]) -> None:
    result = train("model=fnn", *FEW, *changes, small=ON_HOUSES).read_result()
    assert result["status"] == "finished", result["error"]


@pytest.mark.wide
@pytest.mark.usefixtures("tables")
def test_a_class_is_learned_from_columns(train: Train) -> None:
    """The districts differ in the size of their houses for a given price."""
    run = train("model=fnn", "callback.dashboard.graph=false", small=ON_HOUSES)
    assert run.read_result()["metrics"]["test/acc"] > 0.9


def test_each_of_several_targets_is_measured(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The epoch that is best forecasts both: the large one's errors do not hide the small one's."""
    monkeypatch.chdir(tmp_path)
    rows = "\n".join(f"{x / 100},{x * 1e4},{-x / 100}" for x in range(100))
    (tmp_path / "two.csv").write_text(f"x,big,small\n{rows}\n")
    table = ["data=table", "data.path=two.csv", "data.target=[big,small]", "trainer=cpu", "task.baselines=true"]
    run = train("model=linear", *FEW, small=table)
    metrics = run.read_result()["metrics"]
    for split in ("val", "test"):
        assert metrics[f"{split}/rmse_big"] == pytest.approx(1e6 * metrics[f"{split}/rmse_small"], rel=0.99)
        assert metrics[f"{split}/rmse"] < 5, "in training deviations"
        assert metrics[f"{split}/ridge_rmse_big"] > 100 * metrics[f"{split}/ridge_rmse_small"]
        assert metrics[f"{split}/skill"] == pytest.approx(
            1 - metrics[f"{split}/rmse"] / min(metrics[f"{split}/{name}_rmse"] for name in ("ridge", "trees", "median"))
        )
    assert "val/rmse_small" in run.read_metrics()[0]
    words = [line.split()[:1] for line in capsys.readouterr().out.splitlines()]
    assert words[words.index(["big"]) - 1 :][:3] == [["test"], ["big"], ["small"]]


def test_many_columns_are_said_in_short(capsys: pytest.CaptureFixture[str]) -> None:
    summary._columns([*((f"c{i}", "number", "standardized") for i in range(50)), ("same", "constant", "left out: ...")])
    said = capsys.readouterr().out
    assert "50 columns are used: number 50" in said
    assert "same" in said
    assert "c17" not in said


def test_a_table_without_a_column_of_the_network_s_is_refused(train: Train, tables: None, tmp_path: Path) -> None:
    run = train("model=fnn", *FEW, small=ON_HOUSES)
    text = (tmp_path / "houses.csv").read_text()
    (tmp_path / "other.csv").write_text(text.replace("rooms", "roomz"))
    config = changed(run.read_config(), ["data.path=other.csv"])
    with pytest.raises(
        UserError, match=r"other.csv has no column rooms, which the network takes. Did you mean roomz\?"
    ):
        evaluate(run, config, ["data.path=other.csv"])
