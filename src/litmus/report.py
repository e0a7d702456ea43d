"""A run on the screen: what was composed, what it is made of, how it ended."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from litmus import screen
from litmus.check import shown
from litmus.rundir import RunDir

GROUPS = ("model", "data", "task", "optimizer", "scheduler", "trainer")


def configuration(config: dict[str, Any], choices: dict[str, str], defaults: dict[str, Any]) -> None:
    """The configuration in short: what was chosen, what differs from the defaults, then every key.

    Args:
        config: as it will run.
        choices: of the groups, `{"model": "cnn", ...}`.
        defaults: the configuration of these choices alone.
    """
    screen.say("  ".join(f"{group}={choices[group]}" for group in GROUPS), style="bold", wrap=True)
    usual = dict(_flat(defaults))
    differing = [(key, value) for key, value in _flat(config) if value != usual.get(key)]
    for key, value in differing:
        screen.say(f"  {key}={shown(value)}  (default {shown(usual.get(key))})")
    if not differing:
        screen.say("  every key as these choices have it")
    for group in GROUPS:
        keys = "  ".join(f"{k}={shown(v)}" for k, v in config[group].items() if k != "_target_" and v is not None)
        screen.say(f"  {group:<9}  {keys}", style="dim", wrap=True)


def _flat(section: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def parts(parts: Any) -> None:
    """The network layer by layer, the data, and the device."""
    rows = layers(parts.net, parts.data.spec)
    screen.table(("layer", "type", "output", "parameters"), rows)
    total = sum(p.numel() for p in parts.net.parameters())
    sizes = "  ".join(f"{name} {parts.data.facts[name]:,}" for name in ("train", "val", "test"))
    screen.say(f"{total:,} parameters")
    screen.say(f"data  {sizes}  from {parts.data.source}")
    screen.say(f"precision  {parts.hardware.precision}  ({parts.hardware.why})")


def layers(net: nn.Module, spec: Any) -> list[tuple[str, str, str, int]]:
    """Name, type, output shape (without the batch) and number of parameters of every leaf, in order of use."""
    rows: list[tuple[str, str, str, int]] = []

    def note(name: str) -> Any:
        def hook(module: nn.Module, _: Any, output: Any) -> None:
            shape = " x ".join(str(size) for size in output.shape[1:])
            rows.append((name, type(module).__name__, shape, sum(p.numel() for p in module.parameters())))

        return hook

    leaves = [(name, module) for name, module in net.named_modules() if not list(module.children())]
    hooks = [module.register_forward_hook(note(name)) for name, module in leaves]
    training = net.training
    try:
        with torch.no_grad():
            net.eval()(torch.zeros(2, spec.input.channels, spec.input.height, spec.input.width))
    finally:
        net.train(training)
        for hook in hooks:
            hook.remove()
    return rows


def result(run: RunDir, result: dict[str, Any]) -> None:
    """The final metrics as a table, the folder, and what to do next."""
    metrics = result["metrics"]
    names = list(dict.fromkeys(name.partition("/")[2] for name in metrics))
    known = [part for part in ("train", "val", "test") if any(name.startswith(part) for name in metrics)]
    if metrics:
        rows = [(part, *(metrics.get(f"{part}/{name}", "") for name in names)) for part in known]
        screen.table(("", *names), rows, title=f"best epoch {result['best_epoch']} of {result['epochs']}")
    if result["dataset"] and result["dataset"]["warning"]:
        screen.say(result["dataset"]["warning"], style="yellow")
    status = "" if result["status"] == "finished" else f"  {result['status']}"
    screen.say(f"run folder   {run.path}{status}", style="bold")
    if result["status"] == "interrupted":
        screen.say(f"go on with   python train.py resume={run.path}")
    if any(run.path.glob("events.out.tfevents*")):
        screen.say(f"look at it   tensorboard --load_fast=false --logdir {run.path}")
