"""The page of a run that has ended, made again: its best weights are tested, where they and the data are there."""

import logging
from pathlib import Path

from litmus.config.types import Section
from litmus.config.validate import mistakes
from litmus.errors import UserError
from litmus.record.checkpoint import load_best
from litmus.record.folder import RunDir
from litmus.report.material import Tested
from litmus.report.page import write
from litmus.run.build import assemble, for_testing, prepare, resolve
from litmus.run.evaluate import sha256_before
from litmus.run.page import gather, material_of, said, tested_of
from litmus.run.train import test

log = logging.getLogger(__name__)


def report(run: RunDir, config: Section) -> Path:
    """Makes the page of a run that has ended: tests it again, where its weights and data are still there.

    Args:
        run: the folder.
        config: of the run.

    Raises:
        UserError: what the folder holds of the run is damaged.
    """
    result = run.read_result() or {}
    tested, notes = None, []
    try:
        tested = (
            _tested_again(run, config, result) if result.get("status") == "finished" else None
        )  # as at the run's end
    except (UserError, OSError, RuntimeError, ValueError, KeyError) as error:
        reason = said(error)
        log.warning("The page is made without test outputs: %s.", reason)
        notes = [f"What the test shows is left out, as the network could not be tested again: {reason}."]
    return write(material_of(run, config, result, tested, notes))


def _tested_again(run: RunDir, config: Section, result: Section) -> Tested | None:
    """As `litmus evaluate`."""
    if not run.best.is_file():
        raise UserError("There is no checkpoint of the best epoch.")
    if wrong := mistakes(config):
        raise UserError(f"The configuration is not one of this version. {wrong[0]}")
    checkpoint = load_best(run)
    data = prepare(config, checkpoint)
    if sha256_before(run, checkpoint) not in (None, data.sha256):
        raise UserError(f"The data has changed since the run was trained on it ({data.source}).")
    parts = assemble(run, resolve(for_testing(config), data), data, checkpoint)
    checkpoint.load_into(parts.net, run.best)
    gathering = gather(parts, keeps_all=True)
    test(run, parts, run.best)
    return tested_of(parts, gathering, result)
