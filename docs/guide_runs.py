"""What the pages of docs/guide/ run: their commands are read from them, so that what is tested is what is printed."""

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from transcripts import COLUMNS, ROOT, environment, words

from litmus.record.folder import RunDir

GUIDE = ROOT / "docs" / "guide"
COMMANDS = re.compile(r"^```\n((?:(?:python train\.py|litmus) [^\n]*\n)+)```$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """A run that has ended.

    Attributes:
        path: of its folder.
        config: as config.yaml holds it.
        result: as result.json holds it.
    """

    path: Path
    config: dict
    result: dict

    def has(self, **wanted: object) -> bool:
        """Whether keys have these values: `model`, `data` and `seed`, or `data__kind` for `data.kind`."""
        return all(self._value(key) == value for key, value in wanted.items())

    def _value(self, key: str) -> object:
        if key in ("model", "data"):
            return self.result[key]
        value: object = self.config
        for part in key.split("__"):
            assert isinstance(value, dict)
            value = value[part]
        return value

    def metric(self, name: str) -> float:
        """A metric of the best epoch, or of the test, such as `test/acc`."""
        return float(self.result["metrics"][name])

    def layers(self, name: str, epoch: int) -> dict[str, float]:
        """What health.json has of an epoch, such as `gradient`, by the layers' names; epoch 0 is the first step."""
        health = RunDir(self.path).read_health()
        assert health is not None
        (row,) = [each for each in health["epochs"] if each["epoch"] == epoch]
        values = zip(health["layers"], row[name], strict=True)
        return {layer["name"]: value for layer, value in values if value is not None}

    @property
    def findings(self) -> set[str]:
        """The names of what the doctor found."""
        return {finding["name"] for finding in self.result["findings"]}


def pages() -> list[Path]:
    """Those of the guide, in their order."""
    return sorted(GUIDE.glob("[0-9]*.md"))


def commands(page: Path) -> list[str]:
    """The commands of a page's first block of them."""
    found = COMMANDS.search(page.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{page} has no block of commands.")
    return found[1].splitlines()


def run(page: Path, folder: Path) -> list[Run]:
    """Runs a page's commands in a folder; gives the runs that they made.

    Raises:
        CalledProcessError: one of them failed.
    """
    (folder / "train.py").symlink_to(ROOT / "train.py")
    for command in commands(page):
        done = subprocess.run(
            [sys.executable, *words(command)[1:]] if command.startswith("python ") else shlex.split(command),
            cwd=folder,
            env=environment(folder, COLUMNS),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout)
    return [_read(path.parent) for path in sorted(folder.glob("outputs/**/result.json"))]


def _read(path: Path) -> Run:
    config = yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8"))
    return Run(path, config, yaml.safe_load((path / "result.json").read_text(encoding="utf-8")))


def of(runs: Sequence[Run], **wanted: object) -> list[Run]:
    """Those runs that have these values: see `Run.has`; at least one."""
    found = [run for run in runs if run.has(**wanted)]
    assert found, f"no run has {wanted}"
    return found
