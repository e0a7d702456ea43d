"""Names of run folders: the moment at which a run starts, and what was typed."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

LONGEST = 80  # characters of a name
LONGEST_VALUE = 24
NOT_SAID = ("model", "data", "resume", "sweep")  # in the parent folder's name, or no property of the run


def run_name(moment: datetime, overrides: Sequence[str]) -> str:
    """`2026-11-28_06-29-12-345_dropout-0.3_lr-0.01`: names in the order of the runs, which tell them apart.

    Milliseconds, so that two runs may start in the same second. Of what was typed there are as many as `LONGEST`
    allows, in the order of their keys. All characters can be typed without quotes, and stand in a file's name anywhere.

    Args:
        moment: at which the run starts.
        overrides: as typed, Hydra's own left out.
    """
    name = f"{moment:%Y-%m-%d_%H-%M-%S-%f}"[:-3]
    typed = dict(sorted(map(_key_and_value, overrides)))
    typed = {key: value for key, value in typed.items() if key not in NOT_SAID and not key.startswith("sweep.")}
    times = Counter(_last(key) for key in typed)
    for key, value in typed.items():
        word = _safe(_last(key) if times[_last(key)] == 1 else key) + (f"-{value}" if value else "")
        if len(name) + 1 + len(word) <= LONGEST:
            name += f"_{word}"
    return name


def _key_and_value(override: str) -> tuple[str, str]:
    """The key, and the value as a name has it; of a key that is taken out (`~callback.ema`), `off`."""
    key, _, value = override.partition("=")
    if key.startswith("~"):
        return key.lstrip("~"), "off"
    # Of a path or an address what comes last, without a query: the rest is private, or the same for all runs.
    parts = [re.split(r"[?#]", part)[0].rstrip("/\\") for part in re.split(r"[\[\]{}(),\s'\"]+", value)]
    short = "-".join(last for part in parts if (last := re.split(r"[/\\]", part)[-1]))
    return key.lstrip("+"), _safe(re.sub(r"(?<=\de)\+", "", short))[:LONGEST_VALUE].rstrip("-.")


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def _safe(text: str) -> str:
    """The text, with a hyphen for all that is not a letter of ASCII, a digit, a point, a hyphen or an underscore."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).rstrip("-.")
