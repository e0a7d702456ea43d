"""Asks a run's network: what does it say of these texts?"""

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from litmus.check import Refused
from litmus.rundir import RunDir

CHUNK = 1000  # texts in memory at a time
SHOWN = 60  # letters of a text in the table


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("run", metavar="RUN", nargs="?", help="a run folder, such as outputs/latest")
    parser.add_argument("texts", metavar="TEXT", nargs="*", help="what to ask about; - reads lines from standard input")
    parser.add_argument("--file", metavar="FILE", help="a file with a text on each line; - is standard input")
    parser.add_argument("--json", action="store_true", help="print an object a line, and nothing else")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="texts at a time (64)")
    parser.add_argument("--pipeline", metavar="TASK", help="a ready-made pipeline of transformers, without a run")
    parser.add_argument("--weights", metavar="NAME", help="the pipeline's model: a name on the hub, or a folder")


def main(arguments: argparse.Namespace) -> int:
    """Prints an answer for each text.

    Raises:
        Refused: there is nothing to ask, no run to ask, or its network reads something else.
    """
    if arguments.batch_size < 1:
        raise Refused(f"--batch-size {arguments.batch_size} is not allowed: it is a whole number, at least 1.")
    if arguments.weights and not arguments.pipeline:
        raise Refused("--weights belongs to --pipeline; a run brings its own.")
    words = list(arguments.texts)
    if arguments.run is not None and arguments.pipeline:
        words.insert(0, arguments.run)  # a pipeline needs no run: the first word is a text
    elif arguments.run is None and not arguments.pipeline:
        raise Refused("Name a run folder, such as outputs/latest, and then the texts.")
    texts = _texts(words, arguments.file)
    first = list(islice(texts, 1))
    if not first:
        raise Refused("There is nothing to ask about: give texts, or --file FILE, or - for standard input.")
    if not arguments.pipeline:
        RunDir(arguments.run).read_config()  # a folder that is none should be said before torch is loaded

    from litmus import answering, screen

    with screen.recorded(None):
        if arguments.pipeline:
            network: Any = answering.Pipeline(arguments.pipeline, arguments.weights)
        else:
            network = answering.Answering(RunDir(arguments.run))
        pending = first
        number = 0
        while pending := [*pending, *islice(texts, CHUNK - len(pending))]:
            answers = network.answers(pending, arguments.batch_size)
            if arguments.json:
                for answer in answers:
                    print(json.dumps(answer, ensure_ascii=False))
            else:
                _show(answers, number)
            number += len(pending)
            pending = []
    return 0


def _texts(words: list[str], file: str | None) -> Iterator[str]:
    """The texts on the command line, then the file's lines; `-` stands for standard input."""
    for word in words:
        if word == "-":
            yield from _lines(None)
        else:
            yield word
    if file is not None:
        yield from _lines(None if file == "-" else Path(file))


def _lines(path: Path | None) -> Iterator[str]:
    """Lines, without their ends; bytes that are not UTF-8 become the replacement character."""
    if path is None:
        for line in sys.stdin.buffer:
            yield line.decode("utf-8", "replace").rstrip("\r\n")
        return
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as file:
            for line in file:
                yield line.rstrip("\r\n")
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}.") from None


def _show(answers: list[dict[str, Any]], number: int) -> None:
    from litmus import screen

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
    screen.table(columns if noted else columns[:-1], rows if noted else [row[:-1] for row in rows])
    if number == 0 and len(rows) == CHUNK:
        screen.say("")
