"""Asks a network: what does it say of these texts, or what does it see in these pictures?"""

import argparse
import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from litmus.errors import UserError
from litmus.inference.inputs import Text, _chunks, _files, _texts
from litmus.record.folder import RunDir, replacing

SHOWN = 60  # letters of a text in the table
PREDICTIONS = "predictions"  # the folder of drawn pictures
TOPK, MIN_SCORE = 5, 0.25


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("run", metavar="RUN", nargs="?", help="a run folder, such as outputs/latest")
    what = "texts, or - for lines of standard input; or pictures: files, folders, patterns such as 'photos/*.jpg'"
    parser.add_argument("words", metavar="WHAT", nargs="*", help=what)
    parser.add_argument("--file", metavar="FILE", help="a file with a text on each line; - is standard input")
    parser.add_argument("--json", action="store_true", help="print an object a line, and nothing else")
    parser.add_argument("--batch-size", type=int, metavar="N", help="texts (64) or pictures (16) at a time")
    parser.add_argument("--topk", type=int, metavar="K", help=f"pictures: show the K likeliest classes ({TOPK})")
    parser.add_argument("--min-score", type=float, metavar="S", help=f"boxes: from which score on ({MIN_SCORE})")
    parser.add_argument("--out", metavar="FOLDER", help="boxes: where drawn pictures go (RUN/predictions)")
    parser.add_argument("--model", metavar="NAME", help="published weights, without a run: resnet50, yolo11n, ...")
    parser.add_argument("--pipeline", metavar="TASK", help="a ready-made pipeline of transformers, without a run")
    parser.add_argument("--weights", metavar="NAME", help="the pipeline's model: a name on the hub, or a folder")


def main(arguments: argparse.Namespace) -> int:
    """Prints an answer for each text or picture; 1 if a picture could not be read.

    Raises:
        UserError: there is nothing to ask, no network to ask, or it reads something else.
    """
    _refuse_early(arguments)
    words = list(arguments.words)
    if arguments.pipeline or arguments.model:  # they need no run: the first word is what to ask about
        words = words if arguments.run is None else [arguments.run, *words]
    elif arguments.run is None:
        raise UserError("Name a run folder, such as outputs/latest, and then texts or pictures.")
    else:
        RunDir(arguments.run).read_config()  # a folder that is none should be said before torch is loaded
    if not words and arguments.file is None:
        raise UserError(
            "There is nothing to ask about: give texts or pictures, or --file FILE, or - for standard input."
        )

    texts = _texts(words, arguments.file)
    if arguments.file is not None:  # an empty file should be said before torch is loaded, too
        first = next(texts, None)
        if first is None:
            raise UserError(f"There is nothing to ask about: {arguments.file} is empty.")
        texts = chain([first], texts)

    from litmus import console
    from litmus.inference import predict
    from litmus.inference.images import ImagePredictor
    from litmus.inference.load import load_pretrained, load_run
    from litmus.inference.pipeline import PipelinePredictor

    with console.log_to(None):
        if arguments.pipeline:
            network: Any = PipelinePredictor(arguments.pipeline, arguments.weights)
        elif arguments.model:
            network = predict.predictor(load_pretrained(arguments.model))
        else:
            network = predict.predictor(load_run(RunDir(arguments.run)))
        batch_size = arguments.batch_size or network.batch_size
        _refuse_what_has_no_effect(network, arguments)
        if isinstance(network, ImagePredictor):
            return _pictures(network, words, batch_size, arguments)
        return _ask_about_texts(network, texts, batch_size, arguments.json)


def _refuse_early(arguments: argparse.Namespace) -> None:
    for name, least in (("batch_size", 1), ("topk", 1)):
        value = getattr(arguments, name)
        if value is not None and value < least:
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{option} {value} is not allowed: it is a whole number, at least {least}.")
    if arguments.min_score is not None and not 0 <= arguments.min_score < 1:
        raise UserError(f"--min-score {arguments.min_score:g} is not allowed: it is a number in [0, 1).")
    if arguments.weights and not arguments.pipeline:
        raise UserError("--weights belongs to --pipeline; a run brings its own.")
    if arguments.pipeline and arguments.model:
        raise UserError("--pipeline and --model are two different networks: ask one.")


def _refuse_what_has_no_effect(network: Any, arguments: argparse.Namespace) -> None:
    from litmus.inference.images import ImagePredictor

    draws = isinstance(network, ImagePredictor) and network.draws
    ranks = isinstance(network, ImagePredictor) and not network.draws
    for name, fits, whose in (
        ("min_score", draws, "networks that draw boxes"),
        ("out", draws, "networks that draw boxes"),
        ("topk", ranks, "networks that name a picture's class"),
    ):
        if getattr(arguments, name) is not None and not fits:
            raise UserError(f"--{name.replace('_', '-')} is for {whose}; this one does not.")


