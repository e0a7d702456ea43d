"""Where a comparison goes: the console, and the files of its folder."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from litmus import console
from litmus.compare import costs
from litmus.compare.comparison import Comparison
from litmus.compare.report import formats, tables
from litmus.errors import UserError
from litmus.record.folder import replacing

WRITTEN = ".written"  # the files of the last time, so that those that are out of date can be removed
MOST_SHOWN = 30  # rows on the console, unless one asks for a number
NOTHING = "No run has finished yet: there is nothing to rank."


def texts(comparison: Comparison) -> dict[str, str]:
    """The rankings in each of the formats, by its name."""
    notes = [*comparison.damaged, *comparison.notes]
    return {name: formats.written(name, comparison.rankings, notes, comparison.seconds) for name in formats.FORMATS}


def show(comparison: Comparison, top: int | None) -> None:
    """The rankings on the console, then what one should know of them.

    Args:
        comparison: what to show.
        top: how many rows of each ranking; None for as many as a person reads. The files have all.
    """
    for ranking in comparison.rankings:
        if ranking.rows:
            tables.show(ranking.cut(top or MOST_SHOWN))
    for note in comparison.notes:
        console.say(note, style="yellow", wrap=True)
    if not any(ranking.rows for ranking in comparison.rankings):
        console.say(NOTHING, wrap=True)
    in_all = costs.duration(comparison.seconds["total"])
    console.say(f"{costs.counts(comparison.runs)}; {in_all} in all", wrap=True)


def write(out: Path, texts: Mapping[str, str], whole: Comparison | None) -> list[str]:
    """Writes the files; each is replaced in one step, and nothing else in the folder is touched.

    Args:
        out: the folder.
        texts: the rankings by format.
        whole: what to draw and report, or None if the rankings are all.

    Returns:
        Lines that say where things are.

    Raises:
        UserError: the folder cannot be written.
    """
    files = {f"ranking.{formats.FORMATS[name]}": text.encode("utf-8", "replace") for name, text in texts.items()}
    if whole is not None:
        files |= _drawn(whole)
    try:
        for name, content in files.items():
            with replacing(out / name) as temporary:
                temporary.write_bytes(content)
        if whole is not None:
            _tidy(out, set(files))
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error}. Choose another folder with --out.") from None
    endings = ", ".join(f".{ending}" for ending in formats.FORMATS.values())
    tensorboard = f"tensorboard --load_fast=false --logdir {out / 'tensorboard'}"
    lines = {"ranking": f"rankings     {out / 'ranking'}{endings}", "report": f"report       {out / 'report.html'}"}
    lines |= {"figures": f"figures      {out / 'figures'}", "tensorboard": f"mean curves  {tensorboard}"}
    there = {name.partition("/")[0].partition(".")[0] for name in files}
    return [line for name, line in lines.items() if name in there]


def _drawn(comparison: Comparison) -> dict[str, bytes]:
    """Figures, report and TensorBoard runs: the contents by their paths."""
    from litmus.compare import curves  # drawing takes a while to import
    from litmus.compare.report import figures, page  # drawing takes a while to import

    several = len(comparison.rankings) > 1
    prefixes = [
        f"{curves.name_of(f'{ranking.data}-{ranking.metric}')}-" if several else "" for ranking in comparison.rankings
    ]
    drawn = [figures.figures(*each) for each in zip(comparison.rankings, prefixes, strict=True)]
    files = {"report.html": page.page(comparison, drawn).encode("utf-8", "replace")}
    for figure in (figure for each in drawn for figure in each):
        files[f"figures/{figure.name}.svg"] = figure.svg.encode("utf-8", "replace")
        files[f"figures/{figure.name}.png"] = figure.png
    return files | curves.tensorboard(comparison.rankings)


def _tidy(out: Path, files: set[str]) -> None:
    """Removes what the last time wrote and this time did not: a setting or figure that is no more."""
    noted = out / WRITTEN
    before = noted.read_text(encoding="utf-8").splitlines() if noted.is_file() else []
    for name in set(before) - files:
        path = out / name
        if ".." in path.parts or Path(name).is_absolute():
            continue  # not by us
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.parent.rmdir()  # if it is empty now
    with replacing(noted) as temporary:
        temporary.write_text("".join(f"{name}\n" for name in sorted(files)), encoding="utf-8")
