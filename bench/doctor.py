"""The doctor's rules: found in sick settings, silent in their healthy twins, and in what ships.

Thresholds were set on the settings of `_sick`. Those of `_proof`, of other networks or data, prove them, and those of
`_published` are faults that others inject. A sickness is made by the configuration, or by damage done to a table.
Writes docs/doctor.json, of which docs/doctor.py makes docs/doctor.md and its picture.
"""

import hashlib
import io
import json
import math
import multiprocessing
import runpy
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

from bench._common import ROOT, compose_config
from bench._proof import PROOF
from bench._published import FAULTS, Fault
from bench._sick import QUIET, SET, Case, of
from bench._sick_tables import PATH, write_tables
from litmus import console
from litmus.config.machine import num_cores
from litmus.config.types import Section
from litmus.doctor.diagnose import diagnose, fired
from litmus.doctor.evidence import Evidence, error_of
from litmus.record.folder import RunDir
from litmus.run import diagnosis
from litmus.run import train as running

# Sicknesses that a key makes where it goes far enough: a run counts as sick where its test is worse than its twin's.
NEEDS_HARM = frozenset(
    (
        *("vanishing_gradients", "exploding_gradients", "dying_relu", "saturated_activations", "poor_initialization"),
        *("learning_rate_too_high", "learning_rate_too_low", "divergence", "over_regularized", "underfitting"),
    )
)
# What a person types first; a finding of these that is no remark is a false alarm, or true and to be said.
DEFAULTS = (
    *(("model=perceptron",), ("model=linear",), ("model=fnn",), ("model=scratch",), ("model=cnn",), ("model=lstm",)),
    *(("model=bert",), ("model=yolo",), ("model=lstm", "data=mnist"), ("model=lstm", "data=series")),
    *((f"experiment={name}",) for name in ("cnn_best", "yolo_digits")),
    *(("model=fnn", "data=toy", f"data.kind={kind}") for kind in ("moons", "circles", "blobs", "linear")),
    *(("model=fnn", *of(name)) for name in ("digits", "wine", "cancer", "iris", "friedman")),
)
SEEDS, FEW_SEEDS = range(5), range(3)
# Rules that were given their present form after all seeds of the proof were looked at: others prove them.
CHANGED, FRESH_SEEDS = ("overtraining",), range(5, 10)
Z = 3.0  # standard errors by which a fault must lower the accuracy of the test, to be one
WORSE = 1.05  # by which it must raise an error

KEPT = ROOT / "outputs" / "doctor-bench"  # runs are kept: changed rules judge them again without a training
Overrides = tuple[str, ...]


def measure() -> str:
    """Writes what was found, and the page of it; says what the page says of it."""
    KEPT.mkdir(parents=True, exist_ok=True)
    write_tables(KEPT, list(_settings()))
    _train_all()
    report = {
        "seeds": len(SEEDS),
        "few_seeds": len(FEW_SEEDS),
        "set": [_of_case(case, FEW_SEEDS) for case in SET],
        "proof": [_of_case(case, SEEDS) for case in PROOF],
        "fresh": [_of_case(case, FRESH_SEEDS) for case in PROOF if case.rule in CHANGED],
        "faults": [_of_fault(fault) for fault in FAULTS],
        "defaults": [_of_default(words) for words in DEFAULTS],
    }
    (ROOT / "docs" / "doctor.json").write_text(json.dumps(report) + "\n", encoding="utf-8")
    page = runpy.run_path(str(ROOT / "docs" / "doctor.py"))
    page["write"]()
    return "## The doctor\n\n" + str(page["summary"](report))


def _settings() -> Iterable[Overrides]:
    for case in (*SET, *PROOF):
        yield from (case.sick, case.healthy)
    for fault in FAULTS:
        yield from (fault.sound, fault.faulty)
    yield from DEFAULTS


