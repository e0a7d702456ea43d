"""A trained network, and what it answers about texts and pictures."""

from typing import Any

from litmus.errors import Refused
from litmus.inference.images import Pictures
from litmus.inference.texts import Texts
from litmus.spec import Images, Tokens


def asked(net: Any) -> "Texts | Pictures":
    """What answers for a network, by what it reads.

    Raises:
        Refused: it reads neither texts nor pictures.
    """
    read = net.spec.input
    if isinstance(read, Tokens):
        return Texts(net)
    if isinstance(read, Images):
        return Pictures(net)
    raise Refused(
        f"The network reads {read.noun}; litmus predict asks about texts and pictures. litmus export RUN writes it for "
        "programs of your own."
    )
