"""Categories, and words for yes and no, as they are written, in an ONNX file: torch has no strings."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from litmus.data.columns.encode import TRUTH
from litmus.inference.export.cells import as_written
from litmus.spec import Category, Columns, Date, Number

if TYPE_CHECKING:
    from torch import Tensor

ML, ML_OPSET = "ai.onnx.ml", 3  # which has LabelEncoder


# The classes of the onnx package are made at run time: no type declares their attributes, hence Any.
def read_names(model: Any, columns: Columns) -> "Callable[[Sequence[Tensor]], list[object]]":
    """Makes inputs of categories and of words strings, of shape (batch,), which a node looks up.

    Args:
        model: whose inputs are the columns; it is changed.
        columns: of the network.

    Returns:
        From cells as numbers, as `Cells.forward` takes them, to the arrays that the file takes.
    """
    from onnx import TensorProto, helper

    looked_up = {
        name: column for name, column in columns.by_name().items() if not isinstance(column, Date) and spellings(column)
    }
    for own in model.graph.input:
        if (column := looked_up.get(own.name)) is None:
            continue
        number = f"{own.name}:number"
        for node in model.graph.node:
            node.input[:] = [number if each == own.name else each for each in node.input]
        for node in reversed(_lookup(own.name, number, column)):
            model.graph.node.insert(0, node)
        own.type.tensor_type.elem_type = TensorProto.STRING
        own.doc_string = as_written(column)
    if looked_up:
        model.opset_import.append(helper.make_opsetid(ML, ML_OPSET))
    return lambda cells: [
        _written(looked_up[name], values) if name in looked_up else values.numpy()
        for name, values in zip(columns.by_name(), cells, strict=True)
    ]


def spellings(column: Number | Date | Category) -> dict[str, float]:
    """The number of each spelling of a category or a word; empty for columns that are numbers or dates."""
    if isinstance(column, Category):
        exact = {value: float(n) for n, value in enumerate(column.values, start=1)}
        return {other: n for value, n in reversed(exact.items()) for other in _other_spellings(value)} | exact
    if isinstance(column, Number) and column.words:
        forms = (str.lower, str.upper, str.capitalize)
        return {form(word): float(n) for n, word in enumerate(column.words) for form in forms}
    return {}


def _other_spellings(name: str) -> Iterator[str]:
    """Others that `encode.known_names` takes: of a number without a fraction, of true and of false."""
    if name in TRUTH:
        yield from (name.upper(), name.capitalize())
        return
    try:
        number = float(name)
    except ValueError:
        return
    if number.is_integer():
        yield from (f"{number:.0f}", f"{number:.1f}")


def _lookup(name: str, number: str, column: Number | Category) -> list[Any]:
    """Nodes from the input of that name to a tensor called `number`."""
    from onnx import TensorProto, helper

    found = spellings(column)
    keys: dict[str, Any] = {"domain": ML, "keys_strings": list(found)}
    if isinstance(column, Category):
        numbers = [int(each) for each in found.values()]
        return [helper.make_node("LabelEncoder", [name], [number], values_int64s=numbers, default_int64=0, **keys)]
    single, floats = f"{number}:single", list(found.values())
    return [
        helper.make_node("LabelEncoder", [name], [single], values_floats=floats, default_float=float("nan"), **keys),
        helper.make_node("Cast", [single], [number], to=TensorProto.DOUBLE),
    ]


def _written(column: Number | Category, values: "Tensor") -> object:
    """Cells as they are written, from numbers."""
    if isinstance(column, Category):
        names = ["", *column.values]
        return np.array([names[number] for number in values.tolist()], dtype=object)
    words = column.words
    return np.array([words[int(value)] if value == value else "" for value in values.tolist()], dtype=object)
