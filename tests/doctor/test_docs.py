"""docs/doctor.md is what docs/doctor.py writes."""

import runpy

from helpers import ROOT


def test_the_page_of_rules_is_current() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "doctor.py"))["page"]()
    assert (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8") == page, "write it again: python docs/doctor.py"
