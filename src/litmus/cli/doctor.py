"""Says what is wrong with a run, why it matters, and what to try."""

import argparse

from litmus.errors import UserError
from litmus.record.folder import RunDir


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("run", metavar="RUN", help="a run folder, such as outputs/latest")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON, and nothing else")


def main(arguments: argparse.Namespace) -> int:
    """Prints every finding.

    Raises:
        UserError: the folder is not a run folder, or the run has not trained an epoch.
    """
    run = RunDir(arguments.run)
    config = run.read_config()
    result = run.read_result()
    if result is None or not run.whole_metrics():
        raise UserError(f"{run.path} has no finished epoch yet: there is nothing to examine.")

    from litmus import console
    from litmus.run import diagnosis, summary

    found = diagnosis.findings(run, config, result)
    if arguments.json:
        console.json_line({"findings": diagnosis.to_plain(found)})
        return 0
    summary.findings(found, run, len(found))
    return 0
