"""A run that was resumed with something changed says so, whatever happened since; one that only goes on does not."""

import json
from collections.abc import Callable
from hashlib import sha256

import pytest
import torch
from faults import Fault
from helpers import CONF, composed

from litmus.config.instantiate import build
from litmus.config.keys import flat
from litmus.record.checkpoint import load_checkpoint
from litmus.record.folder import RunDir
from litmus.run import environment
from litmus.run.ending import ending
from litmus.scheduler import FOLLOWING_LENGTH

Train = Callable[..., RunDir]
FNN = ["model=fnn", "scheduler=none"]


def history(run: RunDir) -> list[tuple[str, object, object]]:
    """The changes of a run by its result: key, from, to."""
    return [(change["key"], change["from"], change["to"]) for change in run.read_result()["changes"]]


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF / "scheduler").glob("*.yaml")))
def test_schedules_that_follow_the_length_are_known(name: str) -> None:
    def rates(num_steps: int) -> list[float]:
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        described = build(composed(f"scheduler={name}")["scheduler"], optimizer, num_steps, "max")
        found = []
        for _ in range(10):
            optimizer.step()
            if described.get("interval") == "step":
                described["scheduler"].step()
            found.append(optimizer.param_groups[0]["lr"])
        return found

    assert (rates(20) != rates(40)) == (name in FOLLOWING_LENGTH)


def test_an_extended_run_equals_one_as_long_from_the_start(train: Train, resume: Train) -> None:
    extended = resume(train(*FNN, folder="extended"), "trainer.max_epochs=4")
    assert ending(extended) == ending(train(*FNN, "trainer.max_epochs=4", folder="straight"))
    assert history(extended) == []


def test_an_extended_run_whose_rates_follow_its_length_says_so(
    train: Train, resume: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    run = resume(train("model=fnn", "scheduler=one_cycle"), "trainer.max_epochs=4")
    assert run.read_config()["trainer"]["max_epochs"] == 4
    assert history(run) == [("trainer.max_epochs", 2, 4)]
    assert "will not equal one that was as long from the start" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("override", "key", "before"),
    [
        ("trainer.gradient_clip=0.5", "trainer.gradient_clip", None),
        ("trainer.limit_batches=2", "trainer.limit_batches", None),
        ("trainer.precision=bf16-mixed", "trainer.precision", 32),
        ("callback.ema.decay=0.9", "callback.ema.decay", None),
    ],
)
def test_what_changes_a_training_is_written_down(
    trained: Train, resume: Train, override: str, key: str, before: object
) -> None:
    run = trained(*FNN)
    steps = run.read_result()["steps"]
    resume(run, "trainer.max_epochs=3", override)
    (change,) = run.read_result()["changes"]
    assert (change["step"], change["key"], change["from"]) == (steps, key, before)
    assert change["to"] == dict(flat(run.read_config()))[key]


def test_a_change_outlives_a_kill_before_and_after_its_first_checkpoint(train: Train, resume: Train) -> None:
    class Killed(BaseException):
        """Nothing of the run sees it."""

    run = train(*FNN)
    before = run.read_result()["steps"]

    def die(*_: object) -> None:
        raise Killed

    for epoch in (2, 3):  # with what was changed nothing is kept yet; then an epoch is
        with pytest.raises(Killed):
            resume(run, "trainer.max_epochs=5", "trainer.gradient_clip=0.5", watching=[Fault(die, epoch=epoch)])
    resume(run, "trainer.gradient_clip=null")
    after = load_checkpoint(run.last).changes
    assert [(c["key"], c["from"], c["to"]) for c in after] == [
        ("trainer.gradient_clip", None, 0.5),
        ("trainer.gradient_clip", 0.5, None),
    ]
    assert after[0]["step"] == before < after[1]["step"]
    assert run.read_result()["changes"] == after


def test_a_resumed_run_of_other_threads_or_packages_says_so(
    train: Train, resume: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(*FNN)
    versions = environment.versions()
    monkeypatch.setattr("litmus.run.changes.versions", lambda: {**versions, "torch": "99.0"})
    resume(run, "trainer.max_epochs=3")
    assert history(run) == [("environment.torch", versions["torch"], "99.0")]


def test_a_folder_says_where_it_was_computed(train: Train, resume: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    diff = "--- a/x.py\n+++ b/x.py\n"
    found = {"commit": "c0ffee", "changed": True, "diff": sha256(diff.encode()).hexdigest()}
    monkeypatch.setattr("litmus.run.environment.git", lambda: found)
    monkeypatch.setattr("litmus.run.train.code_diff", lambda: diff)
    run = resume(train(*FNN), "trainer.max_epochs=3")
    stored = json.loads((run.path / "environment.json").read_text())
    assert stored["packages"]["torch"] == environment.versions()["torch"]
    assert stored["threads"] == torch.get_num_threads() == run.read_result()["threads"]
    assert stored["git"] == found
    assert len(stored["commands"]) == 2
    assert (run.path / f"code-{found['diff'][:8]}.diff").read_text() == diff


def test_every_package_is_listed_with_the_version_that_its_metadata_say() -> None:
    from importlib.metadata import distributions

    expected = {d.metadata["Name"].replace("_", "-").lower(): d.version for d in distributions()}
    assert {name.replace(".", "-"): version for name, version in environment.packages().items()} == {
        name.replace(".", "-"): version for name, version in expected.items()
    }
