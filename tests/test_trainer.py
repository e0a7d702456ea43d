"""Lightning's trainer as a run has it."""

from lightning.pytorch.callbacks import LambdaCallback, LearningRateMonitor

from litmus.trainer import _without_empty_hooks


def test_hooks_that_a_callback_has_are_kept_and_others_left_out() -> None:
    own, given = LearningRateMonitor(), LambdaCallback(on_train_batch_end=print)
    for callback in (own, given):
        _without_empty_hooks(callback)
    assert given.on_train_batch_end is print
    assert callable(own.on_train_batch_start)
    assert own.on_after_backward is None
