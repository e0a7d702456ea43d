"""A network with its weights: from a run folder, or pretrained."""

from litmus.config.fit import architectures
from litmus.config.instantiate import build, target
from litmus.config.protocols import Net
from litmus.config.validate import did_you_mean, mistakes
from litmus.errors import Unavailable, UserError
from litmus.record.checkpoint import load_best
from litmus.record.folder import RunDir


def load_run(run: RunDir) -> Net:
    """The network of a run with its best weights, on the CPU, in evaluation mode.

    Raises:
        UserError: the run has no checkpoint yet, or this version of litmus does not support its configuration.
    """
    config = run.read_config()
    if wrong := mistakes(config):
        raise UserError("\n".join(wrong))
    checkpoint = load_best(run)
    net: Net = build(checkpoint.rebuilding(config["model"]), checkpoint.spec)
    checkpoint.load_into(net, run.best)
    return net.eval()


def load_pretrained(arch: str) -> Net:
    """A network with its pretrained weights, on the CPU, in evaluation mode.

    Args:
        arch: a value of `model.arch`, such as `resnet50` or `yolo11n`.

    Raises:
        UserError: there is no such architecture, or its weights are not available.
    """
    sections = architectures()
    if arch not in sections:
        hint = did_you_mean(arch, list(sections))
        raise UserError(f"There is no pretrained model {arch}.{hint} Choose one of: {', '.join(sections)}.")
    net_class: type[Net] = target(sections[arch])
    try:
        weights, spec = net_class.pretrained_spec(arch)
    except Unavailable as missing:
        raise UserError(f"{arch}: {missing.what}, or use a run: litmus predict RUN.") from None
    net: Net = build({**sections[arch], "arch": arch, "weights": weights}, spec)
    return net.eval()
