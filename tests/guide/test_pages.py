"""Every page of the guide has what it needs: a command, a figure, claims that are tested, a question, references."""

import importlib.util
import re
from pathlib import Path

import guide_runs
import pytest
import yaml
from helpers import ROOT

PAGES = guide_runs.pages()
FEWEST, MOST = 300, 700  # words of a page, without its commands


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return page.stem.partition("-")[2]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_whole(page: Path) -> None:
    text, name = text_of(page), name_of(page)
    assert guide_runs.commands(page)
    assert re.search(rf"!\[[^\]]{{20,}}\]\({name}\.png\)", text), "a figure, with a text for those who do not see it"
    assert (page.parent / f"{name}.png").stat().st_size < 150_000
    assert importlib.util.spec_from_file_location(name, page.parent / f"{name.replace('-', '_')}.py")
    assert (page.parent / f"{name.replace('-', '_')}.py").is_file(), "what draws it"
    assert (ROOT / "tests" / "guide" / f"test_{name.replace('-', '_')}.py").is_file(), "tests of what it claims"
    for heading in ("Run it", "What to look at", "Try it", "Read on"):
        assert f"\n## {heading}\n" in text
    assert text.count("<details><summary>Answer</summary>") == 1
    words = re.sub(r"```.*?```|\$\$.*?\$\$|\(https?:[^)]*\)", " ", text, flags=re.DOTALL)
    assert FEWEST <= len(words.split()) <= MOST


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_index_shows_it(page: Path) -> None:
    index = text_of(guide_runs.GUIDE / "index.md")
    assert f"]({page.name})" in index
    assert f"]({name_of(page)}.png)" in index
    nav = yaml.safe_load((ROOT / "docs" / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    assert page.name in str(nav)


def test_links_between_pages_lead_somewhere() -> None:
    for page in (*PAGES, guide_runs.GUIDE / "index.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text_of(page)):
            assert (page.parent / target).exists(), (page.name, target)
