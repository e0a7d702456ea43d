"""Text for TensorBoard, which reads it as Markdown: what names and samples hold stays what it is."""

import re
from collections.abc import Sequence

# ASCII's punctuation without what means nothing in the middle of a line; Python-Markdown leaves entities alone.
_MEANS_SOMETHING = re.compile(r"""[!"#$&'*+<=>?@\[\\\]^_`{|}~:-]|(?<=\d)\.(?=\s|$)""")


def escaped(text: str) -> str:
    """The text in one line, or in a part of one: Markdown and HTML in it mean nothing."""
    shown = re.sub(r"\s+", " ", "".join(letter if letter.isprintable() else " " for letter in text))
    return _MEANS_SOMETHING.sub(lambda found: f"&#{ord(found[0])};", shown)


def code(text: str) -> str:
    """The text as it stands, in letters of one width: lines with four spaces before them are code."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; its cells are Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
