"""What a request brings, read in memory and with limits: JSON, images, or a table as CSV."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import File, FormParser, parse_options_header

from litmus.config.types import Section
from litmus.errors import UserError, first_line
from litmus.inference.serve.limits import MOST_DROPPED, MOST_HELD, MOST_ITEMS, Busy, TooMuch

FORM, JSON, CSV, RAW = "multipart/form-data", "application/json", "text/csv", "application/octet-stream"
LONGEST_NAME = 200  # characters of a file's name in an answer
EMPTY = "The request is empty."


@dataclass(frozen=True)
class Body:
    """The content of a request, and its type, such as `application/json`, with its options."""

    content: bytes
    kind: str
    options: Mapping[bytes, bytes]


@dataclass(frozen=True)
class Upload:
    """An image's file, under the name that its sender gives it: nothing of that name is ever opened."""

    name: str
    content: bytes


class Reader:
    """Reads the bodies of requests, and knows how much of them is in memory."""

    def __init__(self) -> None:
        self.held = 0  # bytes

    @asynccontextmanager
    async def body(self, request: Request, largest: int) -> AsyncIterator[Body]:
        """The body, which counts as held until the request is answered.

        Args:
            request: whose body has not been read.
            largest: bytes that it may have.

        Raises:
            TooMuch: it has more.
            Busy: all requests together hold too much.
        """
        parts: list[bytes] = []
        own = received = 0
        try:
            async for part in request.stream():
                received += len(part)
                if received > MOST_DROPPED:
                    raise TooMuch
                if received > largest:  # read on: who is cut off while sending sees no answer
                    parts.clear()
                    continue
                if self.held + len(part) > MOST_HELD:
                    raise Busy
                parts.append(part)
                own, self.held = own + len(part), self.held + len(part)
            if received > largest:
                raise TooMuch
            kind, options = parse_options_header(request.headers.get("content-type"))
            yield Body(b"".join(parts), kind.decode("latin-1"), options)
        finally:
            self.held -= own


def read_json(body: Body) -> Section:
    """A JSON object.

    Raises:
        UserError: it is none.
    """
    if not body.content:
        raise UserError(f"{EMPTY} Send JSON, such as {{}}.")
    if body.kind not in (JSON, "", "text/plain"):
        raise UserError(f"The request is of the type {body.kind}. Send JSON, as {JSON}.")
    try:
        content = json.loads(body.content, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise UserError("The JSON is not UTF-8.") from None
    except RecursionError:
        raise UserError("The JSON is nested too deeply.") from None
    except ValueError as error:
        raise UserError(f"The JSON cannot be read: {first_line(error)}.") from None
    if not isinstance(content, dict):
        raise UserError("The JSON should be an object, in braces.")
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UserError("The JSON holds half of a character (a lone surrogate).") from None
    return content


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number in JSON")


def only_keys(content: Section, *allowed: str) -> None:
    """Refuses keys that would be ignored.

    Raises:
        UserError: there are others.
    """
    if others := [key for key in content if key not in allowed]:
        raise UserError(f"There is no key {', '.join(others)[:LONGEST_NAME]}. The keys are: {', '.join(allowed)}.")


def read_images(body: Body) -> list[Upload]:
    """The images of a form, or the only one that the body is.

    Raises:
        UserError: there is none.
    """
    if not body.content:
        raise UserError(f"{EMPTY} Send an image.")
    if body.kind == FORM:
        return _of_form(body)
    if not body.kind.startswith("image/") and body.kind not in (RAW, "application/x-www-form-urlencoded", ""):
        raise UserError(
            f"This network takes images, not {body.kind}. Send an image's file as the body, or in a form as {FORM}."
        )
    return [Upload("image", body.content)]


def _of_form(body: Body) -> list[Upload]:
    found: list[Upload] = []

    def on_file(file: File) -> None:
        if len(found) == MOST_ITEMS:
            raise UserError(f"There are more than {MOST_ITEMS:,} images. Send fewer at a time.")
        name = (file.file_name or b"image").decode("utf-8", "replace")
        file.file_object.seek(0)
        found.append(Upload(_last_of(name), file.file_object.read()))
        file.close()

    config = {"MAX_MEMORY_FILE_SIZE": len(body.content) + 1}  # nothing is written to disk
    try:
        parser = FormParser(FORM, None, on_file, boundary=body.options.get(b"boundary"), config=config)
        parser.write(body.content)
        parser.finalize()
    except FormParserError as error:
        raise UserError(f"The form cannot be read: {first_line(error).rstrip('.')}.") from None
    if not found:
        raise UserError("The form has no file. Send an image: curl --form image=@digit.png.")
    return found


def _last_of(name: str) -> str:
    """Of a path its last part, printable."""
    last = name.replace("\\", "/").rpartition("/")[2][:LONGEST_NAME]
    return "".join(letter if letter.isprintable() else "?" for letter in last) or "image"
