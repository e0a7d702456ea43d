"""What a page consists of: sections of sentences, charts, tables and cards; templates/run.html.jinja shows them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from litmus.config.sample import Piece, Sample
from litmus.page.axes import digits
from litmus.page.drawing import Drawing, address_of, shrunk
from litmus.page.template import Cell, Table, TableRow

MOST_LETTERS = 600  # of a text that is shown
CARD_SIDE = 144  # pixels of a card's image


@dataclass(frozen=True)
class Words:
    """Sentences, each a paragraph."""

    sentences: Sequence[str]
    kind: ClassVar = "words"


@dataclass(frozen=True)
class Chart:
    """A drawing.

    Attributes:
        name: of its file in `pictures/`.
        caption: below it.
        drawing: of the page and of the file.
        wide: whether it takes the whole width; a narrow screen scrolls it.
    """

    name: str
    caption: str
    drawing: Drawing
    wide: bool = False
    kind: ClassVar = "chart"


@dataclass(frozen=True)
class Card:
    """A sample, and lines about it.

    Attributes:
        lines: the first is set apart.
        image: a `data:` address, or empty.
        text: the pieces of a text.
        cells: of a row.
        wrong: whether it is a mistake.
    """

    lines: Sequence[str]
    image: str = ""
    text: Sequence[Piece] = ()
    cells: Sequence[tuple[str, str]] = ()
    wrong: bool = False


@dataclass(frozen=True)
class Cards:
    """Samples side by side.

    Attributes:
        name: of the file in `pictures/`.
        caption: above them.
        cards: of the samples.
        picture: for the file; None where there are no images.
    """

    name: str
    caption: str
    cards: Sequence[Card]
    picture: Drawing | None = None
    kind: ClassVar = "cards"

    @property
    def looks(self) -> str:
        """`images` for small ones side by side, `rows` for what is read."""
        return "images" if all(card.image for card in self.cards) else "rows"


@dataclass(frozen=True)
class Drawings:
    """Drawings side by side, and one picture of them all for the file."""

    name: str
    caption: str
    drawings: Sequence[Drawing]
    picture: Drawing
    kind: ClassVar = "drawings"


@dataclass(frozen=True)
class Frames:
    """Drawings of one thing at several times, of which one is seen at a time.

    Attributes:
        name: of the animation in `pictures/`, and of the picture of the last one.
        caption: above them.
        frames: what each is called, and the drawing, in order.
    """

    name: str
    caption: str
    frames: Sequence[tuple[str, Drawing]]
    kind: ClassVar = "frames"


@dataclass(frozen=True)
class Tabled:
    """A table and what is said above it; `folded` ones are opened by a click."""

    caption: str
    table: Table
    folded: bool = False
    kind: ClassVar = "table"


@dataclass(frozen=True)
class Lines:
    """Text as it stands, such as commands; `folded` text is opened by a click on its title."""

    title: str
    lines: Sequence[str]
    folded: bool = False
    kind: ClassVar = "lines"


Block = Words | Chart | Cards | Drawings | Frames | Tabled | Lines


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading; `name` is that of its address."""

    name: str
    title: str
    blocks: Sequence[Block] = field(default=())


def card(sample: Sample, lines: Sequence[str], wrong: bool = False) -> Card:
    """A card of a sample: its name, if it has one, is the last line."""
    image = "" if sample.image is None else address_of(shrunk(sample.image, CARD_SIDE))
    named = [*lines, sample.name] if sample.name else list(lines)
    cells = [(name, value if isinstance(value, str) else digits(value)) for name, value in sample.cells]
    return Card(named, image, _shortened(sample.text), cells, wrong)


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: bool = True, cards: bool = False, omitted: int = 0
) -> Table:
    """A table whose first column has names, and the others numbers, or text as well."""
    kinds = ["", *(["n" if numeric else "key"] * (len(head) - 1))]
    cells = [TableRow([Cell(*own) for own in zip(row, kinds, head, strict=True)]) for row in rows]
    return Table(head, cells, set(range(1, len(head))) if numeric else (), cards, omitted)


def _shortened(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces up to so many letters."""
    shown: list[Piece] = []
    room = MOST_LETTERS
    for piece in pieces:
        if len(piece.text) > room:
            return [*shown, Piece(f"{piece.text[:room]}…", piece.kind)]
        shown.append(piece)
        room -= len(piece.text)
    return shown
