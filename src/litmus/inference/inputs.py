"""The texts and image files that a command line names."""

import codecs
import glob
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from litmus.errors import UserError

CHUNK, CHUNK_CHARACTERS = 1000, 4_000_000  # texts, and characters of texts, in memory at a time
LONGEST = 1_000_000  # bytes of a line; networks here use far fewer

Text = tuple[str, str | None]  # and a note on how it was read


def image_files(pattern: str) -> Iterator[Path]:
    """The file of that name, the images in that folder, or the files that match that pattern, sorted."""
    from litmus.data.image import decode

    path = Path(pattern).expanduser()
    if path.is_dir():
        yield from decode.find_images(path)[0]
    elif not path.exists() and glob.has_magic(pattern):
        # Path.glob takes no absolute patterns.
        yield from (Path(match) for match in sorted(glob.glob(str(path), recursive=True)))  # noqa: PTH207
    else:
        yield path


def chunks(texts: Iterator[Text]) -> Iterator[list[Text]]:
    """The texts in lists of limited size, so that a long file never lies in memory."""
    chunk: list[Text] = []
    num_characters = 0
    for text in texts:
        chunk.append(text)
        num_characters += len(text[0])
        if len(chunk) == CHUNK or num_characters > CHUNK_CHARACTERS:
            yield chunk
            chunk, num_characters = [], 0
    if chunk:
        yield chunk


def read_texts(words: Sequence[str], file: str | None) -> Iterator[Text]:
    """The texts of the command line, then the lines of a file; `-` is standard input.

    Raises:
        UserError: the file cannot be read.
    """
    for word in words:
        if word == "-":
            yield from _lines(sys.stdin.buffer)
        else:
            yield _decode(os.fsencode(word))
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
    """Lines without line breaks."""
    while line := file.readline(LONGEST):
        text, note = _decode(line.rstrip(b"\r\n"))
        if len(line) == LONGEST and not line.endswith(b"\n"):
            while (rest := file.readline(LONGEST)) and not rest.endswith(b"\n"):
                pass
            note = f"only its first {LONGEST:,} bytes were read"
        yield text, note


def _decode(content: bytes) -> Text:
    try:
        return content.decode(), None
    except UnicodeDecodeError:
        return content.decode(errors="replace"), "bytes that are not UTF-8 were replaced"
