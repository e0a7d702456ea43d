"""Says why a network answers as it does: the pixels, words, columns or steps that speak for its answer."""

import argparse
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from litmus.cli._files import open_stream
from litmus.cli._loading import loading
from litmus.cli._options import count
from litmus.config.fit import kinds_of_data
from litmus.config.samples import MOST_SAMPLES
from litmus.config.types import Section
from litmus.config.validate import mistakes
from litmus.errors import UserError, WrongArguments
from litmus.fetch import local
from litmus.inference.inputs import check_words, image_files, read_texts, table_among
from litmus.record.folder import RunDir
from litmus.spec import Columns, Images, Input, Series, Tokens

if TYPE_CHECKING:
    from litmus.config.explanation import Explanation, Importances

EXPLAINED = "explained"  # the folder of pictures, in a run folder
MOST_PARTS = 20  # of an explanation that are printed


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("run", metavar="RUN", help="a run folder, such as outputs/latest")
    what = "images, texts, or a table or series; none explains some test samples of the run, and adds them to its page"
    parser.add_argument("words", metavar="INPUT", nargs="*", help=what)
    name = "the class, label, value or step to explain (the likeliest; the first value or step)"
    parser.add_argument("--target", metavar="NAME", help=name)
    parser.add_argument("--row", type=count, metavar="N", help="a table: the row to explain, counted from 1 (1)")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line, and nothing else")
    parser.add_argument("--out", metavar="FOLDER", help="where pictures and explained.html go (RUN/explained)")


def main(arguments: argparse.Namespace) -> int:
    """Prints what each part of the inputs adds to the answer, and writes pictures of it.

    Raises:
        UserError: Captum, the run or an input is missing, or the network takes something else.
    """
    run = RunDir.named(arguments.run)
    config = run.read_config()
    if importlib.util.find_spec("captum") is None:
        raise UserError("litmus explain requires the package captum: pip install 'litmus[explain]'.")
    if wrong := mistakes(config):
        raise UserError("\n".join(wrong))
    kinds = kinds_of_data(config["data"]["_target_"]).inputs
    takes = kinds[0] if len(kinds) == 1 else None
    words = list(arguments.words)
    for option, value in (("--target", arguments.target), ("--row", arguments.row), ("--out", arguments.out)):
        if value is not None and not words:
            raise WrongArguments(f"{option} needs an INPUT: without one, litmus explain chooses test samples itself.")
    table = _check(takes, words, arguments)
    run.check_best()

    from litmus import console

    with console.log_to(None):
        if not words:
            return _own(run, config, arguments.json)
        with loading(run, config, arguments.json):
            from litmus.report import explained

            found = list(_explained(run, config, takes, words, table, arguments))
        if arguments.json:
            for each in found:
                console.json_line(each.to_plain())
        folder = Path(arguments.out) if arguments.out else run.path / EXPLAINED
        page = explained.write(folder, f"Why {run.path.name} says so", found)
        if not arguments.json:
            for each in found:
                _show(each)
            console.say_labeled("page", str(page), style="bold")
    return 0


def _check(takes: type[Input] | None, words: Sequence[str], arguments: argparse.Namespace) -> Path | None:
    """Refuses words that the network does not take, before torch is imported; gives the table among them."""
    if arguments.row is not None and takes not in (Columns, None):
        raise WrongArguments("--row supports only tables.")
    table = table_among(words, None) if takes in (Columns, None) else None
    if words and table is None and takes is not Series:
        check_words(takes, words)
    if takes is Series and len(words) > 1:
        raise WrongArguments("This run forecasts a series: name one file that it should continue, or none.")
    if takes is Series and words and local.kind_of(local.expand(words[0])) == "missing":
        raise UserError(f"There is no file {words[0]}. This run takes a table of a series.")
    if arguments.row is not None and table is None:
        raise WrongArguments("--row supports only tables.")
    return table


