"""Where the files of the configuration lie, and which classes and functions they name."""

import functools
import re
from importlib import resources
from pathlib import Path


def _conf() -> Path:
    """The folder of the configuration: beside `src` in a checkout, whatever else is installed; else the package's."""
    beside = Path(__file__).parents[3] / "conf"
    return beside if (beside / "train.yaml").is_file() else Path(str(resources.files("litmus.conf")))


CONF = _conf()


@functools.cache
def targets() -> dict[str, frozenset[str]]:
    """Of each group, such as "model", every `_target_` in its files: nothing else is ever built of a configuration."""
    named: dict[str, set[str]] = {}
    for path in CONF.glob("*/*.yaml"):
        found = re.findall(r"^\s*_target_:\s*(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        named.setdefault(path.parent.name, set()).update(found)
    return {group: frozenset(names) for group, names in named.items()}
