"""Says what is wrong with a run, why it matters, and what to try; with --try, tries it."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from litmus.cli._options import count
from litmus.config.types import Section
from litmus.errors import EXIT_STATUS, UserError, WrongArguments, first_line
from litmus.record.command import how_to_resume
from litmus.record.folder import RunDir

if TYPE_CHECKING:
    from litmus.doctor.finding import Finding

SEEDS = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("run", metavar="RUN", help="a run folder, such as outputs/latest")
    parser.add_argument(
        "--json", action="store_true", help="print the findings as JSON, with --try also what was tried"
    )
    tries = "train each proposal, at most a minute a run, and say which helps; the runs lie in RUN/tried"
    parser.add_argument("--try", dest="tries", action="store_true", help=tries)
    parser.add_argument("--seeds", metavar="N", type=count, help=f"seeds of each with --try ({SEEDS})")


def main(arguments: argparse.Namespace) -> int:
    """Prints every finding; the exit status is 1 if something that was tried failed.

    Raises:
        UserError: the folder is not a run folder, or its run has not ended; there is nothing to try.
    """
    if arguments.seeds is not None and not arguments.tries:
        raise WrongArguments("--seeds requires --try.")
    run = RunDir.named(arguments.run)
    config = run.read_config()
    result = run.read_result()
    if result is None:
        raise UserError(f"{run.path} has not ended: there is nothing to examine yet. {how_to_resume(run)}")

    from litmus import console

    with console.log_to(None):
        return _examine(run, config, result, arguments)


def _examine(run: RunDir, config: Section, result: Section, arguments: argparse.Namespace) -> int:
    from litmus import console
    from litmus.run import diagnosis

    try:
        found = diagnosis.findings(run, config, result)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:  # somebody else's may hold anything
        raise UserError(f"{run.path} cannot be examined: its files are damaged ({first_line(error)}).") from None
    if arguments.json:
        missing = diagnosis.unexamined(run, result) if result.get("epochs") else diagnosis.NO_EPOCH
        answer: Section = {"findings": [each.to_plain() for each in found], "not_examined": missing}
        status = _try(run, config, found, arguments, answer) if arguments.tries else 0
        console.json_line(answer)
        return status
    diagnosis.show(found, run, result, len(found))
    return _try(run, config, found, arguments, {}) if arguments.tries else 0


def _try(
    run: RunDir, config: Section, found: "Sequence[Finding]", arguments: argparse.Namespace, answer: Section
) -> int:
    """Trains the proposals, and shows what came of them, or adds it to an answer in JSON; gives the exit status."""
    from litmus import console
    from litmus.cli import _remedies
    from litmus.doctor.diagnose import rules
    from litmus.record.command import words_of

    answer["tried"] = None
    with_key = [each for each in found if each.overrides and rules()[each.name].is_tried]
    proposals = list(dict.fromkeys(str(each.overrides) for each in with_key))
    if not proposals:
        if not arguments.json:
            console.say("There is nothing to try: no finding comes with a key that could raise the metrics.")
        return 0
    words, seeds = words_of(run), arguments.seeds or SEEDS
    if words is None:
        raise UserError(f"{run.path} cannot be trained again: it was changed while it trained, or is not litmus' own.")
    epochs = _remedies.epochs_to_try(config, run.read_result() or {})
    tried = _remedies.train(run, words, proposals, seeds, epochs, arguments.json)
    failures = [each for each in tried if each.failure is not None]
    for each in failures:
        console.error(f"{each.name}: {each.failure}")
    judged_by = next((own for each in with_key if (own := rules()[each.name].judged_by) is not None), None)
    metric, mode, rows = _remedies.compared(tried, str(config["task"]["_target_"]), judged_by)
    if arguments.json:
        settings = [_remedies.plain(row) for row in rows]
        answer["tried"] = {"metric": metric, "direction": mode, "seeds": seeds, "settings": settings}
    else:
        title = f"means over {console.counted(seeds, 'seed')}; the gain with its 95 % confidence interval"
        columns = ("tried", f"mean {metric}", "mean gain", "verdict")
        console.table(columns, [_remedies.cells(row, seeds) for row in rows], title=title)
    return EXIT_STATUS["failed"] if failures else 0
