"""A page's part on why the network says what it says of some test samples."""

from litmus.config.explanation import Explanation, Explanations, Importances
from litmus.page.explanation import drawing_of, importances
from litmus.report.parts import Block, Chart, Section, Words

COLORS = "Blue raises the output, orange lowers it."


def sections(found: Explanations | None) -> list[Section]:
    """The samples that `litmus explain RUN` chose, and how much the network relies on each column of a table."""
    if found is None:
        return []
    blocks: list[Block] = [Words([COLORS])]
    blocks += [_of_columns(found.importances)] if found.importances is not None else []
    blocks += [_of_sample(own, number) for number, own in enumerate(found.samples, start=1)]
    return [Section("explanations", "Why it says so", blocks)]


def _of_sample(own: Explanation, number: int) -> Chart:
    return Chart(f"explanation-{number}", caption(own), drawing_of(own), wide=own.kind == "text" or len(own.heats) > 1)


def caption(own: Explanation) -> str:
    """What a picture of an explanation shows, and what it adds up to."""
    truth = f", but it is {own.truth}" if own.truth not in ("", own.answer) else ""
    notes = "".join(f" Note: {note}." for note in own.notes)
    name = "" if own.kind == "text" else f"{own.name}: "
    return f"{name}{own.answer}{truth}, explained by {own.method}. {own.said}{notes}"


def _of_columns(found: Importances) -> Chart:
    drawing = importances([own.name for own in found.columns], [own.mean for own in found.columns], found.metric)
    caption = (
        f"How much {found.metric} gets worse when a column of {found.rows:,} test rows is shuffled: it is "
        f"{found.value:.4g} as they are. Of two columns that say the same, each may seem unimportant."
    )
    return Chart("importances", caption, drawing)
