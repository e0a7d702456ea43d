"""What may go wrong, as exceptions that a person, or the run itself, can act on."""


class Pruned(Exception):
    """The sweep has seen enough of this run."""


class UserError(ValueError):
    """Something a person can mend: shown as a sentence, without a traceback."""


class Unavailable(UserError):
    """Published weights that are neither here nor to be had; `what` says so, and where to put them."""

    def __init__(self, weights: str, what: str) -> None:
        super().__init__(
            f"model.weights={weights}: {what}, or set model.weights to a file of yours, or begin at random with "
            "model.weights=null."
        )
        self.what = what
