"""Ranks the runs of sweeps, with confidence intervals over seeds, and says which settings do not differ."""

import argparse
import logging
from pathlib import Path

from litmus.errors import UserError

log = logging.getLogger(__name__)

OUT = "compare"  # in the folder that is compared, or in outputs
NOTHING = 1  # exit status: no run has finished
FORMATS = ("markdown", "csv", "latex", "json")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("folders", metavar="FOLDER", nargs="+", help="a sweep, a run, or a folder that contains some")
    parser.add_argument("--metric", help="rank by this metric instead of the monitored one, such as val/f1")
    parser.add_argument("--against", metavar="SETTING", help="compare with this setting: 'optimizer.lr=0.01 dropout=0'")
    parser.add_argument(
        "--top", metavar="N", type=int, help="list only the best N settings; all of them are compared and drawn"
    )
    parser.add_argument("--out", metavar="FOLDER", help="where to write (FOLDER/compare; for several, outputs/compare)")
    parser.add_argument("--format", choices=FORMATS, help="print the ranking in this format, and nothing else")
    parser.add_argument("--no-figures", action="store_true", help="write only the ranking, which is faster")


def main(arguments: argparse.Namespace) -> int:
    """Prints the ranking, and writes it with figures, curves and a report; the exit status is 1 if no run has finished.

    Raises:
        UserError: a folder is missing or contains no runs, the metric is unknown or of the test split, no setting is
            that of `--against`, or `--top` is below 1.
    """
    if arguments.top is not None and arguments.top < 1:
        raise UserError(f"--top={arguments.top} is not allowed. It is a whole number, at least 1.")
    folders = [Path(folder) for folder in arguments.folders]
    out = Path(arguments.out) if arguments.out else (folders[0] if len(folders) == 1 else Path("outputs")) / OUT

    from litmus import console
    from litmus.compare.comparison import compare
    from litmus.compare.report import output

    with console.log_to(None):
        comparison = compare(folders, arguments.metric, arguments.top, arguments.against)
        for sentence in comparison.damaged:
            log.warning(sentence)
        texts = output.texts(comparison)
        if arguments.format:
            print(texts[arguments.format], end="")
        else:
            output.show(comparison)
        where = output.write(out, texts, None if arguments.no_figures else comparison)
        if not arguments.format:
            for line in where:
                console.say(line)
    return 0 if any(ranking.rows for ranking in comparison.rankings) else NOTHING
