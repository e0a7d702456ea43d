"""A trained network, and what it answers about texts and pictures."""

from typing import Any

from litmus.errors import UserError
from litmus.inference.images import ImagePredictor
from litmus.inference.texts import TextPredictor
from litmus.spec import Images, Tokens


def predictor(net: Any) -> "TextPredictor | ImagePredictor":
    """What answers for a network, by what it reads.

    Raises:
        UserError: it reads neither texts nor pictures.
    """
    read = net.spec.input
    if isinstance(read, Tokens):
        return TextPredictor(net)
    if isinstance(read, Images):
        return ImagePredictor(net)
    raise UserError(
        f"The network reads {read.noun}; litmus predict asks about texts and pictures. litmus export RUN writes it for "
        "programs of your own."
    )
