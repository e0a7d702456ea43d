"""Numbers as people and programs write them in cells of a table."""

import math
import re

# Numbers that Python does not read. A point alone, as in 1.234, is a decimal one where a file does not say else.
DECIMAL_COMMA = r"^[-+]?(\d{1,3}(\.\d{3})+|\d*),\d+$"
POINTS_BETWEEN_THOUSANDS = r"^[-+]?\d{1,3}(\.\d{3}){2,}$"
COMMAS_BETWEEN_THOUSANDS = r"^[-+]?\d{1,3}((,\d{3})+\.\d*|(,\d{3}){2,})$"
EITHER = r"^[-+]?[1-9]\d{0,2},\d{3}$"  # a decimal comma where commas separate no cells, else one between thousands
POINT_OR_THOUSAND = r"^[-+]?[1-9]\d{0,2}\.\d{3}$"
DECIMAL_POINT = r"^[-+]?([\d,]+\.\d*|\.\d+)([eE][-+]?\d+)?$"  # where it is no `POINT_OR_THOUSAND`


def with_point(text: str, decimal_comma: bool = False) -> str:
    """A number with a decimal comma, or with separators of thousands, as Python has numbers; other text as it is.

    Args:
        text: of a cell.
        decimal_comma: whether the comma of 1,234 is one; without, it stands between thousands.
    """
    text = text.strip()
    if re.match(COMMAS_BETWEEN_THOUSANDS, text) or (re.match(EITHER, text) and not decimal_comma):
        return text.replace(",", "")
    if re.match(POINTS_BETWEEN_THOUSANDS, text) or re.match(DECIMAL_COMMA, text):
        return text.replace(".", "").replace(",", ".")
    return text


def number(cell: object) -> float | None:
    """The cell as a finite number, or None if it is not one."""
    if isinstance(cell, str):
        cell = with_point(cell)
    try:
        value = float(cell)  # type: ignore[arg-type]  # what is not a number raises
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None