def _pictures(network: Any, words: list[str], batch_size: int, arguments: argparse.Namespace) -> int:
    """Asks about pictures; draws the boxes of a detector."""
    from litmus import console

    if arguments.file is not None:
        raise UserError("--file is for texts; name pictures, folders of them, or patterns.")
    named = {word: list(_files(word)) for word in words}
    paths = list(dict.fromkeys(chain.from_iterable(named.values())))
    if not paths:
        raise UserError(f"There is no picture in {' '.join(words)}.")
    out = Path(arguments.out or (PREDICTIONS if arguments.model else RunDir(arguments.run).path / PREDICTIONS))
    answers, taken = [], set[Path]()
    topk = TOPK if arguments.topk is None else arguments.topk
    min_score = MIN_SCORE if arguments.min_score is None else arguments.min_score
    for answer in network.predict(paths, batch_size, topk, min_score):
        if "boxes" in answer:
            try:
                answer["drawn"] = str(_drawn(answer, network.net.spec.target.names, out, taken))
            except (OSError, ValueError, MemoryError) as error:
                answer["error"] = f"cannot be drawn on ({error})"
        if arguments.json:
            print(json.dumps(answer, ensure_ascii=False))
        answers.append(answer)
    if not arguments.json:
        _show_pictures(answers)
        if network.draws and taken:
            console.say(f"drawn, with a .json of the boxes beside each, in {out}")
    wrong = [f"{answer['image']} {answer['error']}." for answer in answers if "error" in answer]
    wrong += [f"{word}: there is no picture in it." for word, own in named.items() if not own]
    for said in wrong:
        console.error(said)
    return 1 if wrong else 0


def _drawn(answer: dict[str, Any], names: tuple[str, ...], out: Path, taken: set[Path]) -> Path:
    """Draws the boxes on a copy of the picture, and writes them beside it as JSON.

    Raises:
        UserError: there is no writing there.
        OSError: the picture cannot be read any more.
    """
    from litmus.data.image import decode
    from litmus.inference import draw

    source = Path(answer["image"])
    ending = ".png" if source.suffix.lower() == ".png" else ".jpg"
    path, number = out / f"{source.stem}-boxes{ending}", 1
    while path.with_suffix(".json") in taken or not _replaceable(path, answer["image"]):  # a/cat.jpg and b/cat.jpg
        number += 1
        path = out / f"{source.stem}-boxes-{number}{ending}"
    taken.add(path.with_suffix(".json"))
    picture = draw.drawn(decode.exif_transpose(source), answer["boxes"], names)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            picture.save(temporary, "PNG" if ending == ".png" else "JPEG", quality=92)
        with replacing(path.with_suffix(".json")) as temporary:
            temporary.write_text(json.dumps({"image": answer["image"], "boxes": answer["boxes"]}, indent=2) + "\n")
    except OSError as error:
        raise UserError(f"{out} cannot be written to: {error.strerror or error}.") from None
    return path


def _replaceable(drawn: Path, image: str) -> bool:
    """Whether nothing is there but what was drawn before of the same picture."""
    beside = drawn.with_suffix(".json")
    if not drawn.exists() and not beside.exists():
        return True
    try:
        return bool(json.loads(beside.read_text())["image"] == image)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _show_pictures(answers: list[dict[str, Any]]) -> None:
    from litmus import console

    rows: list[tuple[Any, ...]] = []
    for answer in answers:
        note = answer.get("note", "")
        for i, (label, probability) in enumerate(answer.get("probabilities", {}).items()):
            rows.append((answer["image"] if i == 0 else "", label, probability, note if i == 0 else ""))
        for i, box in enumerate(answer.get("boxes", [])):
            place = "  ".join(f"{edge:.0f}" for edge in box["box"])
            rows.append((answer["image"] if i == 0 else "", box["label"], box["score"], place, note if i == 0 else ""))
        if answer.get("boxes") == []:
            rows.append((answer["image"], "nothing", "", "", note))
    if rows:
        boxed = any("boxes" in answer for answer in answers)
        columns = (
            ["picture", "label", "score", "left  top  right  bottom"] if boxed else ["picture", "label", "probability"]
        )
        noted = any(row[-1] for row in rows)
        console.table([*columns, "note"] if noted else columns, rows if noted else [row[:-1] for row in rows])


def _ask_about_texts(network: Any, texts: Iterator[Text], batch_size: int, as_json: bool) -> int:
    for chunk in _chunks(texts):
        answers = network.predict([text for text, _ in chunk], batch_size)
        for answer, (_, note) in zip(answers, chunk, strict=True):
            if notes := [said for said in (note, answer.get("note")) if said]:
                answer["note"] = "; ".join(notes)
        if as_json:
            for answer in answers:
                print(json.dumps(answer, ensure_ascii=False))
        else:
            _show(answers)
    return 0


def _show(answers: list[dict[str, Any]]) -> None:
    from litmus import console

    kinds = [key for key in ("probabilities", "values") if any(key in answer for answer in answers)]
    names = list(dict.fromkeys(name for answer in answers for kind in kinds for name in answer.get(kind, {})))
    rows = []
    for answer in answers:
        text = answer["text"] if len(answer["text"]) <= SHOWN else answer["text"][: SHOWN - 3] + "..."
        figures = {name: figure for kind in kinds for name, figure in answer.get(kind, {}).items()}
        label = [answer.get("label") or ""] if "probabilities" in kinds else []
        rows.append((text, *label, *(figures.get(name, "") for name in names), answer.get("note", "")))
    noted = any(row[-1] for row in rows)
    columns = ["text", *(["label"] if "probabilities" in kinds else []), *names, "note"]
    console.table(columns if noted else columns[:-1], rows if noted else [row[:-1] for row in rows])
