"""A training step hands its work to the device and does not wait for it: no value is read back.

On a CPU the calls that would wait are counted in a step in the middle of an epoch, with all callbacks on; a GPU of
NVIDIA's says so itself.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning.pytorch as lightning
import pytest
import torch
from covering import covering
from helpers import MODELS, ON_HOUSES, ON_SCENES, ON_TABLE, ON_WAVE, SMALL, TINY, composed
from torch import Tensor

from litmus.record.folder import RunDir

Train = Callable[..., RunDir]
DATA = {"Images": ["data=mnist", *SMALL], "Tokens": ON_TABLE, "Series": ON_WAVE, "Columns": ON_HOUSES}
READS = ("item", "tolist", "numpy", "cpu", "nonzero", "__int__", "__bool__", "__float__", "__index__")
STEPS = (2, 3)  # of an epoch; the doctor looks at single steps, and the progress bar a few times a second
# Where a value may be read, and why the device does not wait, or has to.
ALLOWED = {
    "litmus/run/divergence.py": "on a CPU each loss is read; on a GPU every 50 steps",
    "litmus/data/image/boxes.py": "mosaics are drawn by the processor's generator",
    "litmus/data/text/tokens.py": "where texts end is known to the processor",
    "litmus/callback/ema.py": "the counter of steps is the processor's",
    "torch/optim/": "the counters of steps that are not fused are the processor's",
    "litmus/model/yolo.py": "the package's loss takes the boxes of a batch without their padding, so it counts them",
    "ultralytics/": "its loss counts boxes",
    "transformers/masking_utils.py": "on a CPU; on a GPU, BERT's mask has four dimensions: see the tests of networks",
}


def pairs() -> list[tuple[str, str]]:
    found = []
    for model in MODELS:
        module, _, name = composed(f"model={model}")["model"]["_target_"].rpartition(".")
        net = getattr(importlib.import_module(module), name)
        boxes = "Boxes" in {kind.__name__ for kind in net.target_kinds}
        found += [(model, "Boxes")] if boxes else [(model, kind.__name__) for kind in net.input_kinds]
    return found


PAIRS = pairs()


class MiddleSteps(lightning.Callback):
    """Enters a context for steps in the middle of an epoch, from the fetching of their batch to that of the next."""

    def __init__(self, context: Callable[[], object]) -> None:
        self.context = context
        self.entered = 0

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        if trainer.fit_loop.batch_idx == STEPS[0] - 1:
            self.open = self.context()
            self.open.__enter__()
            self.entered += 1
        elif trainer.fit_loop.batch_idx == STEPS[1]:
            self.open.__exit__(None, None, None)


def place() -> str:
    """The innermost file of a library that asked for the value, torch's own functions left out."""
    frame = sys._getframe(2)
    while frame is not None:
        path = frame.f_code.co_filename
        if "/torch/" not in path or "/torch/optim/" in path:
            return f"{path}:{frame.f_lineno}"
        frame = frame.f_back
    return "?"


@contextmanager
def counted(found: list[str]) -> Iterator[None]:
    """Notes from where values of tensors are read."""
    originals = {name: getattr(Tensor, name) for name in READS}

    def noting(name: str) -> Callable[..., object]:
        def read(self: Tensor, *args: object, **kwargs: object) -> object:
            found.append(f"{place()} {name}")
            return originals[name](self, *args, **kwargs)

        return read

    for name in READS:
        setattr(Tensor, name, noting(name))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(Tensor, name, original)


def trained(train: Train, model: str, kind: str, watch: MiddleSteps, *overrides: str) -> RunDir:
    few = ["trainer.max_epochs=1", "trainer.limit_batches=6", "callback.doctor.probes=1", "callback.ema.decay=0.9"]
    small = ON_SCENES if kind == "Boxes" else DATA[kind]
    run = train(
        f"model={model}",
        *TINY.get(model, []),
        *few,
        "data.batch_size=8",
        "callback.progress=null",
        *overrides,
        small=small,
        watching=[watch],
    )
    result = run.read_result()
    assert result["status"] == "finished", result["error"]
    assert watch.entered == 1
    return run


@pytest.mark.wide
@pytest.mark.usefixtures("narrow_resnet", "tables", "image_files")
@pytest.mark.parametrize(("model", "kind"), covering(PAIRS))
def test_no_step_reads_a_value(train: Train, model: str, kind: str) -> None:
    found: list[str] = []
    trained(train, model, kind, MiddleSteps(lambda: counted(found)))
    others = {each for each in found if not any(part in each for part in ALLOWED)}
    assert not others


def test_what_is_allowed_still_happens(train: Train) -> None:
    assert all(
        Path(importlib.import_module("litmus").__file__).parent.parent.joinpath(part).is_file()
        for part in ALLOWED
        if part.startswith("litmus/")
    )
    found: list[str] = []
    trained(train, "fnn", "Images", MiddleSteps(lambda: counted(found)))
    assert any("divergence.py" in each for each in found), "the test notices what it looks for"


@contextmanager
def errors_of_the_gpu() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU of NVIDIA's")
@pytest.mark.usefixtures("narrow_resnet", "tables", "image_files")
@pytest.mark.parametrize(("model", "kind"), [pair for pair in PAIRS if pair[1] != "Boxes"])  # see ALLOWED
def test_no_step_waits_for_the_gpu(train: Train, model: str, kind: str) -> None:
    trained(train, model, kind, MiddleSteps(errors_of_the_gpu), "trainer=gpu")
