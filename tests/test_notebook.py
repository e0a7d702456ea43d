"""docs/python.ipynb is what docs/notebook.py makes, and its cells run."""

import importlib.util
import json
from types import ModuleType

import pytest
from helpers import ROOT


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebook", ROOT / "docs" / "notebook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def written() -> list[dict]:
    return json.loads((ROOT / "docs" / "python.ipynb").read_text())["cells"]


def test_the_notebook_has_the_cells_of_its_script() -> None:
    kept = [(cell["id"], cell["cell_type"], cell["source"]) for cell in written()]
    assert kept == [(cell["id"], cell["cell_type"], cell["source"]) for cell in maker().cells()]
    assert sum(bool(cell.get("outputs")) for cell in written()) >= 6


@pytest.mark.slow
def test_the_cells_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LITMUS_DATA")
    cells = maker().cells()
    maker().run(cells)
    for cell, before in zip(cells, written(), strict=True):
        assert bool(cell.get("outputs")) == bool(before.get("outputs")), cell["source"]
    assert "inverted" in json.dumps(cells[-1]["outputs"])
