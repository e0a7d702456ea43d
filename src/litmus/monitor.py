"""Which metric decides, and whether more of it is better: known without importing torch.

A task says it in two class attributes; they are read from the source text, as `litmus.check` reads signatures.
"""

import ast
import functools
import importlib.util
import re
from pathlib import Path

from litmus.check import Refused

# Of a metric's name the part after `train/`, `val/`, `test/`, `time/`. The first pattern that fits decides: `skill_mae`
# grows as the error falls, and a class may be called `loss`.
_MODES = (
    ("max", r"acc|f1(_.+)?|(precision|recall)(_.+)?|r|skill(_.+)?|map\d*|samples_per_second"),
    ("min", r"(.+_)?(loss|rmse|mae|seconds)"),
)


@functools.cache
def monitored(task_target: str) -> tuple[str, str]:
    """The metric that decides which epoch is best, and "min" or "max".

    Args:
        task_target: `litmus.task.classification.Classification` and the like.

    Raises:
        Refused: the target is no class of this package that has both.
    """
    module_name, _, name = task_target.rpartition(".")
    found = importlib.util.find_spec(module_name) if module_name.startswith("litmus.task.") else None
    tree = ast.parse(Path(found.origin).read_text(encoding="utf-8") if found and found.origin else "")
    body = next((node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), [])
    values = {
        node.target.id: node.value.value
        for node in body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    if not {"monitor", "mode"} <= set(values):
        raise Refused(f"{task_target} is not a task of litmus that names its monitored metric.")
    return str(values["monitor"]), str(values["mode"])


def mode_of(metric: str) -> str:
    """Whether a metric should be as large ("max") or as small ("min") as possible, by its name.

    Args:
        metric: as it is logged: `val/acc`, `time/epoch_seconds`, `val/seasonal_rmse`...

    Raises:
        Refused: the name does not say.
    """
    name = metric.rpartition("/")[2]
    for mode, pattern in _MODES:
        if re.fullmatch(pattern, name):
            return mode
    raise Refused(
        f"Whether {metric} should be small or large, its name does not say: "
        "add sweep.direction=minimize or sweep.direction=maximize."
    )
