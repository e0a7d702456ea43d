"""The `litmus` command, which is also `python -m litmus`: `litmus train`, and the verbs of `litmus.cli`."""

import os
import signal
import sys
from collections.abc import Sequence

from litmus.config.launch import launched
from litmus.config.types import Section
from litmus.errors import EXIT_STATUS, WRONG_COMMAND_LINE


def main() -> None:
    """Runs `litmus VERB ...`, and exits with its status."""
    if sys.argv[1:2] == ["train"]:
        del sys.argv[1]
        train()
        return
    _end_as_by_ctrl_c()
    if (launch := launched()) is not None:
        if launch.speaks:
            print(f"Only a training may be started by {launch.launcher}: type this without it.", file=sys.stderr)
        sys.exit(WRONG_COMMAND_LINE)
    from litmus.cli import main as cli

    cli.main(compose=compose)


def compose(overrides: Sequence[str]) -> Section:
    """The configuration of a run of these overrides; Hydra is imported for the verb that asks."""
    from litmus.compose.single import single_run

    return single_run(overrides)


def train() -> None:
    """`litmus train` and `python train.py`; a signal that arrives before a run has begun ends in a status, too."""
    _end_as_by_ctrl_c()
    if (launch := launched()) is not None and not launch.speaks:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.dup2(nowhere, sys.stderr.fileno())
    try:
        from litmus.compose.command_line import train

        train()
    except KeyboardInterrupt:  # while Hydra is imported
        sys.exit(EXIT_STATUS["interrupted"])


def _end_as_by_ctrl_c() -> None:
    """Until a run has handlers of its own, SIGTERM and a closed terminal raise KeyboardInterrupt."""
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


if __name__ == "__main__":
    main()
