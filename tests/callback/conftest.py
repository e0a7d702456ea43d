"""TensorBoard's tests look at everything."""

from collections.abc import Sequence

import pytest


@pytest.fixture
def unseen() -> Sequence[str]:
    return ()
