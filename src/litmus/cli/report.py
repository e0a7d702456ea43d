"""Makes the page of a finished run, report.html in its folder: what it confuses, its worst mistakes, its curves."""

import argparse
import webbrowser

from litmus.cli._loading import loading
from litmus.errors import UserError
from litmus.record.command import how_to_resume
from litmus.record.folder import RunDir


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("run", metavar="RUN", help="a run folder, such as outputs/latest, or a job's of a sweep")
    parser.add_argument("--open", action="store_true", help="show it in the browser")


def main(arguments: argparse.Namespace) -> int:
    """Writes the page and its pictures, and says where they are.

    Raises:
        UserError: the folder is not a run folder, the run has not ended, or no browser can be started.
    """
    run = RunDir.named(arguments.run)
    config = run.read_config()
    if run.read_result() is None:
        raise UserError(
            f"{run.path} has no result.json: the run has not ended. It gets its page when it does. {how_to_resume(run)}"
        )

    from litmus import console

    with console.log_to(None):
        with loading(run, config, as_json=False):
            from litmus.run.report import report
        page = report(run, config)
    console.say_labeled("page", str(page), style="bold")
    if arguments.open and not webbrowser.open(page.resolve().as_uri()):
        raise UserError(f"No browser can be started here. Open {page.resolve()} in one.")
    return 0
