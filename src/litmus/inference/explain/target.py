"""Which output of a network is explained."""

from collections.abc import Sequence

from torch import Tensor

from litmus.config.protocols import Net
from litmus.config.validate import did_you_mean
from litmus.errors import UserError
from litmus.inference.explain.attribution import Score
from litmus.spec import Values


def chosen(net: Net, outputs: Tensor, asked: str | None) -> int:
    """The number of the class, label or value that is explained: the one that is asked for, or the likeliest.

    Args:
        net: whose target are classes, labels or values.
        outputs: of the network, float (1, names).
        asked: its name; None takes the largest output, and of values the first.

    Raises:
        UserError: there is no such name.
    """
    target = net.spec.target
    if asked is not None:
        return number_of(asked, target.names, target.noun)
    return 0 if isinstance(target, Values) else int(outputs[0].argmax())


def number_of(asked: str, names: Sequence[str], noun: str) -> int:
    """The place of a name among others.

    Raises:
        UserError: it is not among them.
    """
    if asked not in names:
        shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        raise UserError(
            f"--target {asked}: there is no such name.{did_you_mean(asked, list(names))} The {noun} are: {shown}."
        )
    return list(names).index(asked)


def score_of(net: Net, number: int) -> Score:
    """The output of that number: of values in the data's unit."""
    target = net.spec.target
    if isinstance(target, Values):
        mean, std = target.mean[number], target.std[number]
        return lambda inputs: net(inputs)[:, number].float() * std + mean
    return lambda inputs: net(inputs)[:, number].float()
