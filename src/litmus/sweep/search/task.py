"""Which task the data of a search makes, known before its first trial: what is searched for follows from it.

Where only who reads the data knows, a process of its own does, because the launcher's imports no torch:
`python -m litmus.sweep.search.task`, with the configuration as JSON on standard input.
"""

import json
import os
import subprocess
import sys

from litmus.config.deferred import defer
from litmus.config.fit import TASKS, settled_task
from litmus.config.instantiate import build, defaults
from litmus.config.keys import choice
from litmus.config.protocols import Data
from litmus.config.types import Section
from litmus.errors import UserError


def task_of(config: Section) -> str:
    """The task that predicts the data's target: its class, such as `litmus.task.regression.Regression`.

    Args:
        config: of a trial.

    Raises:
        UserError: the data cannot be read.
    """
    name = settled_task(config["data"]) or _read_task(config)
    return str(defaults("task", name)["_target_"])


def _read_task(config: Section) -> str:
    # -P: a module that happens to lie in the current folder must not be taken for one of Python's.
    command = [sys.executable, "-P", "-m", "litmus.sweep.search.task"]
    ran = subprocess.run(command, input=json.dumps(config), capture_output=True, text=True, check=False)
    if ran.returncode == 0:
        answer = json.loads(ran.stdout)
        if "task" in answer:
            return str(answer["task"])
        raise UserError(answer["refused"])
    said = (ran.stderr.strip().splitlines() or [f"exit status {ran.returncode}"])[-1]
    raise UserError(f"data={choice(config, 'data')} could not be read, to find what the search is for: {said}")


def main() -> None:
    """Reads the data, and writes the name of the task on standard output, or why the data cannot be read."""
    config = json.load(sys.stdin)
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what is said meanwhile, each trial says again
    defer()
    try:
        data: Data = build(config["data"], config["seed"])
        data.prepare_data()
        answer = {"task": TASKS[type(data.spec.target)]}
    except UserError as refused:
        answer = {"refused": str(refused)}
    os.write(answers, json.dumps(answer).encode())


if __name__ == "__main__":
    main()
