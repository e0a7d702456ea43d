"""Names that are cut still tell apart what they name."""

import pytest

from litmus.page.names import beginning, shorten_all

ALIKE = "red-necked-grebe-of-the-northern-lakes"


@pytest.mark.parametrize(
    "names",
    [
        [f"network.model.{i}.m.0.cv{j}.conv" for i in (1, 2, 13) for j in (1, 2)],
        [f"{ALIKE}-{i}" for i in range(12)],
        [f"{i}-{ALIKE}" for i in range(12)],
        [f"{ALIKE}-{i}-{ALIKE}" for i in range(12)],
        ["short", ALIKE],
    ],
)
@pytest.mark.parametrize("longest", [14, 16, 22])
def test_they_stay_different_and_short(names: list[str], longest: int) -> None:
    found = shorten_all(names, longest)
    assert len(set(found)) == len(names)
    assert max(map(len, found)) <= longest


def test_names_that_have_room_stay_as_they_are() -> None:
    assert shorten_all(["cat", "dog"], 3) == ["cat", "dog"]
    assert shorten_all([], 3) == []
    assert shorten_all([ALIKE, ALIKE], 9) == ["red-…akes"] * 2


def test_what_they_begin_with() -> None:
    assert beginning(["model.1", "model.12", "model.2"]) == "model."
    assert beginning(["a"]) == "a"
    assert beginning([]) == beginning(["a", ""]) == ""
