"""What TensorBoard calls what it shows of a run."""

# TensorBoard shows groups of tags, which are what stands before the first slash, in the order of their names, and opens
# the first two. So that these are `train` and `val`, all others begin with a later letter.
WHEN_BEST = "when_best/"  # metrics of the best epoch's weights: one point each
WITHIN_EPOCH = "within_epoch/"
WORKINGS = "workings/"  # learning rate, norm of the gradient, seconds...


def tag(metric: str) -> str:
    """The name under which TensorBoard has a metric: `workings/optim/lr` of `optim/lr`."""
    if metric.startswith(("train/", "val/")):
        return metric
    return f"{WHEN_BEST if metric.startswith('test/') else WORKINGS}{metric}"
