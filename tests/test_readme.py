"""What the README, docs/ and the help page say can be typed, can be typed; what they link is there."""

import re
import shlex
from pathlib import Path

import pytest
from helpers import CONF, ROOT, composed, composed_whole
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from litmus.compose.help import page
from litmus.config.validate import mistakes, section_mistakes

FRONT = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
README = "\n".join(
    text for path, text in PAGES.items() if path.name not in ("benchmarks.md", "doctor.md", "extending.md")
).replace("\\\n", " ")
FILES = (".bin", ".onnx", ".pt2", ".xml", ".yaml")  # whose names begin as a key does
MOST_LINES = 250  # of the README
HELP = page(CONF, [])
COMMANDS = sorted(set(re.findall(r"^ *python train\.py ([^#\n]*?)(?:   .*)?$", README + "\n" + HELP, re.MULTILINE)))


def test_commands_are_found() -> None:
    assert len(COMMANDS) > 8


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_composes(words: str) -> None:
    overrides = [word for word in shlex.split(words) if "=" in word and not word.startswith("resume=")]
    if "-m" in words.split():
        with initialize_config_dir(str(CONF), version_base="1.3"):
            parser = OverridesParser.create(GlobalHydra.instance().config_loader())
        parsed = [word for word in parser.parse_overrides(overrides) if not word.is_sweep_override()]
        varying = [word for word in parser.parse_overrides(overrides) if word.is_sweep_override()]
        firsts = [f"{word.key_or_group}={_first(word)}" for word in varying]
        overrides = [*(str(word.input_line) for word in parsed), *firsts]
    assert mistakes(composed(*overrides)) == []
    assert section_mistakes("sweep", composed_whole(*overrides)["sweep"]) == []


def _first(word: Override) -> str:
    return next(iter(word.sweep_string_iterator())) if word.is_discrete_sweep() else repr(word.value().start)


def test_every_key_it_names_exists() -> None:
    known = set()
    for group, choice in [(path.parent.name, path.stem) for path in CONF.glob("*/[!_]*.yaml")]:
        if group not in ("experiment", "callback"):
            known |= {f"{group}.{key}" for key in composed_whole(f"{group}={choice}")[group]}
    callbacks = composed()["callback"]
    known |= {f"callback.{name}.{key}" for name, section in callbacks.items() for key in section}
    known |= {f"callback.{name}" for name in callbacks}
    for key in set(
        re.findall(r"`((?:model|data|task|optimizer|trainer|callback|sweep)\.[a-z_.]+)(?:=[^`]*)?`", README)
    ):
        assert key in known or Path(key).suffix in FILES, key


def heading_anchors(text: str) -> set[str]:
    """Those that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere() -> None:
    for path, text in PAGES.items():
        for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
            name, _, anchor = target.partition("#")
            page = path.parent / name if name else path
            assert page.exists(), (path.name, target)
            assert not anchor or anchor in heading_anchors(page.read_text(encoding="utf-8")), (path.name, target)


def test_the_readme_is_short_and_names_every_page() -> None:
    assert len(FRONT.splitlines()) < MOST_LINES
    for path in PAGES:
        assert path.name == "README.md" or f"](docs/{path.name})" in FRONT, path.name
