"""`litmus doctor`: the findings of a finished run again, and the remedies tried."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from litmus.cli._remedies import AS_IT_WAS, epochs_to_try, rows
from litmus.cli.main import main
from litmus.doctor.diagnose import rules
from litmus.record.folder import RunDir

Train = Callable[..., RunDir]
SLOW = ["model=fnn", "optimizer.lr=1e-6", "trainer.max_epochs=3"]
MOONS = ["data=toy", "data.kind=moons", "trainer=cpu"]


def refusal(*words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return str(ended.value.code)


def test_what_is_found_is_said_with_the_command_to_try(train: Train, litmus: Callable[..., tuple[str, str]]) -> None:
    run = train(*SLOW, small=MOONS)
    said, _ = litmus("doctor", str(run.path))
    assert rules()["learning_rate_too_low"].title in said
    assert "optimizer.lr=1e-05" in said
    answered = json.loads(litmus("doctor", str(run.path), "--json")[0])
    assert answered["findings"] == run.read_result()["findings"]
    assert [each["name"] for each in answered["findings"]] == ["learning_rate_too_low"]


def test_a_healthy_run_is_said_to_be(train: Train, litmus: Callable[..., tuple[str, str]]) -> None:
    run = train("model=fnn", "trainer.max_epochs=10", small=MOONS)
    assert "finds nothing wrong" in litmus("doctor", str(run.path))[0]


def test_a_run_that_has_not_ended_has_nothing_to_examine(train: Train) -> None:
    run = train(*SLOW, small=MOONS)
    run.remove_result()
    assert "has not ended" in refusal("doctor", str(run.path))


def test_files_of_somebody_else_end_in_a_sentence(train: Train) -> None:
    run = train(*SLOW, small=MOONS)
    health = run.read_health()
    run.write_health({**health, "epochs": [{**row, "update": "much"} for row in health["epochs"]]})
    assert "cannot be examined" in refusal("doctor", str(run.path))


def result(folder: Path, seed: int, acc: float) -> None:
    RunDir(folder).write_result({"status": "finished", "seed": seed, "metrics": {"val/acc": acc}})


def test_a_remedy_helps_where_the_interval_of_its_gain_is_above_0(tmp_path: Path) -> None:
    gains = {"lr=1": (0.1, 0.11, 0.12), "lr=2": (-0.1, 0.1, 0.0), "lr=3": (-0.2, -0.21, -0.19)}
    folders = {AS_IT_WAS: tmp_path / "0"}
    for seed in range(3):
        result(tmp_path / "0" / f"seed={seed}", seed, 0.5 + seed / 10)
    for number, (name, own) in enumerate(gains.items(), start=1):
        folders[name] = tmp_path / str(number)
        for seed, gain in enumerate(own):
            result(tmp_path / str(number) / f"seed={seed}", seed, 0.5 + seed / 10 + gain)
    metric, table = rows(folders, "litmus.task.classification.Classification")
    assert metric == "val/acc"
    assert [verdict for *_, verdict in table] == ["", "helps", "no difference shown", "makes it worse"]
    assert table[1][2].startswith("+0.11 ± 0.025"), "t(2) * 0.01 / sqrt(3)"


def test_a_long_training_is_cut_to_a_minute() -> None:
    config = {"trainer": {"max_epochs": 100}}
    assert epochs_to_try(config, {"seconds": {"fit": 600.0}, "epochs": 100}) == 10
    assert epochs_to_try(config, {"seconds": {"fit": 6.0}, "epochs": 100}) == 100
    assert epochs_to_try(config, {"seconds": {"fit": 6000.0}, "epochs": 10}) == 2


def test_remedies_are_trained_beside_the_setting(train: Train, litmus: Callable[..., tuple[str, str]]) -> None:
    run = train("model=fnn", "optimizer.lr=1e-6", "trainer.max_epochs=2", small=MOONS)
    assert "learning_rate_too_low" in {each["name"] for each in run.read_result()["findings"]}
    said, _ = litmus("doctor", str(run.path), "--try", "--seeds", "2")
    assert "over 2 seeds" in said
    assert "as it was" in said
    assert len(list((run.path / "tried").glob("*/*/result.json"))) == 4
