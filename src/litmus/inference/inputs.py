"""What a person names on the command line, as texts or files."""

import codecs
import glob
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from litmus.errors import UserError

CHUNK, CHUNK_LETTERS = 1000, 4_000_000  # texts, and their letters, in memory at a time


LONGEST = 1_000_000  # bytes of a line; no network here reads as far


Text = tuple[str, str | None]  # and what should be said of how it was read


def _files(word: str) -> Iterator[Path]:
    """The file of that name, those in that folder, or those that fit that pattern."""
    from litmus.data.image import decode

    path = Path(word).expanduser()
    if path.is_dir():
        yield from decode.find_images(path)[0]
    elif not path.exists() and glob.has_magic(word):
        yield from (Path(match) for match in sorted(glob.glob(str(path), recursive=True)))  # noqa: PTH207  # absolute ones, too
    else:
        yield path


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
            raise UserError(f"{file} cannot be read: {error.strerror}.") from None


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