def _train_all() -> None:
    """Trains each setting once, however many cases share it; those that are kept of an earlier bench stay."""
    cases = [words for case in PROOF for words in (case.sick, case.healthy)]
    changed = [words for case in PROOF if case.rule in CHANGED for words in (case.sick, case.healthy)]
    others = [*DEFAULTS, *(words for case in SET for words in (case.sick, case.healthy))]
    others += [words for fault in FAULTS for words in (fault.sound, fault.faulty)]
    wanted = [
        (words, seed)
        for seeds, all_words in ((SEEDS, cases), (FRESH_SEEDS, changed), (FEW_SEEDS, others))
        for seed in seeds
        for words in all_words
    ]
    missing = [each for each in dict.fromkeys(wanted) if not (folder_of(*each) / "result.json").is_file()]
    context = multiprocessing.get_context("spawn")  # no time is measured, so all cores may train
    with ProcessPoolExecutor(num_cores(), context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        futures = [pool.submit(examine, *each) for each in missing]
        for future in track(as_completed(futures), "doctor", len(futures), console=Console(stderr=True)):
            future.result()


def folder_of(overrides: Overrides, seed: int) -> Path:
    """Where the run of a setting is kept, by what it is typed and what its table holds."""
    paths = [KEPT / word.removeprefix(PATH) for word in overrides if word.startswith(PATH) and word.endswith(".csv")]
    content = b"".join([repr(overrides).encode(), *(path.read_bytes() for path in paths)])
    return KEPT / f"{hashlib.sha256(content).hexdigest()[:12]}-{seed}"


def findings(overrides: Overrides, seed: int) -> list[list[str]]:
    """Name and severity of each thing that today's rules find in a run that is kept."""
    return [[each.name, each.severity] for each in diagnose(_evidence(overrides, seed))]


def _is_folded(rule: str, overrides: Overrides, seed: int) -> bool:
    """Whether a rule fires in a run, but is not named, as another finding explains it."""
    evidence = _evidence(overrides, seed)
    return rule in {each.name for each in fired(evidence)} - {each.name for each in diagnose(evidence)}


def _evidence(overrides: Overrides, seed: int) -> Evidence:
    run = RunDir(folder_of(overrides, seed))
    result = run.read_result()
    assert result is not None
    return diagnosis.evidence_of(run, run.read_config(), result)


def _of_case(case: Case, seeds: Sequence[int]) -> Section:
    """What is found in a sick setting and in its twin, by seed."""
    return {
        "rule": case.rule,
        "name": case.name,
        "sick": [findings(case.sick, seed) for seed in seeds],
        "folded": [_is_folded(case.rule, case.sick, seed) for seed in seeds],
        "healthy": [findings(case.healthy, seed) for seed in seeds],
        "harmful": [case.rule not in NEEDS_HARM or does_harm(case.healthy, case.sick, seed) for seed in seeds],
    }


def _of_fault(fault: Fault) -> Section:
    """What is found in a program with a fault and without, and whether the fault did harm."""
    return {
        "kind": fault.kind,
        "right": sorted(fault.right),
        "harmful": [does_harm(fault.sound, fault.faulty, seed) for seed in FEW_SEEDS],
        "faulty": [findings(fault.faulty, seed) for seed in FEW_SEEDS],
        "sound": [findings(fault.sound, seed) for seed in FEW_SEEDS],
    }


def _of_default(words: Overrides) -> Section:
    """How often each thing is found in what ships."""
    counts = Counter((name, severity) for seed in FEW_SEEDS for name, severity in findings(words, seed))
    typed = " ".join(word.replace("FOLDER/", "") for word in words)
    return {
        "typed": typed,
        "runs": len(FEW_SEEDS),
        "found": [[name, severity, number] for (name, severity), number in counts.items()],
    }


def does_harm(sound: Overrides, faulty: Overrides, seed: int) -> bool:
    """Whether a run diverged, or is worse in the test than its twin.

    That is an accuracy lower by more than three standard errors of both, or an error of values that is higher by a
    twentieth.
    """
    results = [RunDir(folder_of(words, seed)).read_result() for words in (sound, faulty)]
    before, after = (result["metrics"] if result else {} for result in results)
    if results[1] is None or results[1]["status"] == "diverged":
        return True
    if "test/rmse" in before:
        return bool(after["test/rmse"] > WORSE * before["test/rmse"])
    numbers = [result["dataset"]["test"] for result in results if result]
    errors = [error_of(own["test/acc"], number) for own, number in zip((before, after), numbers, strict=True)]
    return bool(before["test/acc"] - after["test/acc"] > Z * math.hypot(*errors))


def examine(overrides: Overrides, seed: int) -> None:
    """Trains a setting in this process, and keeps its run without checkpoints."""
    words = [word.replace("FOLDER", str(KEPT)) for word in overrides]
    config = compose_config(*words, *QUIET, f"seed={seed}")
    before = console.out
    console.out = console.Screen(file=io.StringIO(), force_terminal=False, width=100)
    folder = folder_of(overrides, seed)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        run = RunDir(folder)
        run.claim(config)
        with console.log_to(run.log):
            running.train(run, config, time.perf_counter(), is_job=True)
        result = run.read_result() or {}
        if result["status"] not in ("finished", "diverged"):
            (folder / "result.json").unlink()
            raise RuntimeError(f"{' '.join(words)} seed={seed}: {result['error']}")
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    finally:
        console.out = before
