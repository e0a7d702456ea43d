"""docs/doctor.md and its picture are what docs/doctor.py writes of the rules and of docs/doctor.json."""

import json
import runpy

from helpers import ROOT

DOCS = ROOT / "docs"


def test_the_page_of_rules_is_current() -> None:
    report = json.loads((DOCS / "doctor.json").read_text(encoding="utf-8"))
    page = runpy.run_path(str(DOCS / "doctor.py"))["page"](report)
    assert (DOCS / "doctor.md").read_text(encoding="utf-8") == page, "write it again: python docs/doctor.py"
