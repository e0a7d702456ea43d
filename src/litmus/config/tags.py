"""What TensorBoard calls what it shows of a run."""

from litmus.config.keys import hyperparameters
from litmus.config.types import Section

# TensorBoard shows groups of tags, which are what stands before the first slash, in the order of their names, and opens
# the first two. So that these are `train` and `val`, all others begin with a later letter.
WHEN_BEST = "when_best/"  # metrics of the best epoch's weights: one point each
WITHIN_EPOCH = "within_epoch/"
WITHIN_NETWORK = "within_network/"  # histograms of weights, gradients and activations
WORKINGS = "workings/"  # learning rate, norm of the gradient, seconds...

COMPARED = ("model", "data", "task", "optimizer", "scheduler", "trainer", "seed")  # sections of the HParams row


def tag(metric: str) -> str:
    """The name under which TensorBoard has a metric: `workings/optim/lr` of `optim/lr`."""
    if metric.startswith(("train/", "val/")):
        return metric
    return f"{WHEN_BEST if metric.startswith('test/') else WORKINGS}{metric}"


def columns(config: Section) -> dict[str, str | float | bool]:
    """The hyperparameters that a person would compare, flat, by the names one types."""
    flat = {key: value for key, value in hyperparameters(config, COMPARED).items() if key != "task"}  # the data's
    plain = (str, float, int, bool)
    return {key: value if isinstance(value, plain) else str(value) for key, value in flat.items() if value is not None}
