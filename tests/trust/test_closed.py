"""Every network trains, and every verb works, where no other machine can be reached; none is tried."""

from pathlib import Path

import pytest
import world
from warm import Warm

from litmus.cli.main import VERBS

USES = {  # of a run, by verb
    "evaluate": lambda model: ["evaluate", f"run-{model}", "--json"],
    "predict": lambda model: ["predict", f"run-{model}", *world.INPUTS[world.data_for(model)], "--json"],
    "export": lambda model: ["export", f"run-{model}", "--to", "torch"],
    "compare": lambda model: ["compare", f"run-{model}", "--no-figures"],
}


@pytest.mark.parametrize("model", world.MODELS)
def test_every_network_and_verb_without_a_network(model: str, files: Path, heavy: Warm, tmp_path: Path) -> None:
    attempts = tmp_path / "attempts"
    environment = {"ATTEMPTS": str(attempts), "LITMUS_DATA": str(tmp_path / "cache")}
    world.train(heavy, files, model, environment)
    for use in USES.values():
        answer = heavy(*use(model), folder=files, environment=environment)
        assert answer.status == 0, answer.err
    assert not attempts.exists(), attempts.read_text()


def test_every_verb_is_used() -> None:
    """But `dashboard`, which serves until it is stopped, and `verify`, which only trains."""
    assert set(VERBS) - {"train", "dashboard", "verify"} == set(USES)


def test_a_connection_is_refused(files: Path, heavy: Warm, tmp_path: Path) -> None:
    """The test above could not fail otherwise."""
    attempts = tmp_path / "attempts"
    answer = heavy(
        *["train", "model=perceptron", "data.source=official", "trainer=cpu"],
        folder=files,
        environment={"ATTEMPTS": str(attempts), "LITMUS_DATA": str(tmp_path / "cache")},
    )
    assert answer.status == 2
    assert attempts.exists()
