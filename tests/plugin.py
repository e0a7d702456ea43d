"""The package of docs/extending.md, and how a process gets to know it."""

import os
import re
from pathlib import Path

from helpers import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text()
FILES = re.findall(r"^`mixers/(\S+)`\n\n```(?:python|yaml|toml)\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
NAME = "mixers"
SOURCE, YAML = "mixers/mlp_mixer.py", "mixers/conf/model/mlp_mixer.yaml"


def write(folder: Path) -> Path:
    """Writes the package; gives the folder of its code."""
    for name, content in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder / NAME


def install(folder: Path) -> None:
    """Writes what pip leaves beside an installed package."""
    info = folder / "mixers-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: mixers\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[console_scripts]\nx = y:z\n\n[litmus.plugins]\nmixers = mixers\n")


def environment(folder: Path | None = None, named: str | None = NAME) -> dict[str, str]:
    """Variables of a process that looks for packages in a folder, and has some of them named."""
    others = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "LITMUS_PLUGINS")}
    path = {} if folder is None else {"PYTHONPATH": str(folder)}
    return {**others, **path, **({} if named is None else {"LITMUS_PLUGINS": named}), "COLUMNS": "150"}
