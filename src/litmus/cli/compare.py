"""Ranks the runs of sweeps, with confidence intervals over seeds, and says which settings do not differ."""

import argparse
import logging
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from litmus.cli._options import count, one_of
from litmus.errors import EXIT_STATUS, UserError, WrongArguments
from litmus.fetch import local

if TYPE_CHECKING:
    from litmus.compare.ranking import Ranking

log = logging.getLogger(__name__)

OUT = "compare"  # in the folder that is compared, or in outputs
NOTHING = 1  # exit status: no run has finished
FORMATS = ("markdown", "csv", "latex", "json")
SUFFIXES = {"md": "markdown", "tex": "latex"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("folders", metavar="FOLDER", nargs="+", help="a sweep, a run, or a folder that contains some")
    parser.add_argument("--metric", help="rank by this metric instead of the monitored one, such as val/f1")
    setting = "compare with this setting: 'optimizer.lr=0.01 dropout=0'"
    parser.add_argument("--against", metavar="SETTING", action="append", help=setting)
    parser.add_argument(
        "--confirm",
        metavar="N",
        type=count,
        help="first run the best, and what cannot be told from it, on N fresh seeds: what was chosen flatters itself",
    )
    parser.add_argument(
        "--top", metavar="N", type=count, help="list only the best N settings; all of them are compared and drawn"
    )
    parser.add_argument("--out", metavar="FOLDER", help="where to write (FOLDER/compare; for several, outputs/compare)")
    formats = f"print the ranking in this format, and nothing else: {', '.join(FORMATS)}"
    parser.add_argument("--format", type=one_of(FORMATS, SUFFIXES), metavar="FORMAT", help=formats)
    parser.add_argument("--no-figures", action="store_true", help="write only the ranking, which is faster")


def main(arguments: argparse.Namespace) -> int:
    """Prints the ranking, and writes it with figures, curves and a report; the exit status is 1 if no run has finished.

    Raises:
        UserError: a folder is missing or contains no runs, the metric is unknown or of the test split, no setting is
            that of `--against`, or there is nowhere to confirm.
    """
    if arguments.confirm and arguments.against:
        raise WrongArguments("--confirm runs the best again, which --against does not look for: leave one of them out.")
    if len(arguments.against or ()) > 1:
        raise WrongArguments(
            "--against names one setting. Put its keys into one: --against 'optimizer.lr=0.01 dropout=0'."
        )
    against = arguments.against[0] if arguments.against else None
    folders = [local.without_links(local.expand(folder)) for folder in arguments.folders]
    out = Path(arguments.out) if arguments.out else (folders[0] if len(folders) == 1 else Path("outputs")) / OUT

    from litmus import console
    from litmus.compare.comparison import compare
    from litmus.compare.report import output

    with console.log_to(None):
        comparison = compare(folders, arguments.metric, arguments.top, against)
        if arguments.confirm:
            _confirm(comparison.rankings, folders, arguments.confirm, is_quiet=arguments.format is not None)
            comparison = compare(folders, arguments.metric, arguments.top, against)
        for sentence in comparison.damaged:
            log.warning(sentence)
        texts = output.texts(comparison)
        if arguments.format:
            print(texts[arguments.format], end="")
        else:
            output.show(comparison)
        where = output.write(out, texts, None if arguments.no_figures or arguments.format else comparison)
        if not arguments.format:
            for line in where:
                console.say(line)
    return 0 if any(ranking.rows for ranking in comparison.rankings) else NOTHING


def _confirm(rankings: "Sequence[Ranking]", folders: Sequence[Path], number: int, is_quiet: bool) -> None:
    """Runs the best of each ranking, and what cannot be told from it, on fresh seeds; runs that ended are kept.

    Args:
        rankings: before.
        folders: that are compared.
        number: of seeds.
        is_quiet: whether standard output is for the ranking alone.

    Raises:
        UserError: every folder is a run's, and has no place for others.
        KeyboardInterrupt: it was interrupted.
    """
    from litmus import console
    from litmus.compare import again

    if all(again.is_run(folder) for folder in folders):
        raise UserError("--confirm writes its runs into a folder that is compared, and each of these is a run itself.")
    for ranking in rankings:
        seeds = again.fresh_seeds(ranking, number) if ranking.rows else []
        for row in ranking.best_set():
            label = f"{ranking.title}: #{row.rank}, {ranking.label(row)}"
            left = sorted(set(seeds) - {run.seed for run in row.fresh})
            if not left:
                continue
            words = again.overrides_for(row, left, folders, again.FRESH)
            if words is None:
                log.warning("%s, cannot be run again: it was changed while it trained, or is not litmus' own.", label)
                continue
            if not is_quiet:
                console.say(f"{label}, on fresh seeds ({len(left)})", wrap=True)
            command = [sys.executable, "-P", "-m", "litmus", "train", "-m", *words]
            if _status_of(command, sys.stderr.fileno() if is_quiet else None) == EXIT_STATUS["interrupted"]:
                raise KeyboardInterrupt


def _status_of(command: Sequence[str], stdout: int | None) -> int:
    """Runs a command to its end: Ctrl-C reaches it, too, and it keeps its runs before it ends."""
    with subprocess.Popen(command, stdout=stdout) as process:
        while True:
            with suppress(KeyboardInterrupt):
                return process.wait()
