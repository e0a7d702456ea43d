"""Ranks the runs of sweeps, with confidence intervals over seeds, and says which settings do not differ."""

import argparse
import logging
from pathlib import Path

from litmus.cli._options import count

log = logging.getLogger(__name__)

OUT = "compare"  # in the folder that is compared, or in outputs
NOTHING = 1  # exit status: no run has finished
FORMATS = ("markdown", "csv", "latex", "json")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("folders", metavar="FOLDER", nargs="+", help="a sweep, a run, or a folder that contains some")
    parser.add_argument("--metric", help="rank by this metric instead of the monitored one, such as val/f1")
    parser.add_argument("--top", metavar="N", type=count, help="show and write only the best N settings")
    parser.add_argument("--out", metavar="FOLDER", help="where to write (FOLDER/compare; for several, outputs/compare)")
    parser.add_argument("--format", choices=FORMATS, help="print the ranking in this format, and nothing else")
    parser.add_argument("--no-figures", action="store_true", help="write only the ranking, which is faster")


def main(arguments: argparse.Namespace) -> int:
    """Prints the ranking, and writes it with figures, curves and a report; the exit status is 1 if no run has finished.

    Raises:
        UserError: a folder is missing or contains no runs, or the metric is unknown or of the test split.
    """
    folders = [Path(folder) for folder in arguments.folders]
    out = Path(arguments.out) if arguments.out else (folders[0] if len(folders) == 1 else Path("outputs")) / OUT

    from litmus import console
    from litmus.compare.comparison import compare
    from litmus.compare.report import output

    with console.log_to(None):
        comparison = compare(folders, arguments.metric, arguments.top)
        for sentence in comparison.damaged:
            log.warning(sentence)
        texts = output.texts(comparison)
        if arguments.format:
            print(texts[arguments.format], end="")
        else:
            output.show(comparison, arguments.top)
        where = output.write(out, texts, None if arguments.no_figures else comparison)
        if not arguments.format:
            for line in where:
                console.say(line)
    return 0 if any(ranking.rows for ranking in comparison.rankings) else NOTHING
