"""The short loop over batches does what Lightning's does, to the last bit."""

from collections.abc import Callable

import lightning.pytorch as lightning
import pytest
import torch
from covering import covering
from helpers import CONF, TINY
from lightning.pytorch.callbacks import LambdaCallback
from world import DATA, MODELS, data_for

from litmus.record.folder import RunDir
from litmus.run.ending import ending
from litmus.run.steps import UNUSED, Steps
from litmus.trainer import STEP_HOOKS

Train = Callable[..., RunDir]
# Batches of no power of two: what is multiplied by their size, and divided again, may be another number.
FEW = ["trainer=cpu", "trainer.max_epochs=2", "trainer.limit_batches=5", "data.batch_size=7"]
SETTINGS = {
    "plain": [],
    "accumulated": ["trainer.accumulate_grad_batches=2", "trainer.gradient_clip=0.1", "callback.ema.decay=0.9"],
    "bf16": ["trainer.precision=bf16-mixed", "scheduler=plateau"],
    "skipping": ["trainer.on_divergence=skip"],
    "limited": ["trainer.max_steps=7"],
}
LARGE = ("resnet", "yolo")  # which take as long as all others
BOTH = ("plain", "accumulated")
PAIRS = covering([(model, setting) for model in MODELS if model not in LARGE for setting in BOTH])
PAIRS += [pytest.param(model, setting, marks=pytest.mark.slow) for model in LARGE for setting in BOTH]
PAIRS += [pytest.param("cnn", setting) for setting in SETTINGS if setting not in ("plain", "accumulated")]
OPTIMIZERS = [f"optimizer={path.stem}" for path in sorted((CONF / "optimizer").glob("*.yaml"))]
SETTINGS |= {optimizer: [optimizer] for optimizer in OPTIMIZERS}
PAIRS += [pytest.param("fnn", optimizer) for optimizer in OPTIMIZERS]


@pytest.fixture
def lengths(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each epoch, whether its steps were short."""
    seen: list[bool] = []
    begin = Steps.on_run_start

    def noting(self: Steps, *arguments: object) -> None:
        begin(self, *arguments)  # type: ignore[arg-type]
        seen.append(self._is_plain)

    monkeypatch.setattr(Steps, "on_run_start", noting)
    return seen


def plain(state: object) -> object:
    """The same with lists in place of tensors."""
    if isinstance(state, torch.Tensor):
        return state.tolist()
    if isinstance(state, dict):
        return {name: plain(value) for name, value in state.items()}
    return [plain(value) for value in state] if isinstance(state, list | tuple) else state


@pytest.mark.wide
@pytest.mark.usefixtures("narrow_resnet", "tables", "image_files")
@pytest.mark.parametrize(("model", "setting"), PAIRS)
def test_every_network_ends_with_the_same_bits(
    model: str, setting: str, train: Train, lengths: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [f"model={model}", *TINY.get(model, []), *FEW, *SETTINGS[setting]]
    short = train(*words, small=DATA[data_for(model)], folder="short")
    assert short.read_result()["status"] == "finished", short.read_result()["error"]
    assert lengths == [True, True]
    with monkeypatch.context() as patched:
        patched.setattr(Steps, "_can_be_shortened", lambda *_: False)
        long = train(*words, small=DATA[data_for(model)], folder="long")
    assert lengths == [True, True, False, False]
    assert ending(short) == ending(long)
    loops = [plain(torch.load(run.last, weights_only=True)["loops"]) for run in (short, long)]
    assert loops[0] == loops[1], "progress, as Lightning counts it"


def test_a_hook_of_somebody_else_is_left_to_lightning(train: Train, lengths: list[bool]) -> None:
    class Logging(lightning.Callback):
        def on_train_batch_end(
            self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *arguments: object
        ) -> None:
            pl_module.log("mine", torch.tensor(1.0), on_step=False, on_epoch=True)

    run = train("model=fnn", *FEW, watching=[Logging()])
    assert run.read_result()["status"] == "finished"
    assert lengths == [False, False]


@pytest.mark.parametrize("hook", STEP_HOOKS)
def test_every_hook_of_a_callback_is_called(hook: str, train: Train, lengths: list[bool]) -> None:
    called: list[int] = []

    class Watching(lightning.Callback):
        pass

    def own(self: Watching, trainer: lightning.Trainer, *arguments: object) -> None:
        called.append(trainer.global_step)

    own.__module__ = "litmus.callback.watching"
    setattr(Watching, hook, own)
    train("model=fnn", *FEW, watching=[Watching()])
    assert lengths == [True, True]
    assert len(called) == 10


def test_a_task_s_own_hook_is_left_to_lightning(
    train: Train, lengths: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    from litmus.task.classification import Classification

    for name in UNUSED:
        assert name in vars(lightning.LightningModule) or hasattr(lightning.LightningModule, name)
    monkeypatch.setattr(Classification, "on_before_zero_grad", lambda *_: None)
    train("model=fnn", *FEW)
    assert lengths == [False, False]


def test_a_hook_that_is_no_function_of_a_class_is_left_to_lightning(train: Train, lengths: list[bool]) -> None:
    called: list[int] = []
    watching = LambdaCallback(on_train_batch_end=lambda *_: called.append(1))
    assert train("model=fnn", *FEW, watching=[watching]).read_result()["status"] == "finished"
    assert lengths == [False, False]
    assert len(called) == 10
