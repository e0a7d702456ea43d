"""How a run ended, to the last bit: to compare one that was killed and resumed with one that was not."""

from collections.abc import Callable
from pathlib import Path

import torch

from litmus.config.tags import WHEN_BEST, WITHIN_EPOCH, WORKINGS
from litmus.config.types import Section
from litmus.record.folder import RunDir

STATE = ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step")  # of Lightning's checkpoint
RESULT = ("status", "metrics", "best_epoch", "epochs", "steps")  # of result.json
TIMES = "time/"  # how the names of metrics begin that differ each time


def ending(run: RunDir) -> Section:
    """A run's end, by part: see `PARTS`; times are left out.

    Raises:
        OSError, RuntimeError: a file is missing or damaged.
    """
    return {part: end_of(run) for part, end_of in PARTS.items()}


def _weights(run: RunDir) -> object:
    content = torch.load(run.last, weights_only=True)
    return _bits({name: content[name] for name in STATE})


def _rows(run: RunDir) -> object:
    return [{name: value for name, value in row.items() if not name.startswith(TIMES)} for row in run.read_metrics()]


def _result(run: RunDir) -> object:
    result = run.read_result() or {}
    return {name: result.get(name) for name in RESULT}


def points(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Every point of training that TensorBoard shows of a run, by the metric's name: step and value.

    A run of an earlier version, which named some otherwise, has the same names here.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    shown = {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}
    named = {name.removeprefix(WORKINGS).replace(WITHIN_EPOCH, "step/"): found for name, found in shown.items()}
    return {name: found for name, found in named.items() if not name.startswith((TIMES, WHEN_BEST, "test/"))}


def _bits(value: object) -> object:
    """The same, with tensors as their bytes: NaN equals NaN, and 0.0 is not -0.0."""
    if isinstance(value, torch.Tensor):
        content = value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        return str(value.dtype), tuple(value.shape), content
    if isinstance(value, dict):
        return {key: _bits(inner) for key, inner in value.items()}
    return [_bits(inner) for inner in value] if isinstance(value, list | tuple) else value


PARTS: dict[str, Callable[[RunDir], object]] = {
    "weights and optimizer": _weights,
    "metrics.csv": _rows,
    "result.json": _result,
    "TensorBoard": lambda run: points(run.path),
}
