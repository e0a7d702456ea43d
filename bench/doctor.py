"""The doctor's rules: found in sick settings, silent in their healthy twins, and in what ships.

Thresholds were set on the cases marked so. The others, of other networks or data, prove them: they were run once the
rules stood. A sickness is made by the configuration, or by damage done to a table.
"""

import io
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from bench._common import compose_config, markdown
from bench._sick import CASES, QUIET, SEEDS, Case, of, write_tables
from litmus import console
from litmus.config.types import Section
from litmus.doctor.diagnose import rules
from litmus.record.folder import RunDir
from litmus.run import train as running

# What a person types first; a finding of these that is no remark is a false alarm, or true and to be said.
DEFAULTS = (
    *(("model=perceptron",), ("model=linear",), ("model=fnn",), ("model=scratch",), ("model=cnn",), ("model=lstm",)),
    *(("model=bert",), ("model=yolo",), ("model=lstm", "data=mnist")),
    *(("model=fnn", "data=toy", f"data.kind={kind}") for kind in ("moons", "circles", "blobs", "linear")),
    *(("model=fnn", *of(name)) for name in ("digits", "wine", "cancer", "iris", "friedman")),
)
DEFAULT_SEEDS = range(3)


def measure() -> str:
    """Of each rule, in how many sick settings it is found, and in how many healthy ones it is not silent."""
    with tempfile.TemporaryDirectory() as folder:
        tables = Path(folder, "tables")
        tables.mkdir()
        write_tables(tables)
        trainings = Trainings(tables, Path(folder, "runs"))
        wanted = [(case, seed) for case in CASES for seed in SEEDS]
        found = [
            (case, trainings.findings(case.sick, seed), trainings.findings(case.healthy, seed))
            for case, seed in track(wanted, "doctor", console=Console(stderr=True))
        ]
        alarms = [
            (words, trainings.findings(words, seed))
            for words in track(DEFAULTS, "defaults", console=Console(stderr=True))
            for seed in DEFAULT_SEEDS
        ]
    return f"## The doctor\n\n{_by_rule(found)}\n{_confusions(found)}\n{_of_defaults(alarms)}"


Found = Sequence[tuple[Case, list[Section], list[Section]]]


class Trainings:
    """Trains each setting once, however many cases share it.

    Args:
        tables: where they were written.
        folder: for the runs.
    """

    def __init__(self, tables: Path, folder: Path) -> None:
        self.tables, self.folder = tables, folder
        self._done: dict[tuple[tuple[str, ...], int], list[Section]] = {}

    def findings(self, overrides: tuple[str, ...], seed: int) -> list[Section]:
        """What the doctor finds."""
        key = overrides, seed
        if key not in self._done:
            result = examine(overrides, seed, self.tables, self.folder / str(len(self._done)))
            assert result["status"] in ("finished", "diverged"), result["error"]
            self._done[key] = result["findings"]
        return self._done[key]


def alarms_of(rule: str, findings: Sequence[Section]) -> list[str]:
    """What should not be found in a healthy twin: the rule itself, and all that is more than a remark."""
    return [each["name"] for each in findings if each["name"] == rule or each["severity"] != "info"]


def _by_rule(found: Found) -> str:
    rows = []
    for rule in rules():
        cells = [f"`{rule}`"]
        for is_proof in (False, True):
            own = [each for each in found if each[0].rule == rule and each[0].is_proof == is_proof]
            hits = sum(rule in {finding["name"] for finding in sick} for _, sick, _ in own)
            silent = sum(not alarms_of(rule, healthy) for *_, healthy in own)
            cells += [f"{hits} of {len(own)}", f"{silent} of {len(own)}"] if own else ["", ""]
        rows.append(cells)
    head = ["rule", "found in sick, set", "silent in healthy, set", "found in sick, proof", "silent in healthy, proof"]
    return (
        f"Each setting on {len(SEEDS)} seeds; thresholds were set on the cases of the first two columns.\n\n"
        + markdown(head, rows)
    )


def _confusions(found: Found) -> str:
    """Of each sickness what is found in it, proof and set together."""
    rows = []
    for rule in rules():
        own = [sick for case, sick, _ in found if case.rule == rule]
        if own:
            counts = Counter(finding["name"] for sick in own for finding in sick)
            named = ", ".join(f"`{name}` {number}" for name, number in counts.most_common())
            rows.append([f"`{rule}`", str(len(own)), named or "nothing"])
    return "What is found in each sickness:\n\n" + markdown(["sickness", "runs", "found"], rows)


def _of_defaults(alarms: Sequence[tuple[tuple[str, ...], list[Section]]]) -> str:
    rows = []
    for words in dict.fromkeys(own for own, _ in alarms):
        every = [findings for own, findings in alarms if own == words]
        counts = Counter(f"`{each['name']}` ({each['severity']})" for findings in every for each in findings)
        named = ", ".join(f"{name} {number}" for name, number in counts.most_common())
        rows.append([" ".join(word.replace("FOLDER/", "") for word in words), named or "nothing"])
    return f"Of what ships, on {len(DEFAULT_SEEDS)} seeds each:\n\n" + markdown(["typed", "found"], rows)


def examine(overrides: Sequence[str], seed: int, tables: Path, folder: Path) -> Section:
    """Trains a setting in this process; the result of its run, which stays in the folder."""
    words = [word.replace("FOLDER", str(tables)) for word in overrides]
    config = compose_config(*words, *QUIET, f"seed={seed}")
    before = console.out
    console.out = console.Screen(file=io.StringIO(), force_terminal=False, width=100)
    try:
        run = RunDir(folder)
        run.claim(config)
        with console.log_to(run.log):
            running.train(run, config, time.perf_counter(), is_job=True)
        return run.read_result() or {}
    finally:
        console.out = before
