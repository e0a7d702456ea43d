"""Peak memory of `python train.py model=cnn`."""

import subprocess
import sys
import tempfile

from bench._common import ROOT, markdown, spread

# In a small process of its own: the kernel counts what a parent held when it started a child to the child's peak.
WATCH = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def measure() -> str:
    figures = [_peak_gb() for _ in range(3)]
    rows = [("`python train.py model=cnn`, the whole process", spread(figures, 2), "at most 1.5")]
    return "## Peak memory\n\n" + markdown(("", "GB", "asked for"), rows)


def _peak_gb() -> float:
    """Largest resident set, as the kernel accounts it, in 10^9 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "train.py", "model=cnn", f"hydra.run.dir={folder}/run"]
        watch = [sys.executable, "-c", WATCH, *command]
        done = subprocess.run(watch, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) * 1024 / 1e9  # Linux gives kibibytes
