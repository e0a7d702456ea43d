"""Where a comparison is shown and written: the console, and the files of its folder."""

import contextlib
import importlib.util
import logging
from collections.abc import Mapping
from pathlib import Path

from litmus import console
from litmus.compare import costs
from litmus.compare.comparison import Comparison
from litmus.compare.report import tables
from litmus.compare.report.formats import FORMATS, format_rankings
from litmus.compare.search.found import searched_keys
from litmus.compare.settings import duration
from litmus.errors import UserError
from litmus.record.files import replacing

log = logging.getLogger(__name__)

WRITTEN = ".written"  # lists the written files, so that the next comparison can remove those that are out of date
MOST_SHOWN = 30  # rows on the console, without --top
FIGURE_PACKAGES = ("matplotlib",)  # the extra `compare`: figures and the report need it
NOTHING = "No run has finished yet: there is nothing to rank."


def texts(comparison: Comparison) -> dict[str, str]:
    """The rankings in each of the formats, by its name."""
    notes = [*comparison.damaged, *comparison.notes, *(more.note for more in comparison.more)]
    commands = [command for more in comparison.more for command in more.commands]
    shown = [ranking.top(comparison.top) for ranking in comparison.rankings]
    return {name: format_rankings(name, shown, notes, commands, comparison.seconds) for name in FORMATS}


def show(comparison: Comparison) -> None:
    """Prints the rankings, at most MOST_SHOWN rows of each unless `--top` says how many, and the notes on them."""
    for ranking in comparison.rankings:
        if ranking.rows:
            tables.show(ranking.top(comparison.top or MOST_SHOWN))
    for note in comparison.notes:
        console.say(note, style="yellow", wrap=True)
    for more in comparison.more:
        console.say(more.note, style="yellow", wrap=True)
        for command in more.commands:
            console.say(f"  {command}")
    if not any(ranking.rows for ranking in comparison.rankings):
        console.say(NOTHING, wrap=True)
    total = duration(comparison.seconds["total"])
    console.say(f"{costs.status_counts(comparison.runs)}; {total} in total", wrap=True)


def write(out: Path, texts: Mapping[str, str], figures_of: Comparison | None) -> list[str]:
    """Writes the files; each is replaced in one step, and nothing else in the folder is touched.

    Args:
        out: the folder.
        texts: the rankings by format.
        figures_of: the comparison to draw and report; None to write the rankings only.

    Returns:
        Lines that say where the files are.

    Raises:
        UserError: the folder cannot be written.
    """
    files = {f"ranking.{FORMATS[name]}": text.encode("utf-8", "replace") for name, text in texts.items()}
    if figures_of is not None:
        files |= _drawings(figures_of, out)
    try:
        for name, content in files.items():
            with replacing(out / name) as temporary:
                temporary.write_bytes(content)
        if figures_of is not None:
            _tidy(out, set(files))
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error}. Choose another folder with --out.") from None
    endings = ", ".join(f".{ending}" for ending in FORMATS.values())
    tensorboard = f"tensorboard --load_fast=false --logdir {out / 'tensorboard'}"
    lines = {"ranking": f"rankings     {out / 'ranking'}{endings}", "report": f"report       {out / 'report.html'}"}
    lines |= {"figures": f"figures      {out / 'figures'}", "tensorboard": f"mean curves  {tensorboard}"}
    written = {name.partition("/")[0].partition(".")[0] for name in files}
    return [line for name, line in lines.items() if name in written]


def _drawings(comparison: Comparison, out: Path) -> dict[str, bytes]:
    """TensorBoard runs, figures and the report: the files' contents by their paths."""
    from litmus.compare import curves  # imports TensorBoard's formats: not needed for --no-figures

    files = curves.tensorboard_files(comparison.rankings)
    if missing := [name for name in FIGURE_PACKAGES if importlib.util.find_spec(name) is None]:
        log.warning("Figures and the report need %s: pip install 'litmus[compare]'.", " and ".join(missing))
        return files
    from litmus.compare.report import critical, figures, page
    from litmus.compare.search.figures import draw_search

    multi_label = len(comparison.rankings) > 1
    drawn = []
    for ranking in comparison.rankings:
        prefix = f"{curves.file_name(f'{ranking.data}-{ranking.metric}')}-" if multi_label else ""
        folders = {run.folder for row in ranking.rows for run in row.runs}
        drawn.append(figures.draw_ranking(ranking, prefix, searched_keys(comparison.searches, folders)))
    several = len(comparison.searches) > 1
    of_searches = [
        draw_search(found.search, f"{curves.file_name(f'search{i}-{found.folder.name}')}-" if several else "")
        for i, found in enumerate(comparison.searches, start=1)
    ]
    across = [critical.critical_difference(comparison.over)] if comparison.over else []
    for figure in (figure for each in [*of_searches, *drawn, across] for figure in each):
        files[f"figures/{figure.name}.svg"] = figure.svg.encode("utf-8", "replace")
        files[f"figures/{figure.name}.png"] = figure.png
        files[f"figures/{figure.name}.pdf"] = figure.pdf
    return files | {"report.html": page.page(comparison, of_searches, drawn, across, out).encode("utf-8", "replace")}


def _tidy(out: Path, files: set[str]) -> None:
    """Removes the files of an earlier comparison that this one has not written, such as those of a removed setting."""
    written = out / WRITTEN
    before = written.read_text(encoding="utf-8").splitlines() if written.is_file() else []
    for name in set(before) - files:
        path = out / name
        if ".." in path.parts or Path(name).is_absolute():
            continue  # outside the folder: not written by litmus
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.parent.rmdir()  # if it is empty now
    with replacing(written) as temporary:
        temporary.write_text("".join(f"{name}\n" for name in sorted(files)), encoding="utf-8")
