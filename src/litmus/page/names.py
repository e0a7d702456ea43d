"""Names that are longer than there is room: cut so that they still tell apart what they name."""

from collections.abc import Callable, Sequence

LONGEST = 22  # letters of a name beside an axis


def shorten(text: str, longest: int = LONGEST) -> str:
    """A text of at most so many letters, without its end."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def shorten_all(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """Names of at most so many letters, cut where that leaves most of them different.

    In the middle if that will do, else at the beginning, at the end, or around the place where they begin to differ.
    """
    long = [name for name in names if len(name) > longest]
    same = len(beginning(long))
    ways: list[Callable[[str], str]] = [
        lambda name: _kept(name, longest, (longest - 1) // 2),
        lambda name: _kept(name, longest, 0),
        lambda name: shorten(name, longest),
        lambda name: _from(name, longest, max(0, same - 2)),
    ]
    cut = [[way(name) for name in names] for way in ways]
    return max(cut, key=lambda found: len(set(found)))  # the first of the best


def beginning(names: Sequence[str]) -> str:
    """The letters with which all of them begin."""
    first, last = min(names, default=""), max(names, default="")
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:same]


def _kept(name: str, longest: int, head: int) -> str:
    """The beginning, and as much of the end as there is room for."""
    return name if len(name) <= longest else f"{name[:head]}…{name[len(name) - (longest - 1 - head) :]}"


def _from(name: str, longest: int, begin: int) -> str:
    return name if len(name) <= longest else shorten(f"…{name[begin:]}", longest)
