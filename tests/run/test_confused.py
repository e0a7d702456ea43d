"""The pairs of classes that are confused most, at the end of a run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from litmus.record.folder import RunDir
from litmus.run import summary

Train = Callable[..., RunDir]


def test_the_worst_pairs_are_said(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    run = train("model=fnn")
    confusion = run.read_result()["confusion"]
    worst = max(number for true, row in enumerate(confusion) for other, number in enumerate(row) if other != true)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("confused "))
    first, *others = line.removeprefix("confused").strip().split(", ")
    true, _, _, other, number, _ = first.replace(":", "").split()
    assert confusion[int(true)][int(other)] == int(number) == worst
    assert len(others) == 2


@pytest.mark.parametrize(
    ("confusion", "said"),
    [
        ([[3, 0], [0, 3]], ""),
        ([[3, 1], [2, 3]], "b taken for a: 2 times, a taken for b: 1 time"),
        ([{"true": "x", "predicted": "y", "count": 1200}], "x taken for y: 1,200 times"),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 0]], ""),  # of a detector: the background is no class
        (None, ""),
    ],
)
def test_of_every_kind_of_confusion(tmp_path: Path, confusion: list[object] | None, said: str) -> None:
    run = RunDir(tmp_path)
    run.write_health({"layers": [], "epochs": [], "names": ["a", "b"]})
    assert summary._confused(run, {"confusion": confusion}) == said
