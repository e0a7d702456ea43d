"""What predicts with a network, chosen by the kind of its input."""

from litmus.config.protocols import Net
from litmus.errors import UserError
from litmus.inference.images import ImagePredictor
from litmus.inference.pipeline import PipelinePredictor
from litmus.inference.texts import TextPredictor
from litmus.spec import Images, Tokens

Predictor = ImagePredictor | TextPredictor | PipelinePredictor


def predictor(net: Net) -> ImagePredictor | TextPredictor:
    """What predicts with a network.

    Raises:
        UserError: the network's input is neither images nor texts.
    """
    if isinstance(net.spec.input, Tokens):
        return TextPredictor(net)
    if isinstance(net.spec.input, Images):
        return ImagePredictor(net)
    raise UserError(
        f"This network takes {net.spec.input.noun}; litmus predict supports images and texts. Use litmus export RUN, "
        "and run the network in your own program."
    )
