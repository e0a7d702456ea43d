"""Runs the commands of the guide's pages, once for all tests of a page."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from helpers import ROOT

sys.path.insert(0, str(ROOT / "docs"))
import guide_runs
from guide_runs import Run


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sequence[Run]:
    """Those of the page that the test's module is named after: `test_perceptron.py` is of `01-perceptron.md`."""
    name = Path(request.path).stem.removeprefix("test_").replace("_", "-")
    (page,) = [page for page in guide_runs.pages() if page.stem.partition("-")[2] == name]
    return guide_runs.run(page, tmp_path_factory.mktemp(name))
