"""Peak memory of `python train.py model=cnn`."""

import os
import subprocess
import sys
import tempfile

from bench._common import ROOT, markdown, spread


def measure() -> str:
    figures = [_peak_gb() for _ in range(3)]
    rows = [("`python train.py model=cnn`, the whole process", spread(figures, 2), "at most 1.5")]
    return "## Peak memory\n\n" + markdown(("", "GB", "asked for"), rows)


def _peak_gb() -> float:
    """Largest resident set, as the kernel accounts it, in 10^9 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["train.py", "model=cnn", "trainer.max_epochs=1", f"hydra.run.dir={folder}/run"]
        process = subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit("train.py failed")
    return usage.ru_maxrss * 1024 / 1e9  # Linux gives kibibytes
