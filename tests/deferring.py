"""As in a run: what Lightning imports and a small network never uses waits until something uses it."""

from litmus.run.process import import_all

import_all(("torch", "lightning.pytorch"))
