"""A run's best weights, tested again."""

import logging
from pathlib import Path
from typing import cast

from litmus.config.protocols import Data, Task
from litmus.config.types import Section
from litmus.config.validate import mistakes
from litmus.errors import UserError
from litmus.record.checkpoint import Checkpoint, load_best, load_own
from litmus.record.folder import RunDir
from litmus.run.baselines import measure
from litmus.run.build import assemble, for_testing, prepare, resolve
from litmus.run.train import test

log = logging.getLogger(__name__)

FIXED = ("model.", "data.size=", "data.colours=")  # what the weights belong to


def evaluate(run: RunDir, config: Section, changes: list[str], path: Path | None = None) -> dict[str, float]:
    """The test metrics of a run folder's weights; writes nothing.

    The network gets its inputs as in training: normalized by the facts that the checkpoint holds. Baselines are those
    fitted on the run's training split, whatever it is tested on.

    Args:
        run: the folder.
        config: its configuration, with the changes made.
        changes: overrides, as typed; without any, other data than the run's is refused.
        path: of the checkpoint; None for the best epoch's.

    Raises:
        UserError: the configuration does not fit this version of litmus, there are no weights, or the
            data is not what the run was tested on.
    """
    if fixed := [change for change in changes if change.startswith(FIXED)]:
        raise UserError(
            f"{fixed[0]} cannot be changed: the weights fit only the model, image size and colors that were trained."
        )
    if wrong := mistakes(config):
        raise UserError("\n".join(wrong))
    checkpoint = load_best(run) if path is None else load_own(run, path)
    path = path or run.best
    data = prepare(config, checkpoint)
    before = sha256_before(run, checkpoint)
    if before is not None and before != data.sha256:
        difference = f"These are not the test data of {run.path} ({', '.join(changes) or data.source})."
        if all(change.startswith("data.dir=") for change in changes):
            raise UserError(f"{difference} {_advice(config['data'])}")
        log.warning(difference)
    if changes and checkpoint.seen is None:
        log.warning("%s does not say what it was trained on: some of these test data may be among it.", path)
    elif changes and checkpoint.seen is not None:
        data.leave_out(checkpoint.seen)
    parts = assemble(run, resolve(for_testing(config), data), data, checkpoint)
    checkpoint.load_into(parts.net, path)
    training = _training_data(run, checkpoint, before) if any(map(_changes_data, changes)) else data
    if training is not None:
        measured = measure(data, cast(Task, parts.task), config["data"].get("dir"), training)
        data.measure_baselines = lambda: measured.metrics
    return test(run, parts, path)


def sha256_before(run: RunDir, checkpoint: Checkpoint) -> dict[str, str] | None:
    """Those of the files that a run was trained on, by name; None where an earlier version did not write them down."""
    return checkpoint.sha256 or ((run.read_result() or {}).get("dataset") or {}).get("sha256")


def _changes_data(change: str) -> bool:
    """Whether an override may give other training samples; not where the same files are."""
    return change.startswith("data.") and not change.startswith("data.dir=")


def _training_data(run: RunDir, checkpoint: Checkpoint, sha256: dict[str, str] | None) -> Data | None:
    """What the run was trained on, so that its baselines are; None, which is said, where that is not there any more."""
    try:
        data = prepare(run.read_config(), checkpoint)
        reason = "" if sha256 in (None, data.sha256) else f"{data.source} has changed since."
    except UserError as error:
        data, reason = None, str(error)
    if reason:
        log.warning("There are no baselines and no skill: they need the data that the run was trained on. %s", reason)
        return None
    return data


def _advice(data: Section) -> str:
    """Which keys of a dataset say where other files are."""
    if "path" in data:
        return "They have changed since. data.path=FILE tests on other files."
    return "data.dir=FOLDER says where the files are; data.source=... allows others."
