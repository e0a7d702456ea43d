"""Imports out of the garbage collector's sight, once for each process."""

import subprocess
import sys


def output(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_only_the_first_imports_are_kept_from_the_collector() -> None:
    code = """
import gc
from litmus.run.process import import_all
import_all(["litmus.spec"])
frozen = gc.get_freeze_count()
cycle = []
cycle.append(cycle)
import_all(["litmus.spec"])
print(frozen > 1000, gc.get_freeze_count() == frozen, gc.isenabled())
"""
    assert output(code) == "True True True"


def test_the_collector_runs_again_after_a_failed_import() -> None:
    code = """
import gc
from litmus.run.process import import_all
try:
    import_all(["litmus.not_there"])
except ModuleNotFoundError:
    print(gc.isenabled(), gc.get_freeze_count())
"""
    assert output(code) == "True 0"
