"""Predicts texts, images or the rows of a table: class, labels, values or boxes; forecasts a series."""

import argparse
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

from litmus.cli import _forecast
from litmus.cli._files import check_answers, choose_column, open_stream, parquet_answers, predict_file
from litmus.cli._loading import loading, say_device
from litmus.cli._options import count, level, score
from litmus.config.fit import architectures, kinds_of_data
from litmus.config.types import Section
from litmus.config.validate import did_you_mean
from litmus.errors import UserError, WrongArguments
from litmus.inference.device import DEVICES, check_device, find_device, on_device
from litmus.inference.inputs import Text, check_words, chunks, image_files, read_texts, table_among
from litmus.inference.prediction import TOPK
from litmus.record.folder import RunDir
from litmus.record.metrics import MIN_SCORE, min_score_of
from litmus.spec import Columns, Images, Input, Series, Tokens

if TYPE_CHECKING:
    from litmus.config.protocols import Net
    from litmus.inference.draw import Drawings
    from litmus.inference.images import ImagePredictor
    from litmus.inference.pipeline import PipelinePredictor
    from litmus.inference.predict import Predictor
    from litmus.inference.prediction import ImagePrediction, TextPrediction
    from litmus.inference.texts import TextPredictor

PREDICTIONS = "predictions"  # the folder of drawn images, in a run folder
# Where a network takes one column of a table: what is in it, and the key of a dataset that names it.
ONE_COLUMN: dict[type[Input] | None, tuple[str, str]] = {
    Tokens: ("texts", "text"),
    Images: ("images' paths", "image"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("run", metavar="RUN", nargs="?", help="a run folder, such as outputs/latest")
    what = (
        "texts, or - for lines of standard input; or images: files, folders, patterns such as 'photos/*.jpg'; or a "
        "table: a CSV, TSV, JSON, Parquet or Excel file"
    )
    parser.add_argument("words", metavar="WHAT", nargs="*", help=what)
    parser.add_argument("--file", metavar="FILE", help="a file with a text on each line; - is standard input")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line, and nothing else")
    sizes = "texts (64), images (16) or rows (4096) at a time"
    parser.add_argument("--batch-size", type=count, metavar="N", help=sizes)
    best = f"show the K best classes ({TOPK}; of a table's rows, the best)"
    where = "where the network computes: auto takes a GPU if there is one (auto)"
    parser.add_argument("--device", choices=DEVICES, default="auto", help=where)
    parser.add_argument("--topk", type=count, metavar="K", help=best)
    lowest = f"boxes: the lowest score to show (the one that the run chose on its validation split; else {MIN_SCORE})"
    parser.add_argument("--min-score", type=score, metavar="S", help=lowest)
    out = "a table: the file for its rows with their answers, such as answers.csv; boxes: the folder for drawn images"
    also = "series: the CSV for a forecast, with a PNG beside it"
    parser.add_argument("--out", metavar="PATH", help=f"{out} (RUN/predictions); {also}")
    whole = "a table: write the answers as Parquet, into --out or else NAME-answers.parquet"
    parser.add_argument("--parquet", action="store_const", const=True, help=whole)
    column = "a table: the column of the texts, or of the images' paths, which are relative to the table's folder"
    parser.add_argument("--column", metavar="NAME", help=f"{column} (that of the run's own table)")
    codec = "a table, a series: its encoding, such as cp1252 (UTF-8; of a file that is not, that of the run's own)"
    parser.add_argument("--encoding", metavar="NAME", help=codec)
    steps = "series: how many steps to forecast (data.horizon); those beyond the horizon follow from forecasts"
    parser.add_argument("--steps", type=count, metavar="N", help=steps)
    parser.add_argument("--level", type=level, metavar="P", help="series: the level of the intervals (0.9)")
    saved = "images: write what the network sees of each, a PNG, into that folder"
    parser.add_argument("--show", metavar="FOLDER", help=saved)
    parser.add_argument("--model", metavar="NAME", help="a pretrained model instead of a run: resnet50, yolo11n, ...")
    parser.add_argument("--pipeline", metavar="TASK", help="a pipeline of transformers instead of a run")
    parser.add_argument("--weights", metavar="NAME", help="the pipeline's model: a name on the hub, or a folder")


def main(arguments: argparse.Namespace) -> int:
    """Prints a prediction for each text, image or row; gives 1 if an image cannot be read, or nothing has one.

    Raises:
        UserError: the run or the texts, images and table are missing, or the network takes none of them.
    """
    _check_options(arguments)
    check_device(arguments.device)
    words = list(arguments.words)
    run: RunDir | None = None
    config: Section = {}
    if arguments.pipeline or arguments.model:  # there is no run: the first word is an input, too
        words = words if arguments.run is None else [arguments.run, *words]
    elif arguments.run is None:
        raise WrongArguments("Name a run folder, such as outputs/latest, followed by texts, images or a table.")
    else:
        run = RunDir.named(arguments.run)
        config = run.read_config()
        if kinds_of_data(config["data"]["_target_"]).inputs == (Series,):
            _check_forecast(arguments)
            return _forecast.main(run, words, arguments)
    if not words and arguments.file is None:
        for option in ("steps", "level"):
            if getattr(arguments, option) is not None:
                raise UserError(f"--{option} supports only networks that forecast a series.")
        raise WrongArguments("Nothing to predict. Give texts, images or a table, --file FILE, or - for standard input.")
    takes = _takes(config, arguments)
    table = table_among(words, arguments.file)
    if table is not None and arguments.parquet:
        arguments.out = parquet_answers(arguments.out, table)
    if table is None:
        check_words(takes, words)
    elif arguments.out and arguments.json:
        raise WrongArguments("--json prints the answers, --out writes them. Use one of them.")
    elif arguments.out:
        check_answers(arguments.out, table)
    if run is not None:
        run.check_best()
    if table:
        return _predict_table(run, table, takes, config, arguments)
    texts = _check_not_empty(read_texts(words, arguments.file), arguments.file)

    from litmus import console

    with console.log_to(None):
        predictor = _load(run, arguments, config)
        batch_size = arguments.batch_size or predictor.batch_size
        _check_effect(predictor, False, arguments)
        if predictor.input_kind is Images:
            return _predict_images(run, cast("ImagePredictor", predictor), words, batch_size, arguments)
        if predictor.input_kind is Columns:
            check_words(Columns, words)
        from litmus.inference.texts import EMPTY

        of_texts = cast("TextPredictor | PipelinePredictor", predictor)
        answered = False
        topk = arguments.topk or TOPK
        for chunk in chunks(texts):
            predictions = of_texts.predict([text for text, _ in chunk], batch_size, topk)
            answered |= any(prediction.get("note") != EMPTY for prediction in predictions)
            _print_texts(predictions, [note for _, note in chunk], predictor.names, arguments.json)
        return 0 if answered else 1


def _takes(config: Section, arguments: argparse.Namespace) -> type[Input] | None:
    """The kind of input that the network takes; None where the configuration does not say."""
    if arguments.pipeline:
        return Tokens
    if arguments.model:
        return Images
    kinds = kinds_of_data(config["data"]["_target_"]).inputs
    return kinds[0] if len(kinds) == 1 else None


def _predict_table(
    run: RunDir | None, path: Path, takes: type[Input] | None, config: Section, arguments: argparse.Namespace
) -> int:
    """Predicts for the rows of a table; gives the exit status."""
    column, settings = None, config.get("data", {})
    if takes in ONE_COLUMN:  # it is not missing for want of a network
        noun, key = ONE_COLUMN[takes]
        own = settings.get(key)
        stream = open_stream(
            path, settings, [name for name in (arguments.column or own,) if name is not None], arguments.encoding
        )
        column = choose_column(stream, path, arguments.column, own, noun)

    from litmus import console

    with console.log_to(None):
        predictor = _load(run, arguments, config)

        from litmus.inference.columns import ColumnPredictor
        from litmus.inference.images import ImagePredictor
        from litmus.inference.tables import TablePredictor

        _check_effect(predictor, True, arguments)
        if isinstance(predictor, ColumnPredictor):
            stream = open_stream(path, settings, predictor.column_names, arguments.encoding)
        tables = TablePredictor(
            predictor,
            path,
            stream,
            column=column,
            batch_size=arguments.batch_size or predictor.batch_size,
            topk=arguments.topk or (TOPK if arguments.json else 1),
            min_score=_min_score(predictor.net, arguments)[0] if isinstance(predictor, ImagePredictor) else MIN_SCORE,
        )
        return predict_file(tables, path, stream, arguments)


def _check_forecast(arguments: argparse.Namespace) -> None:
    """Refuses options that would change nothing of a forecast."""
    for option in ("file", "batch_size", "topk", "min_score", "show", "parquet", "column", "weights"):
        if getattr(arguments, option) is not None:
            raise UserError(f"--{option.replace('_', '-')} has no effect on forecasts: this run is of a series.")


def _check_options(arguments: argparse.Namespace) -> None:
    if arguments.weights and not arguments.pipeline:
        raise WrongArguments("--weights requires --pipeline; a run has its own weights.")
    if arguments.pipeline and arguments.model:
        raise WrongArguments("--pipeline and --model exclude each other. Use one of them.")
    if arguments.model and arguments.model not in (known := architectures()):
        hint = did_you_mean(arguments.model, list(known))
        raise WrongArguments(
            f"There is no pretrained model {arguments.model}.{hint} Choose one of: {', '.join(known)}."
        )


def _check_not_empty(texts: Iterator[Text], file: str | None) -> Iterator[Text]:
    """The same texts; an empty file is reported before torch is imported."""
    if file is None:
        return texts
    first = next(texts, None)
    if first is None:
        raise UserError(f"Nothing to predict: {file} is empty.")
    return chain([first], texts)


def _load(run: RunDir | None, arguments: argparse.Namespace, config: Section) -> "Predictor":
    with loading(run, config, arguments.json):
        from litmus.inference.load import load_pretrained, load_run
        from litmus.inference.pipeline import PipelinePredictor
        from litmus.inference.predict import predictor

        device = find_device(arguments.device)
        say_device(device, arguments.json)
        if arguments.pipeline:
            return PipelinePredictor(arguments.pipeline, arguments.weights, device)
        net = load_pretrained(arguments.model) if run is None else load_run(run)
        return predictor(on_device(net, device))


def _check_effect(predictor: "Predictor", table: bool, arguments: argparse.Namespace) -> None:
    """Refuses options that would change nothing."""
    takes_images, boxes = predictor.input_kind is Images, predictor.key == "boxes"
    takes_columns = predictor.input_kind is Columns
    classifies = predictor.key in ("probabilities", "scores")
    for option, value, has_effect, networks in (
        ("--min-score", arguments.min_score, boxes, "networks that predict bounding boxes"),
        ("--out", arguments.out, boxes or table, "tables, and networks that predict bounding boxes"),
        ("--parquet", arguments.parquet, table, "tables"),
        ("--column", arguments.column, table and not takes_columns, "tables of texts or of images' paths"),
        ("--encoding", arguments.encoding, table, "tables and series"),
        ("--show", arguments.show, takes_images and not table, "images that are named one by one"),
        ("--topk", arguments.topk, classifies, "networks that classify"),
        ("--file", arguments.file, not takes_images, "networks that take texts"),
        ("--steps", arguments.steps, False, "networks that forecast a series"),
        ("--level", arguments.level, False, "networks that forecast a series"),
    ):
        if value is not None and not has_effect:
            hint = _table_instead(predictor) if option in ("--out", "--parquet") else ""
            raise UserError(f"{option} supports only {networks}.{hint}")


def _table_instead(predictor: "Predictor") -> str:
    """How the answers get into a file, where texts or images are named one by one; empty for other networks."""
    if predictor.input_kind not in ONE_COLUMN:
        return ""
    noun, _ = ONE_COLUMN[predictor.input_kind]
    return f" Name a table with a column of the {noun}: litmus predict RUN list.csv --column NAME --out answers.csv."


def _print_texts(
    predictions: Sequence["TextPrediction"], notes: Sequence[str | None], names: Sequence[str], as_json: bool
) -> None:
    for prediction, note in zip(predictions, notes, strict=True):
        if both := [said for said in (note, prediction.get("note")) if said]:
            prediction["note"] = "; ".join(both)
    if not as_json:
        from litmus.cli import _tables

        _tables.show_texts(predictions, names)
        return
    from litmus import console

    for prediction in predictions:
        console.json_line(prediction)


def _predict_images(
    run: RunDir | None,
    predictor: "ImagePredictor",
    words: Sequence[str],
    batch_size: int,
    arguments: argparse.Namespace,
) -> int:
    """Prints predictions for images, and writes drawings of bounding boxes; gives the exit status."""
    from litmus import console
    from litmus.cli import _tables
    from litmus.inference.draw import Drawings
    from litmus.inference.save import Inputs

    files = {word: list(image_files(word)) for word in words}
    paths = list(dict.fromkeys(chain.from_iterable(files.values())))
    if not paths:
        raise UserError(f"There are no images in {' '.join(words)}.")
    out = Path(arguments.out or (PREDICTIONS if run is None else run.path / PREDICTIONS))
    drawings = Drawings(out, predictor.net.spec.target.names)
    topk = TOPK if arguments.topk is None else arguments.topk
    min_score, chosen = _min_score(predictor.net, arguments)
    inputs = Inputs(Path(arguments.show)) if arguments.show else None
    predictions: list[ImagePrediction] = []
    for prediction in predictor.predict(paths, batch_size, topk, min_score, inputs):
        if "boxes" in prediction:
            _draw(prediction, drawings)
        if arguments.json:
            console.json_line(prediction)
        predictions.append(prediction)
    if not arguments.json:
        _tables.show_images(predictions)
        if predictor.key == "boxes":
            console.say(f"boxes that score at least {min_score:.3g}{chosen}")
        if drawings.written:
            console.say(f"images with their boxes, and the boxes as JSON: {out}")
        if inputs and inputs.written:
            console.say(f"images as the network saw them: {inputs.folder}")
    errors = [f"{prediction['image']} {prediction['error']}." for prediction in predictions if "error" in prediction]
    errors += [f"{word}: there are no images in it." for word, found in files.items() if not found]
    for error in errors:
        console.error(error)
    return 1 if errors else 0


def _min_score(net: "Net", arguments: argparse.Namespace) -> tuple[float, str]:
    """The lowest score of a box to show, and who chose it."""
    if arguments.min_score is not None:
        return arguments.min_score, ""
    score = min_score_of(net)
    if net.min_score is None:
        chose = ""
    elif score == net.min_score:
        chose = ", which the run chose on its validation split"
    else:
        chose = " (none of its boxes was right on the run's validation split)"
    return score, f"{chose}; --min-score changes it"


def _draw(prediction: "ImagePrediction", drawings: "Drawings") -> None:
    """Writes a drawing, and its path or the reason why there is none into the prediction."""
    try:
        prediction["drawn"] = str(drawings.save(prediction))
    except (OSError, ValueError, MemoryError) as error:
        prediction["error"] = f"cannot be drawn on ({error})"
