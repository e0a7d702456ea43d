"""How a run ended, to the last bit: to compare one that was killed and resumed with one that was not."""

from pathlib import Path

import torch

from litmus.config.types import Section
from litmus.record.folder import RunDir

STATE = ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step")  # of Lightning's checkpoint
RESULT = ("status", "metrics", "best_epoch", "epochs", "steps")  # of result.json
TIMES = "time/"  # how the names of metrics begin that differ each time


def ending(run: RunDir) -> Section:
    """A run's end, by part: `weights and optimizer`, `metrics.csv`, `result.json`, `TensorBoard`; times are left out.

    Raises:
        OSError, RuntimeError: a file is missing or damaged.
    """
    content = torch.load(run.last, weights_only=True)
    rows = [{name: value for name, value in row.items() if not name.startswith(TIMES)} for row in run.read_metrics()]
    result = run.read_result() or {}
    return {
        "weights and optimizer": _bits({name: content[name] for name in STATE}),
        "metrics.csv": rows,
        "result.json": {name: result.get(name) for name in RESULT},
        "TensorBoard": points(run.path),
    }


def points(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Every point of training that TensorBoard shows of a run, by name: step and value."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    shown = {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}
    return {name: found for name, found in shown.items() if not name.startswith((TIMES, "test/"))}


def _bits(value: object) -> object:
    """The same, with tensors as their bytes: NaN equals NaN, and 0.0 is not -0.0."""
    if isinstance(value, torch.Tensor):
        content = value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        return str(value.dtype), tuple(value.shape), content
    if isinstance(value, dict):
        return {key: _bits(inner) for key, inner in value.items()}
    return [_bits(inner) for inner in value] if isinstance(value, list | tuple) else value
