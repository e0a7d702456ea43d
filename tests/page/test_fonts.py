"""Letters that are not English are drawn, or drawn without their accents; never as boxes."""

import pytest

from litmus.page import fonts

MISSING = "\U000f0000"  # of no font


@pytest.mark.skipif(fonts._wide(10) is None, reason="no font with more letters is here")
@pytest.mark.parametrize("letter", "éßłжΩ☕→")
def test_a_letter_is_no_box(letter: str) -> None:
    own = fonts.font(20, letter)
    assert bytes(own.getmask(letter)) != bytes(own.getmask(MISSING))
    assert fonts.drawable(letter) == letter


def test_without_such_a_font_accents_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_wide", lambda size: None)
    assert fonts.drawable("café\t1") == "cafe 1"


def test_english_keeps_its_font() -> None:
    assert fonts.font(12, "cat") is fonts.font(12, "dog")
