"""What the README and the help page say can be typed, can be typed."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import CONF, ROOT, SMALL, composed, composed_whole
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from litmus.compose.help import page
from litmus.config.validate import mistakes, section_mistakes

README = (ROOT / "README.md").read_text().replace("\\\n", " ")
HELP = page(CONF, [])
COMMANDS = sorted(set(re.findall(r"^ *python train\.py ([^#\n]*?)(?:   .*)?$", README + "\n" + HELP, re.MULTILINE)))
BLOCKS = dict(re.findall(r"```(python|yaml)\n(.*?)```", README, re.DOTALL))


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
    known |= {f"callback.{name}.{key}" for name, section in composed()["callback"].items() for key in section}
    for key in set(
        re.findall(r"`((?:model|data|task|optimizer|trainer|callback|sweep)\.[a-z_.]+)(?:=[^`]*)?`", README)
    ):
        assert key in known, key


@pytest.mark.wide
def test_the_model_it_adds_trains_and_is_listed(tmp_path: Path) -> None:
    for part in ("src", "conf", "train.py"):
        (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, tmp_path / part)
    (tmp_path / "src/litmus/model/tiny.py").write_text(BLOCKS["python"])
    (tmp_path / "conf/model/tiny.yaml").write_text(BLOCKS["yaml"])
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "src")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "train.py", *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert "scratch | tiny" in run("--help").stdout
    done = run("model=tiny", *SMALL, "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    assert "7,850 parameters" in done.stdout
    assert "model.dropout is a probability" in run("model=tiny", "model.dropout=2").stderr
