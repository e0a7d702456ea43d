"""What litmus borrows of Lightning."""

import inspect
import math
import signal
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from borrowed.entry import Borrowed
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping, ModelCheckpoint, WeightAveraging
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.profilers import Profiler


def quiet_trainer(*callbacks: lightning.Callback, **settings: Any) -> lightning.Trainer:
    off = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary"), False)
    return lightning.Trainer(accelerator="cpu", callbacks=list(callbacks), max_epochs=1, **off, **settings)


def checkpoints_are_called_last_and_in_order() -> bool:
    first, second, other = Checkpoint(), Checkpoint(), lightning.Callback()
    called = [c for c in quiet_trainer(first, second, other).callbacks if c in (first, second, other)]
    return called == [other, first, second]


def states_are_found_by_the_state_key() -> bool:
    class Counter(lightning.Callback):
        state_key = "counter"
        value = 0

        def state_dict(self) -> dict[str, Any]:
            return {"value": self.value}

        def load_state_dict(self, state_dict: dict[str, Any]) -> None:
            self.value = state_dict["value"]

    counter = Counter()
    from lightning.pytorch.trainer import call  # what saves and resumes

    trainer = quiet_trainer(counter)
    saved = call._call_callbacks_state_dict(trainer)
    trainer.strategy.connect(BoringModel())
    call._call_callbacks_load_state_dict(trainer, {"callbacks": {"counter": {"value": 3}}})
    return saved["counter"] == {"value": 0} and counter.value == 3


def best_models_are_in_a_checkpoint_s_state() -> bool:
    keys = {"best_model_path", "kth_best_model_path", "last_model_path", "best_k_models", "dirpath", "best_model_score"}
    return keys <= set(ModelCheckpoint().state_dict()) and "kth_value" in vars(ModelCheckpoint())


def a_checkpoint_can_be_kept_after_the_sanity_check() -> bool:
    called: list[tuple[int, bool]] = []

    class Keeping(ModelCheckpoint):
        def on_sanity_check_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))
            called.append((trainer.global_step, Path(self.best_model_path).is_file()))

    with tempfile.TemporaryDirectory() as folder:
        keeping = Keeping(dirpath=folder, monitor="step", mode="min")
        trainer = quiet_trainer(keeping, num_sanity_val_steps=math.inf, limit_train_batches=1, limit_val_batches=1)
        trainer.fit(BoringModel())
    return called == [(0, True)]


def early_stopping_counts_in_its_state() -> bool:
    stopping = EarlyStopping(monitor="val/acc")
    attributes = {"wait_count", "patience", "best_score", "stopping_reason", "min_delta"}
    return {"wait_count", "patience", "best_score"} <= set(stopping.state_dict()) and attributes <= set(dir(stopping))


def averaging_moves_the_average_that_it_has() -> bool:
    class Noting(torch.nn.Module):
        def update_parameters(self, _: torch.nn.Module) -> None:
            raise FloatingPointError

    averaging = WeightAveraging()
    averaging._average_model = Noting()
    trainer = quiet_trainer()
    trainer.fit_loop.epoch_loop.automatic_optimization.optim_progress.optimizer.step.total.completed = 1
    try:
        averaging.on_train_batch_end(trainer, BoringModel(), None, None, 0)
    except FloatingPointError:
        return True
    return False


def the_hook_s_name_is_set_on_the_module() -> bool:
    names = []

    class Noting(BoringModel):
        def __setattr__(self, name: str, value: Any) -> None:
            names.append(name)
            super().__setattr__(name, value)

    quiet_trainer(fast_dev_run=1).fit(Noting())
    return "_current_fx_name" in names


def a_stated_signature_is_believed() -> bool:
    from lightning.pytorch.utilities.signature_utils import is_param_in_hook_signature

    def step(batch: object) -> None: ...

    step.__signature__ = inspect.signature(lambda batch, dataloader_iter: None)  # type: ignore[attr-defined]
    return is_param_in_hook_signature(step, "dataloader_iter", explicit=True)


