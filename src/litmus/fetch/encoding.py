"""How files of text are encoded."""

import codecs
from pathlib import Path

from litmus.errors import UserError
from litmus.fetch import local

PART = 1 << 20  # bytes that are read at a time
# UTF-32's begins with UTF-16's.
BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# How files begin that are taken for tables, and what they are.
NO_TEXT = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive. Save the table as CSV",
    b"\xd0\xcf\x11\xe0": "an Excel workbook. Save the table as CSV",
    b"\x1f\x8b": "compressed. Unpack it",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"%PDF": "a PDF file. Save the table as CSV",
    b"PAR1": "a Parquet file. Its name should end in .parquet",
    b"\0": "not text",
}


def encoding_of(path: Path, encoding: str) -> str:
    """The codec of a file of text.

    Args:
        path: of the file.
        encoding: a codec of Python's, or "auto": UTF-8, or UTF-16 or -32 if the file begins with its byte order mark.

    Raises:
        UserError: it is no text, or there is no such codec.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if encoding == "auto":
        found = next((name for bom, name in BOMS.items() if start.startswith(bom)), "utf-8")
        if found == "utf-8":
            _check_is_text(path, start)
        return found
    try:
        "".encode(encoding)
    except (LookupError, ValueError):  # no codec, or one that makes bytes of bytes, as zip
        raise UserError(f"data.encoding={encoding} is unknown. Examples are utf-8 and cp1252.") from None
    return encoding


def encoding_of_another(path: Path, own: str) -> str:
    """The encoding of a file that need not be as another is: "auto" where it is UTF-8 or has a byte order mark.

    Args:
        path: of the file; of none, who reads it says what is missing.
        own: the other's, as of `encoding_of`, which is this one's, too, where it is not UTF-8.

    Raises:
        UserError: it cannot be read.
    """
    if own == "auto" or local.kind_of(path) != "file":
        return "auto"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            part = file.read(PART)
            if part.startswith(tuple(BOMS)):
                return "auto"
            while part:
                if "\0" in decoder.decode(part):  # UTF-16 without a mark
                    return own
                part = file.read(PART)
        decoder.decode(b"", final=True)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {local.reason(error)}.") from None
    except UnicodeDecodeError:
        return own
    return "auto"


def _check_is_text(path: Path, start: bytes) -> None:
    if len(start) == 4 and (start[::2] == b"\0\0" or start[1::2] == b"\0\0") and any(start):
        name = "utf-16-le" if start[1] == 0 else "utf-16-be"
        raise UserError(f"{path} looks like UTF-16 without a byte order mark. Set data.encoding={name}.")
    for mark, what in NO_TEXT.items():
        if start.startswith(mark):
            raise UserError(f"{path} is {what}.")


def has_undecoded_bytes(text: str) -> bool:
    """Whether text that was decoded with `surrogateescape` has bytes that are none in its encoding."""
    return any("\ud800" <= letter <= "\udfff" for letter in text)
