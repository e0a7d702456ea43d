"""The task that a configuration's data makes: `python -m litmus.run.task` asks the data, so that a search need not.

What starts a sweep imports no torch, and a table's target is only known by reading it.
"""

import json
import logging
import subprocess
import sys

from litmus.config.fit import kinds_of_data
from litmus.config.types import Section
from litmus.errors import UserError

REFUSED = 2  # the exit status where the data cannot be used


def task_of(config: Section) -> str:
    """The class of the task, such as `litmus.task.regression.Regression`.

    Args:
        config: of a run.

    Raises:
        UserError: the data cannot be read, or the section `task` has values that its task does not have.
    """
    if len(kinds_of_data(config["data"]["_target_"]).targets) < 2:
        return str(config["task"]["_target_"])
    command = [sys.executable, "-P", "-m", "litmus.run.task"]
    done = subprocess.run(command, input=json.dumps(config), capture_output=True, text=True, check=False)
    if done.returncode == REFUSED:
        raise UserError(done.stderr.strip())
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with exit status {done.returncode}:\n{done.stderr}")
    return done.stdout.splitlines()[-1]


def main() -> int:
    """Reads a configuration, and prints the class; what is odd about the data is said when it trains."""
    from litmus.config.deferred import defer

    defer()
    from litmus.config import protocols
    from litmus.config.instantiate import build
    from litmus.run.build import fitting_task

    logging.disable(logging.WARNING)
    config = json.load(sys.stdin)
    try:
        data: protocols.Data = build(config["data"], config["seed"])
        data.prepare_data()
        print(fitting_task(config["task"], data.spec)["_target_"])
    except UserError as error:
        print(error, file=sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
