"""What may go wrong, as exceptions that a person, or the run itself, can act on; and what a process exits with.

Messages quote what others wrote, such as names of files and classes: `printable` and `readable` make them safe to show.
"""

import re

# Exit statuses by how a run, a verb or a sweep ended; 130 is the shell's own for Ctrl-C.
EXIT_STATUS = {"finished": 0, "pruned": 0, "failed": 1, "interrupted": 130}
WRONG_COMMAND_LINE = 2

# What a terminal obeys instead of showing it (control characters, changes of direction), and what is not Unicode, as
# bytes of a file's name that are not UTF-8. Tabs and line breaks may stay.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_HEAD, _TAIL = 1500, 500  # characters of a long message that are shown: what is wrong, and what to do


def printable(text: str) -> str:
    r"""The text with what acts on a terminal written out, such as `\x1b`; all of it can be encoded as UTF-8."""
    if text.isprintable():  # most are
        return text
    return _ACTING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def readable(text: str) -> str:
    """As `printable`, and cut in the middle to the length of a message; `train.log` has the whole."""
    if len(text) > _HEAD + _TAIL:
        more = len(text) - _HEAD - _TAIL
        text = f"{text[:_HEAD]} ... ({more:,} more characters) ... {text[-_TAIL:]}"
    return printable(text)


class UserError(ValueError):
    """Something that the user can fix: shown as a sentence, without a traceback."""


class Unavailable(UserError):
    """Pretrained weights that are neither here nor can be downloaded; `what` says so, and where to put them."""

    def __init__(self, weights: str, what: str) -> None:
        super().__init__(
            f"model.weights={weights}: {what}, or set model.weights to a file of yours, or begin with random weights: "
            "model.weights=null."
        )
        self.what = what


class Pruned(Exception):
    """The search stopped this run: others are better."""
