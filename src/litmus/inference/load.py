"""A network with its weights: out of a run folder, or published."""

from typing import Any

from litmus.config.instantiate import build, defaults, target
from litmus.config.keys import CONF
from litmus.config.types import Section
from litmus.config.validate import choices, did_you_mean, mistakes, signature
from litmus.errors import Unavailable, UserError
from litmus.record.checkpoint import load_checkpoint
from litmus.record.folder import RunDir


def load_run(run: RunDir) -> Any:
    """The run's network with its best weights, on the CPU, ready to be asked; its `spec` says what it reads.

    Raises:
        UserError: the run has no weights yet, or was made by a version of litmus that does not fit.
    """
    config = run.read_config()
    if not run.best.is_file():
        raise UserError(f"{run.path} has no {run.best.name}: no epoch was finished.")
    if wrong := mistakes(config):
        raise UserError("\n".join(wrong))
    checkpoint = load_checkpoint(run.best)
    net = build({**config["model"], **checkpoint.model}, checkpoint.spec)
    net.load_state_dict(checkpoint.weights)
    return net.eval()


def load_pretrained(name: str) -> Any:
    """A network with its published weights, on the CPU, ready to be asked: `resnet50`, `yolo11n`...

    Raises:
        UserError: there is none of that name, or its weights cannot be had.
    """
    offered: dict[str, Section] = {}
    for path in sorted((CONF / "model").glob("*.yaml")):
        section = defaults("model", path.stem)
        offered |= dict.fromkeys(map(str, choices(signature(section["_target_"]).get("arch"))), section)
    if name not in offered:
        hint = did_you_mean(name, list(offered))
        raise UserError(f"There is no network {name} with published weights.{hint} There are: {', '.join(offered)}.")
    try:
        weights, spec = target(offered[name]).pretrained_spec(name)
    except Unavailable as missing:
        raise UserError(f"{name}: {missing.what}, or ask a run: litmus predict RUN.") from None
    return build({**offered[name], "arch": name, "weights": weights}, spec).eval()
