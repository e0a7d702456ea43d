"""How files of text are encoded."""

from pathlib import Path

import pytest

from litmus.fetch.encoding import PART, encoding_of_another

LONG = "a" * (PART - 1)  # the next letter is read in two parts


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("price;Größe".encode(), "auto"),
        ("price;Größe".encode("cp1252"), "cp1252"),
        ("price;Größe".encode("utf-16"), "auto"),
        ("price".encode("utf-16-le"), "cp1252"),
        (f"{LONG}ß".encode(), "auto"),
        (f"{LONG}ß".encode()[:-1], "cp1252"),
        (b"", "auto"),
    ],
)
def test_a_file_that_is_utf_8_is_read_as_such_whatever_the_run_was_trained_on(
    content: bytes, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    assert encoding_of_another(tmp_path / "a.csv", "cp1252") == expected
    assert encoding_of_another(tmp_path / "a.csv", "auto") == "auto"
    assert encoding_of_another(tmp_path / "b.csv", "cp1252") == "auto"
