"""A configuration builds objects of litmus, and nothing else."""

from collections.abc import Callable

import pytest

from litmus.config.instantiate import build
from litmus.errors import UserError
from litmus.record.folder import RunDir

Train = Callable[..., RunDir]


def test_what_is_not_litmus_is_not_called() -> None:
    with pytest.raises(UserError, match="is not a class or function of litmus"):
        build({"_target_": "os.getcwd"})
    with pytest.raises(UserError, match="is not a class or function of litmus"):
        build({"_target_": "litmus.run.train.Path"})
    with pytest.raises(UserError, match="is not a class or function of litmus"):
        build({"_target_": "litmus.data.os.getcwd"})