def _explained(
    run: RunDir,
    config: Section,
    takes: type[Input] | None,
    words: Sequence[str],
    table: Path | None,
    arguments: argparse.Namespace,
) -> "Iterator[Explanation]":
    """An explanation for each input."""
    from litmus.inference.load import load_run

    target = arguments.target
    if takes is Series:
        from litmus.inference.explain.series import WindowExplainer
        from litmus.inference.forecast import load_forecaster

        forecaster = load_forecaster(run)
        of_windows = WindowExplainer(forecaster.net)
        for name, window in forecaster.windows(local.expand(words[0])):
            yield of_windows.explain(window, name, target)
        return
    net = load_run(run)
    if table is not None and isinstance(net.spec.input, Columns):
        yield _row(run, config, table, arguments)
    elif isinstance(net.spec.input, Images):
        from litmus.inference.explain.images import ImageExplainer

        of_images = ImageExplainer(net)
        for path in dict.fromkeys(path for word in words for path in image_files(word)):
            yield from of_images.explain(path, path.name, target)
    elif isinstance(net.spec.input, Tokens):
        from litmus.inference.explain.texts import TextExplainer

        of_texts = TextExplainer(net)
        for text, _ in read_texts(words, None):
            yield of_texts.explain(text, target)
    else:
        check_words(type(net.spec.input), words)


def _row(run: RunDir, config: Section, table: Path, arguments: argparse.Namespace) -> "Explanation":
    """The explanation of one row of a table, beside other rows of the run's own."""
    from litmus.data.columns.encode import check_columns
    from litmus.inference.explain import own
    from litmus.inference.explain.columns import ColumnExplainer
    from litmus.run.samples import test_samples

    samples = test_samples(run, config, MOST_SAMPLES)
    assert isinstance(samples.net.spec.input, Columns)
    explainer = ColumnExplainer(samples.net, own.background(samples))
    stream = open_stream(table, config["data"], explainer.names, None)
    row = (arguments.row or 1) - 1
    before = 0
    check_columns(stream.columns, samples.net.spec.input, str(table))
    for frame, _ in stream.chunks:
        if row < before + frame.height:
            return explainer.explain(frame, row - before, arguments.target, stream.decimal_comma)
        before += frame.height
    raise UserError(f"--row {row + 1}: {table} has {before:,} rows.")


def _own(run: RunDir, config: Section, as_json: bool) -> int:
    """Explains some test samples of a run, keeps that in its folder, and makes its page again."""
    from litmus import console

    with loading(run, config, as_json):
        from litmus.config.explanation import Explanations
        from litmus.inference.explain import own
        from litmus.record import explanations
        from litmus.run.report import report
        from litmus.run.samples import test_samples

    samples = test_samples(run, config, MOST_SAMPLES)
    found = Explanations(own.explained(samples), own.importances(samples))
    explanations.write(run.path, found)
    page = report(run, config)
    if as_json:
        for each in found.samples:
            console.json_line(each.to_plain())
        return 0
    for each in found.samples:
        _show(each)
    if found.importances is not None:
        _show_importances(found.importances)
    console.say_labeled("page", f"{page}#explanations", style="bold")
    return 0


def _show(found: "Explanation") -> None:
    """Prints the answer, what it adds up to, and the parts that count most."""
    from litmus import console

    truth = f", but it is {found.truth}" if found.truth not in ("", found.answer) else ""
    if found.kind == "text":
        most = max((abs(part.value or 0.0) for part in found.parts), default=0.0) or 1.0
        console.say(f"{found.answer}{truth}")
        console.say_colored([(part.name, (part.value or 0.0) / most) for part in found.parts])
    else:
        console.say(f"{found.name}: {found.answer}{truth}", wrap=True)
    console.say(found.said, wrap=True)
    parts = [part for part in found.parts if part.value is not None]
    parts.sort(key=lambda part: -abs(part.value or 0.0))
    rows = [(part.name, part.shown, f"{part.value:+.4g}") for part in parts[:MOST_PARTS]]
    if rows:
        console.table(("part", "value", "adds"), rows, title=f"by {found.method}")
    if len(parts) > MOST_PARTS:
        console.say(f"... and {len(parts) - MOST_PARTS:,} more parts")
    for note in found.notes:
        console.say(f"note: {note}", wrap=True)


def _show_importances(found: "Importances") -> None:
    from litmus import console

    rows = [(own.name, f"{own.mean:+.4g}", f"{own.deviation:.2g}") for own in found.columns[:MOST_PARTS]]
    title = f"how much {found.metric} ({found.value:.4g}) gets worse when a column is shuffled"
    console.table(("column", "worse by", "deviation"), rows, title=title)
