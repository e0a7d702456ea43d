"""The texts, image files and tables that a command line names."""

import codecs
import glob
import io
import os
import re
import select
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from litmus.data.columns.names import check_table, is_table
from litmus.errors import UserError, WrongArguments
from litmus.fetch import local
from litmus.spec import Columns, Images, Input, Tokens

CHUNK, CHUNK_CHARACTERS = 1000, 4_000_000  # texts, and characters of texts, in memory at a time
PIPE_S = 3.0  # until something must be in a pipe
LONGEST = 1_000_000  # bytes of a line; networks here use far fewer

# What nobody types as a text: a name with the extension of a file of texts or images.
FILE_NAME = re.compile(r"(?i)\.(txt|text|log|md|html?|xml|docx?|pdf|jpe?g|png|bmp|gif|tiff?|webp|zip|gz)$")
OF_TEXTS = (".txt", ".text", ".log", ".md")

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


def table_among(words: Sequence[str], file: str | None) -> Path | None:
    """The table that a command line names; None where it names none.

    Args:
        words: of the command line.
        file: with a text on each line, or None.

    Raises:
        WrongArguments: something else stands beside it, or it is to be read as lines.
        UserError: there is no such file.
    """
    if file is not None and is_table(Path(file)):
        raise WrongArguments(f"{file} is a table, not lines of texts. Name it without --file.")
    tables = [word for word in words if is_table(Path(word)) and (_is_one_word(word) or local.is_file(Path(word)))]
    if not tables:
        return None
    path = local.expand(tables[0])
    check_table(path)
    if len(words) > 1 or file is not None:
        raise WrongArguments(f"{tables[0]} is a table, and stands alone. Leave the rest to another command.")
    return path


def check_words(takes: type[Input] | None, words: Sequence[str]) -> None:
    """Refuses words that name nothing that the network takes.

    Args:
        takes: its kind of input; None where that is not known yet.
        words: of the command line, among which there is no table.

    Raises:
        UserError: rows of a table are needed; none of the words names an image; or one names a file, not a text.
    """
    if takes is Columns:
        raise UserError("This run takes the rows of a table: litmus predict RUN FILE.csv.")
    if takes is Images:
        _check_images(words)
    if takes is Tokens:
        for word in words:
            _check_is_text(word)


def _is_one_word(word: str) -> bool:
    return not any(map(str.isspace, word))


def _check_is_text(word: str) -> None:
    if not _is_one_word(word) or not FILE_NAME.search(word):
        return
    if local.kind_of(local.expand(word)) == "missing":
        raise UserError(f"There is no file {word}. If that is a text, give it by standard input, which - reads.")
    lines = f"; --file {word} reads one from each of its lines" if Path(word).suffix.lower() in OF_TEXTS else ""
    raise UserError(f"{word} is a file. This network takes texts{lines}.")


def _check_images(words: Sequence[str]) -> None:
    found = (path for word in words for path in image_files(word))
    if words and all(local.kind_of(path) == "missing" for path in found):
        absent = [word for word in words if not glob.has_magic(word) and local.kind_of(local.expand(word)) == "missing"]
        if absent:
            raise UserError(f"There is no file {', '.join(absent)}. This run takes images, not texts.")
        raise UserError(f"There are no images in {' '.join(words)}.")


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
