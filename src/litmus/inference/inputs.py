"""The texts and image files that a command line names."""

import codecs
import glob
import io
import os
import select
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from litmus.errors import UserError
from litmus.fetch import local

CHUNK, CHUNK_CHARACTERS = 1000, 4_000_000  # texts, and characters of texts, in memory at a time
PIPE_S = 3.0  # until something must be in a pipe
LONGEST = 1_000_000  # bytes of a line; networks here use far fewer

Text = tuple[str, str | None]  # and a note on how it was read


def image_files(pattern: str) -> Iterator[Path]:
    """The file of that name, the images in that folder, or the files that match that pattern, sorted."""
    from litmus.data.image import decode

    path = local.expand(pattern)
    kind = local.kind_of(path)
    if kind == "folder":
        yield from decode.find_images(path)[0]
    elif kind == "missing" and glob.has_magic(pattern):
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
            with _open(file) as lines:
                start = lines.peek(3)
                if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                    raise UserError(f"{file} is UTF-16; --file takes UTF-8.")
                if start.startswith(codecs.BOM_UTF8):
                    lines.read(len(codecs.BOM_UTF8))
                yield from _lines(lines)
        except OSError as error:
            raise UserError(f"{file} cannot be read: {local.reason(error)}.") from None


def _open(file: str) -> io.BufferedReader:
    """A file, or a pipe that somebody writes to: opening another would wait for ever, and a device never ends.

    Raises:
        UserError: it is neither.
        OSError: it cannot be read.
    """
    if sys.platform == "win32":  # pipes are no files there
        return Path(file).open("rb")
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    mode = os.fstat(descriptor).st_mode
    written = stat.S_ISFIFO(mode) and select.select([descriptor], [], [], PIPE_S)[0]
    if not (stat.S_ISREG(mode) or written):
        os.close(descriptor)
        what = "is a folder" if stat.S_ISDIR(mode) else "is a device"
        raise UserError(f"{file} {'is a pipe that nobody writes to' if stat.S_ISFIFO(mode) else what}, not a file.")
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "rb")


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
