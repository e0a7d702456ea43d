"""What may go wrong, as exceptions that a person, or the run itself, can act on; and what a process exits with."""

import signal

# Exit statuses by how a run, a verb or a sweep ended; 130 is the shell's own for Ctrl-C. What is refused has not begun,
# and leaves nothing behind; what failed says in its run folder why.
EXIT_STATUS = {
    "finished": 0,
    "pruned": 0,
    "diverged": 1,
    "failed": 1,
    "not reproduced": 1,
    "refused": 2,
    "interrupted": 130,
}
WRONG_COMMAND_LINE = EXIT_STATUS["refused"]


class UserError(ValueError):
    """Something that the user can fix: shown as a sentence, without a traceback."""


class WrongArguments(UserError):
    """What was typed cannot be meant; a verb that raises it exits as one whose arguments cannot be read."""


class Unavailable(UserError):
    """Pretrained weights that are neither here nor can be downloaded; `what` says so, and where to put them."""

    def __init__(self, weights: str, what: str) -> None:
        super().__init__(
            f"model.weights={weights}: {what}, or set model.weights to a file of yours, or begin with random weights: "
            "model.weights=null."
        )
        self.what = what


class Interrupted(Exception):
    """A signal stopped the run."""

    def __init__(self, received: signal.Signals) -> None:
        super().__init__(f"stopped by {received.name}")
        self.received = received


class Diverged(Exception):
    """The loss is not a number any more, or 10,000 times what it was.

    Attributes:
        step: of the optimizer, from 1.
    """

    def __init__(self, what: str, step: int) -> None:
        super().__init__(f"diverged: {what}. Try a lower optimizer.lr, or trainer.gradient_clip=1.")
        self.step = step


class Pruned(Exception):
    """The search stopped this run: others are better."""


def first_line(error: Exception) -> str:
    """The first line of its message, empty where there is none."""
    return next(iter(str(error).splitlines()), "")
