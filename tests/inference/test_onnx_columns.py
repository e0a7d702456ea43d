"""Categories in an exported file are looked up as litmus looks them up."""

import polars as pl
import pytest

from litmus.data.columns.encode import encode
from litmus.inference.export.onnx_columns import spellings
from litmus.spec import Category, Columns


@pytest.mark.parametrize("values", [("001", "010"), ("7", "07"), ("2.5", "10"), ("false", "true"), ("north", "south")])
def test_each_spelling_of_a_file_is_one_of_litmus(values: tuple[str, ...]) -> None:
    category = Category("k", values)
    found = spellings(category)
    assert set(values) < set(found) or values == ("north", "south")
    codes = encode(pl.DataFrame({"k": [*found]}), Columns((), (), (category,)))[:, 0].tolist()
    assert codes == [*found.values()]
