"""What the other processes of a run that trains with DDP do: `python -m litmus.run.worker FOLDER PARENT`."""

import faulthandler
import logging
import os
import sys
import warnings
from collections.abc import Callable

from litmus.record.folder import RunDir
from litmus.run.process import die_with_parent, import_all


def train_rank(run: RunDir, ready: Callable[[], object]) -> None:
    """Trains as one of the other processes of a run, and prints nothing: the run's folder holds its configuration.

    Args:
        run: the folder.
        ready: called when the process is about to train.
    """
    import_all(("litmus.run.train",))
    # Rank 0 says the same: what is printed here is why this one failed.
    warnings.simplefilter("ignore")
    for name in ("lightning.pytorch", "lightning.fabric", "litmus"):
        logging.getLogger(name).setLevel(logging.ERROR)
    from litmus.record.checkpoint import load_checkpoint, newest_checkpoint
    from litmus.run.build import assemble, prepare
    from litmus.run.train import fit

    config = run.read_config()
    path = newest_checkpoint(run)
    checkpoint = load_checkpoint(path) if path else None
    parts = assemble(run, config, prepare(config, checkpoint), checkpoint)
    ready()
    fit(parts, path, interruptible=False)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[2]))  # a run that is killed cannot end the others
    faulthandler.enable()  # a crash in native code is told in its log, too
    answer = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is for the log
    train_rank(RunDir(sys.argv[1]), lambda: os.write(answer, b"1"))
    # Rank 0 writes all files, so nothing is left to do. Python's own exit would finalize gloo's threads in the order
    # in which their objects happen to be dropped; a crash there would end a training that is over as failed.
    sys.stderr.flush()
    os._exit(0)