def control_c_ends_in_a_system_exit_with_its_cause() -> bool:
    class Interrupted(BoringModel):
        def training_step(self, batch: object, batch_idx: int) -> None:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    try:
        quiet_trainer(fast_dev_run=1).fit(Interrupted())
    except SystemExit as ending:
        return isinstance(ending.__context__, KeyboardInterrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    return False


def attributes_of_a_trainer(*paths: str) -> Callable[[], bool]:
    def found() -> bool:
        trainer = quiet_trainer(fast_dev_run=1)
        trainer.fit(BoringModel())
        for path in paths:
            value: Any = trainer
            for name in path.split("."):
                value = getattr(value, name)
        return True

    return found


def a_loader_s_state_is_in_the_checkpoint() -> bool:
    from lightning.pytorch.utilities.combined_loader import CombinedLoader

    class Loader(list):  # type: ignore[type-arg]
        def state_dict(self) -> dict[str, int]:
            return {"position": 3}

        def load_state_dict(self, state: dict[str, int]) -> None:
            self.append(state["position"])

    loader = Loader()
    combined = CombinedLoader([loader])
    iter(combined)
    combined._load_state_dicts([{"position": 5}])
    return combined._state_dicts() == [{"position": 3}] and loader == [5]


def the_profiler_is_entered_around_every_hook() -> bool:
    entered = []

    class Counting(Profiler):
        def start(self, action_name: str) -> None: ...

        def stop(self, action_name: str) -> None: ...

        def profile(self, action_name: str) -> Any:
            entered.append(action_name)
            return nullcontext()

    quiet_trainer(fast_dev_run=1, profiler=Counting()).fit(BoringModel())
    return len(entered) > 50


def sigterm_is_handled_by_replaceable_methods() -> bool:
    trainer = lightning.Trainer(logger=False, barebones=True, accelerator="cpu")
    own = (trainer._signal_connector.register_signal_handlers, trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor)
    return all(not inspect.signature(each).parameters for each in own)


BORROWED = [
    Borrowed(
        "lightning",
        "lightning.pytorch.callbacks:Checkpoint",
        "History, Progress and Reporter would be called before an epoch's last metric is logged, or before its "
        "checkpoint is written.",
        checkpoints_are_called_last_and_in_order,
    ),
    Borrowed(
        "lightning",
        "Callback.state_key",
        "Resuming would not find what a callback had stored: EMA, early stopping and the best epoch would start anew.",
        states_are_found_by_the_state_key,
    ),
    Borrowed(
        "lightning",
        "ModelCheckpoint.state_dict()['best_k_models'], ModelCheckpoint.kth_value",
        "A run whose folder was moved would overwrite its best checkpoint on resuming.",
        best_models_are_in_a_checkpoint_s_state,
    ),
    Borrowed(
        "lightning",
        "ModelCheckpoint._save_topk_checkpoint, ModelCheckpoint._monitor_candidates, Callback.on_sanity_check_end",
        "A forecaster could not be kept as it was before its training.",
        a_checkpoint_can_be_kept_after_the_sanity_check,
    ),
    Borrowed(
        "lightning",
        "EarlyStopping.wait_count, .stopping_reason, .best_score",
        "A run that had stopped early, and was killed before its test, would train on when resumed.",
        early_stopping_counts_in_its_state,
    ),
    Borrowed(
        "lightning",
        "lightning.pytorch.callbacks.early_stopping:EarlyStoppingReason.NON_FINITE_METRIC",
        "A run that stopped because it diverged would train on when resumed.",
    ),
    Borrowed(
        "lightning",
        "WeightAveraging._average_model",
        "Lightning would average the weights by its own rule, which waits for the GPU at every step.",
        averaging_moves_the_average_that_it_has,
    ),
    Borrowed(
        "lightning",
        "LightningModule._current_fx_name",
        "A training step of a small network would take a tenth longer: the shortcut in Task.__setattr__ is for it.",
        the_hook_s_name_is_set_on_the_module,
    ),
    Borrowed(
        "lightning",
        "training_step.__signature__",
        "Lightning would inspect the function anew at each step, which costs time that a small network notices.",
        a_stated_signature_is_believed,
    ),
    Borrowed(
        "lightning",
        "Trainer._signal_connector, TrainingEpochLoop._broadcast_sigterm_tensor",
        "SIGTERM in one of several processes could make all of them wait for ever.",
        sigterm_is_handled_by_replaceable_methods,
    ),
    Borrowed(
        "lightning",
        "SystemExit.__context__",
        "Ctrl-C before the first batch would be reported as a failure instead of an interruption.",
        control_c_ends_in_a_system_exit_with_its_cause,
    ),
    Borrowed(
        "lightning",
        "lightning.pytorch.utilities.exceptions:SIGTERMException",
        "SIGTERM at an epoch's end would be reported as a failure instead of an interruption.",
    ),
    Borrowed(
        "lightning",
        "trainer.fit_loop.batch_idx, trainer.is_last_batch",
        "Meter could not tell which step it measures, nor which is the epoch's last.",
        attributes_of_a_trainer("fit_loop.batch_idx", "is_last_batch"),
    ),
    Borrowed(
        "lightning",
        "fetchers:_DataFetcher, _PrefetchDataFetcher, training_epoch_loop:_TrainingEpochLoop, its _should_accumulate, "
        "_num_ready_batches_reached, trainer._logger_connector",
        "litmus.run.steps makes a step as Lightning does, with less around it: a small network's step would take an "
        "eighth longer without. tests/run/test_steps.py compares the two.",
        attributes_of_a_trainer(
            "fit_loop.epoch_loop.automatic_optimization.optim_progress.optimizer.step.increment_ready",
            "fit_loop.epoch_loop.automatic_optimization.optim_progress.optimizer.zero_grad.increment_started",
            "fit_loop.epoch_loop.batch_progress.increment_processed",
            "fit_loop.epoch_loop.val_loop.restarting",
            "fit_loop.epoch_loop._should_accumulate",
            "fit_loop.epoch_loop._num_ready_batches_reached",
            "fit_loop.epoch_loop.update_lr_schedulers",
            "precision_plugin.train_step_context",
            "_logger_connector.on_batch_start",
        ),
    ),
    Borrowed(
        "lightning",
        "trainer.precision_plugin.forward_context",
        "Features of a frozen part would be computed in another precision than in training.",
        attributes_of_a_trainer("precision_plugin.forward_context"),
    ),
    Borrowed(
        "lightning",
        "trainer.strategy.root_device, trainer.state.fn",
        "Data would not be put on the device that trains; a test would not use the average of the weights.",
        attributes_of_a_trainer("strategy.root_device", "state.fn"),
    ),
    Borrowed(
        "lightning",
        "CombinedLoader's use of a loader's state_dict",
        "A run that is resumed within an epoch would begin the epoch anew.",
        a_loader_s_state_is_in_the_checkpoint,
    ),
    Borrowed(
        "lightning",
        "lightning.fabric.plugins.io.torch_io:TorchCheckpointIO.save_checkpoint",
        "A run killed while it saves would leave half a checkpoint behind.",
    ),
    Borrowed(
        "lightning",
        "lightning.pytorch.profilers:Profiler.profile",
        "Each training step would make sixty context managers again.",
        the_profiler_is_entered_around_every_hook,
    ),
]
