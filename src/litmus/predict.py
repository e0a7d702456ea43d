"""Asks a run's network: what does it say of these texts?"""

import argparse
import codecs
import json
import os
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from litmus.check import Refused
from litmus.rundir import RunDir

CHUNK, CHUNK_LETTERS = 1000, 4_000_000  # texts, and their letters, in memory at a time
LONGEST = 1_000_000  # bytes of a line; no network here reads as far
Text = tuple[str, str | None]  # and what should be said of how it was read
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
    if arguments.pipeline:  # needs no run: the first word is a text
        words = words if arguments.run is None else [arguments.run, *words]
    elif arguments.run is None:
        raise Refused("Name a run folder, such as outputs/latest, and then the texts.")
    else:
        RunDir(arguments.run).read_config()  # a folder that is none should be said before torch is loaded
    chunks = _chunks(_texts(words, arguments.file))
    first = next(chunks, None)
    if first is None:
        raise Refused("There is nothing to ask about: give texts, or --file FILE with some, or - for standard input.")

    from litmus import answering, screen

    with screen.recorded(None):
        if arguments.pipeline:
            network: Any = answering.Pipeline(arguments.pipeline, arguments.weights)
        else:
            network = answering.Answering(RunDir(arguments.run))
        for chunk in chain([first], chunks):
            answers = network.answers([text for text, _ in chunk], arguments.batch_size)
            for answer, (_, note) in zip(answers, chunk, strict=True):
                if notes := [said for said in (note, answer.get("note")) if said]:
                    answer["note"] = "; ".join(notes)
            if arguments.json:
                for answer in answers:
                    print(json.dumps(answer, ensure_ascii=False))
            else:
                _show(answers)
    return 0


def _chunks(texts: Iterator[Text]) -> Iterator[list[Text]]:
    chunk: list[Text] = []
    letters = 0
    for text in texts:
        chunk.append(text)
        letters += len(text[0])
        if len(chunk) == CHUNK or letters > CHUNK_LETTERS:
            yield chunk
            chunk, letters = [], 0
    if chunk:
        yield chunk


def _texts(words: list[str], file: str | None) -> Iterator[Text]:
    """The texts on the command line, then the file's lines; `-` stands for standard input."""
    for word in words:
        if word == "-":
            yield from _lines(sys.stdin.buffer)
        else:
            yield _decoded(os.fsencode(word))
    if file == "-":
        yield from _lines(sys.stdin.buffer)
    elif file is not None:
        try:
            with Path(file).open("rb") as lines:
                if lines.read(3) != codecs.BOM_UTF8:
                    lines.seek(0)
                yield from _lines(lines)
        except OSError as error:
            raise Refused(f"{file} cannot be read: {error.strerror}.") from None


def _lines(file: BinaryIO) -> Iterator[Text]:
    """Lines, without their ends."""
    while line := file.readline(LONGEST):
        text, note = _decoded(line.rstrip(b"\r\n"))
        if len(line) == LONGEST and not line.endswith(b"\n"):
            while (rest := file.readline(LONGEST)) and not rest.endswith(b"\n"):
                pass
            note = f"only its first {LONGEST:,} bytes were read"
        yield text, note


def _decoded(content: bytes) -> Text:
    try:
        return content.decode(), None
    except UnicodeDecodeError:
        return content.decode(errors="replace"), "bytes that are not UTF-8 were replaced"


def _show(answers: list[dict[str, Any]]) -> None:
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
