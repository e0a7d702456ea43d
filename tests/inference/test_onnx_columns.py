"""Cells are read in an exported file, and by the program beside it, as litmus reads them."""

from datetime import UTC, datetime

import polars as pl
import pytest

from litmus.data.columns.encode import encode
from litmus.data.columns.formats import FORMATS, parse
from litmus.inference.export.example import python_forms
from litmus.inference.export.onnx_columns import spellings
from litmus.spec import Category, Columns


@pytest.mark.parametrize("values", [("001", "010"), ("7", "07"), ("2.5", "10"), ("false", "true"), ("north", "south")])
def test_each_spelling_of_a_file_is_one_of_litmus(values: tuple[str, ...]) -> None:
    category = Category("k", values)
    found = spellings(category)
    assert set(values) < set(found) or values == ("north", "south")
    codes = encode(pl.DataFrame({"k": [*found]}), Columns((), (), (category,)))[:, 0].tolist()
    assert codes == [*found.values()]


@pytest.mark.parametrize("form", ["", *FORMATS])
def test_python_reads_the_dates_of_each_format(form: str) -> None:
    date = datetime(2021, 1, 9, 7, 5)
    written = date.strftime((form or "%Y-%m-%d").replace("%.f", ".25").replace("%#z", "+02:00"))
    for text in (written, written.replace("09", "9").replace("01", "1"), written.replace(".25", "")):
        (expected,) = parse(pl.Series([text]), form)
        assert expected is not None
        found = [read for each in python_forms(form) if (read := _strptime(text, each)) is not None]
        zoned = found[0].astimezone(UTC).replace(tzinfo=None) if found[0].tzinfo else found[0]
        assert zoned == expected


def _strptime(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)
    except ValueError:
        return None
