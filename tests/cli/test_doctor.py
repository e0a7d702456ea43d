"""`litmus doctor`: the findings of a finished run again, and the remedies tried."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from made_runs import made

from litmus import console
from litmus.cli._remedies import AS_IT_WAS, Tried, cells, compared, epochs_to_try, plain
from litmus.cli.main import main
from litmus.doctor.diagnose import rules
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.report import verdict
from litmus.run import summary
from litmus.run.page import material_of

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
    assert "optimizer.lr=0.0001" in said
    answered = json.loads(litmus("doctor", str(run.path), "--json")[0])
    assert answered["findings"] == run.read_result()["findings"]
    assert [each["name"] for each in answered["findings"]] == ["learning_rate_too_low"]


def test_a_healthy_run_is_said_to_be(train: Train, litmus: Callable[..., tuple[str, str]]) -> None:
    run = train("model=fnn", "trainer.max_epochs=10", "task.baselines=false", small=MOONS)
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


def tried(name: str, accuracies: dict[int, float | None], failure: str | None = None) -> Tried:
    return Tried(name, {seed: {"val/acc": acc} for seed, acc in accuracies.items()}, failure)


TASK = "litmus.task.classification.Classification"
BEFORE = tried(AS_IT_WAS, {0: 0.5, 1: 0.6, 2: 0.75})


def test_a_remedy_helps_where_the_interval_of_its_gain_is_above_0() -> None:
    gains = {"lr=1": (0.1, 0.11, 0.12), "lr=2": (-0.1, 0.1, 0.0), "lr=3": (-0.2, -0.21, -0.19)}
    before = [own["val/acc"] for own in BEFORE.metrics.values()]
    others = [tried(name, {seed: before[seed] + gain for seed, gain in enumerate(own)}) for name, own in gains.items()]
    metric, mode, rows = compared([BEFORE, *others], TASK)
    assert (metric, mode) == ("val/acc", "max")
    assert [row.verdict for row in rows] == ["", "helps", "no difference shown", "makes it worse"]
    assert cells(rows[1], 3)[2].startswith("+0.11 ± 0.025"), "t(2) * 0.01 / sqrt(3)"
    assert [cells(row, 3)[1] for row in rows] == ["0.6167", "0.7267", "0.6167", "0.4167"], "means, as the gain is"
    assert rows[1].mean - rows[0].mean == pytest.approx(plain(rows[1])["gain"])


def test_a_rule_that_accuracy_hides_is_judged_by_another_metric() -> None:
    def setting(name: str, acc: float, f1: float) -> Tried:
        return Tried(name, {seed: {"val/acc": acc, "val/f1": f1 + seed / 100} for seed in range(3)})

    judged_by = rules()["class_imbalance"].judged_by
    metric, mode, rows = compared(
        [setting(AS_IT_WAS, 0.9, 0.4), setting("task.balanced=true", 0.8, 0.7)], TASK, judged_by
    )
    assert (metric, mode) == ("val/f1", "max")
    assert [row.verdict for row in rows] == ["", "helps"]
    assert compared([BEFORE], TASK, judged_by)[0] == "val/acc", "of runs that have not measured it"


def test_what_is_missing_is_compared_with_nothing() -> None:
    ended_early = tried(AS_IT_WAS, {0: None, 1: None})
    for before, own, words, mean in (
        (BEFORE, tried("lr=1", {1: 0.7}), "one seed shows no interval", "0.7 (1 of 3 seeds)"),
        (BEFORE, tried("lr=1", {}, "the sweep was refused."), "no result", "(none)"),
        (ended_early, tried("lr=1", {0: 0.7, 1: 0.7, 2: 0.7}), "better than a run that ended early", "0.7"),
        (tried(AS_IT_WAS, {}, "refused"), tried("lr=1", {0: 0.7}), "cannot be compared", "0.7 (1 of 3 seeds)"),
    ):
        _, row = compared([before, own], TASK)[2]
        assert (row.verdict, cells(row, 3)[1]) == (words, mean)
    with pytest.raises(UserError, match="None of the trainings"):
        compared([ended_early, tried("lr=1", {})], TASK)


def test_a_long_training_is_cut_to_a_minute() -> None:
    config = {"trainer": {"max_epochs": 100, "val_check_interval": None}}
    assert epochs_to_try(config, {"seconds": {"fit": 600.0}, "epochs": 100}) == 10
    assert epochs_to_try(config, {"seconds": {"fit": 6.0}, "epochs": 100}) == 100
    assert epochs_to_try(config, {"seconds": {"fit": 6000.0}, "epochs": 10}) == 2


@pytest.mark.slow
def test_remedies_are_trained_beside_the_setting(train: Train, capfd: pytest.CaptureFixture[str]) -> None:
    def answered(*words: str, status: int) -> tuple[str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["doctor", str(run.path), "--try", *words])
        printed = capfd.readouterr()
        assert ended.value.code == status, printed.err
        return printed.out, printed.err

    run = train("model=fnn", "optimizer.lr=1e-6", "trainer.max_epochs=2", small=MOONS)
    assert "learning_rate_too_low" in {each["name"] for each in (run.read_result() or {})["findings"]}
    said, _ = answered("--seeds", "2", status=0)
    assert "means over 2 seeds" in said
    assert re.search(r"\nas it was +0\.\d+\n", said), said
    results = list((run.path / "tried").glob("*/*/result.json"))
    assert {path.parent.parent.name for path in results} == {"as-it-was", "optimizer.lr-0.0001"}
    assert len(results) == 4
    written = {path: path.stat().st_mtime_ns for path in results}

    changed = RunDir(next(path.parent for path in results if "lr-0.0001" in str(path)))
    requested = changed.read_requested() or {}
    changed.write_requested(requested | {"seed": 7})
    said, errors = answered("--seeds", "1", "--json", status=1)
    answer = json.loads(said)
    assert answer["findings"]
    was, proposed = answer["tried"]["settings"]
    assert answer["tried"]["seeds"] == 1
    assert list(was["values"]) == ["0"], "of two seeds that are there"
    assert (proposed["values"], proposed["verdict"]) == ({}, "no result"), "nothing of the sweep that was refused"
    assert "was run with another configuration" in errors
    assert "optimizer.lr=0.0001: the sweep was refused" in errors
    assert {path: path.stat().st_mtime_ns for path in results} == written


def test_seeds_are_those_of_trying() -> None:
    assert refusal("doctor", "run", "--seeds", "2") == "2"


HEALTHY = {"layers": [], "epochs": [], "sizes": {"train": 1000, "val": 1000, "test": 1000}}
WORSE = {"val/acc": 0.9, "test/acc": 0.9, "val/logistic_acc": 0.85, "test/logistic_acc": 0.9005}
OFF = {"changes": {"callback": {"doctor": None}}}
NOT_JUDGED = {
    "whole": ({}, HEALTHY, "doctor       finds nothing wrong"),
    "not begun": ({"epochs": 0, "status": "interrupted"}, HEALTHY, "no epoch was trained, so there is nothing to ex"),
    "failed at once": ({"epochs": 0, "status": "failed"}, None, "no epoch was trained, so there is nothing to ex"),
    "missing": ({}, None, "health.json is missing: layers, labels and the first step are not examined"),
    "switched off": (OFF, None, "callback.doctor=null: layers, labels and the first step were not measured"),
    "damaged": ({}, "{", "health.json is damaged: layers, labels and the first step are not examined"),
    "no curves": ({}, HEALTHY, "metrics.csv is damaged: the curves are not examined"),
    "no better than a baseline": ({"metrics": WORSE}, HEALTHY, "doctor       finds nothing else"),
}


@pytest.mark.parametrize("case", NOT_JUDGED)
def test_what_could_not_be_judged_is_not_called_healthy(
    case: str, litmus: Callable[..., tuple[str, str]], tmp_path: Path
) -> None:
    changes, health, sentence = NOT_JUDGED[case]
    folder = made(tmp_path / "run", "model=fnn", findings=[], **changes)
    if health is not None:
        (folder / "health.json").write_text(health if isinstance(health, str) else json.dumps(health))
    if case == "no curves":
        (folder / "metrics.csv").write_text("epoch,step\n1,x\n")
    said, warned = litmus("doctor", str(folder))
    assert sentence in said
    answered = json.loads(litmus("doctor", str(folder), "--json")[0])
    assert (answered["not_examined"] is None) == (case in ("whole", "no better than a baseline"))
    assert warned.count("WARNING") == (case in ("damaged", "no curves")), "once"
    assert ("finds nothing wrong\n" in said) == (case == "whole")
    run = RunDir(folder)
    result = run.read_result() or {}
    material = material_of(run, run.read_config(), result, None, [])
    shown = " ".join([verdict.nothing_found(material), *material.notes])
    wanted = sentence.removeprefix("doctor       ")
    assert wanted[1:] in shown
    assert ("finds nothing wrong." in shown) == (case == "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console, "out", console.Screen(file=(file := io.StringIO()), width=100))
        summary.result(run, result | {"findings": []})
    assert sentence in file.getvalue(), "at the end of the run, too"


NO_RUN = {
    "nowhere": (None, "There is no folder"),
    "a file": ("", "is a file"),
    "an empty folder": ({}, "such as outputs"),
    "another tool's": ({"meta.yaml": "a: 1"}, "such as outputs"),
}
DAMAGED = {
    "a sweep": ({"job/config.yaml": ""}, "Name one of them, such as"),
    "another's configuration": ({"config.yaml": "lr: 0.1"}, "is not a run's configuration"),
    "no configuration": ({"config.yaml": "a: ["}, "config.yaml cannot be read"),
    "half a result": ({"result.json": "{"}, "result.json is damaged"),
    "no result": ({"result.json": "[1]"}, "result.json is damaged"),
}
PLACES = [(verb, case) for verb in ("doctor", "report") for case in (*NO_RUN, *DAMAGED)]
PLACES += [("dashboard", case) for case in NO_RUN]  # which shows what there is of damaged runs


@pytest.mark.parametrize(("verb", "case"), PLACES)
def test_what_is_no_run_is_answered_in_a_sentence(verb: str, case: str, tmp_path: Path) -> None:
    files, sentence = (NO_RUN | DAMAGED)[case]
    folder = tmp_path / "it"
    if isinstance(files, str):
        folder.write_text(files)
    elif files is not None:
        made(folder, "model=fnn") if "result.json" in files else folder.mkdir()
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
    said = refusal(verb, str(folder))
    assert said.startswith(f"litmus {verb}: ")
    assert sentence in said
    assert len(said.splitlines()) == 1
