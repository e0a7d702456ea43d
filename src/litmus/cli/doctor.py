"""Says what is wrong with a run, why it matters, and what to try; with --try, tries it."""

import argparse

from litmus.cli._options import count
from litmus.errors import UserError, first_line
from litmus.record.folder import RunDir

SEEDS = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("run", metavar="RUN", help="a run folder, such as outputs/latest")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON, and nothing else")
    tries = "train each proposal, at most a minute a run, and say which helps; the runs lie in RUN/tried"
    parser.add_argument("--try", dest="tries", action="store_true", help=tries)
    parser.add_argument("--seeds", metavar="N", type=count, default=SEEDS, help=f"seeds of each with --try ({SEEDS})")


def main(arguments: argparse.Namespace) -> int:
    """Prints every finding.

    Raises:
        UserError: the folder is not a run folder, or its run has not ended; there is nothing to try.
    """
    run = RunDir(arguments.run)
    config = run.read_config()
    result = run.read_result()
    if result is None:
        raise UserError(f"{run.path} has not ended: there is nothing to examine yet.")

    from litmus import console
    from litmus.run import diagnosis

    try:
        found = diagnosis.findings(run, config, result)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:  # somebody else's may hold anything
        raise UserError(f"{run.path} cannot be examined: its files are damaged ({first_line(error)}).") from None
    if arguments.json:
        console.json_line({"findings": [each.to_plain() for each in found]})
        return 0
    diagnosis.show(found, run, len(found))
    if arguments.tries:
        _try(run, [each.overrides for each in found if each.overrides], arguments.seeds)
    return 0


def _try(run: RunDir, proposals: list[str], seeds: int) -> None:
    from litmus import console
    from litmus.cli import _remedies
    from litmus.record.command import words_of

    words = words_of(run)
    if not proposals:
        console.say("There is nothing to try: no finding comes with a key to change.")
        return
    if words is None:
        raise UserError(f"{run.path} cannot be trained again: it was changed while it trained, or is not litmus' own.")
    config, result = run.read_config(), run.read_result() or {}
    unique = list(dict.fromkeys(proposals))
    folders = _remedies.train(run, words, unique, seeds, _remedies.epochs_to_try(config, result))
    metric, rows = _remedies.rows(folders, str(config["task"]["_target_"]))
    console.table(("tried", metric, "gain", "verdict"), rows, title=f"over {seeds} seeds")
