"""The program beside an exported file, by itself: what it says where there is little to say. No network runs here."""

from helpers import WINDOWS

from litmus.inference.export.example import program


def numbers(separator: str, cells: list[str]) -> list[float]:
    """What the program's `number` makes of cells."""
    text = program(WINDOWS, "model.onnx").partition("session = ")[0]
    text = text.partition("def number")[2]
    code = f"import re\nimport numpy as np\nseparator = {separator!r}\ndef number{text}\n"
    facts: dict[str, object] = {}
    exec(code, facts)
    read = facts["number"]
    assert callable(read)
    return [read(cell) for cell in cells]


def test_cells_as_numbers() -> None:
    read = numbers(",", ["1,234", "1,5", " 7.25 ", "+3e1", "1.", ".5", "1.234.567", "-2"])
    assert read == [1234.0, 1.5, 7.25, 30.0, 1.0, 0.5, 1234567.0, -2.0]
    assert numbers(";", ["1,234", "1.234,5", "1.234"]) == [1.234, 1234.5, 1.234]
    none = ["inf", "-inf", "+Infinity", "1e999", "nan", "kA", "", "1_000", "٣", "1,2,3"]
    assert all(value != value for value in numbers(";", none))
