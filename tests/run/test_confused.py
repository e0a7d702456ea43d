"""What is confused most, at the end of a run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from litmus.record.folder import RunDir
from litmus.report.facts import CONFUSION, mistakes

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
    ("head", "rows", "said"),
    [
        ("true,predicted,count", "a,a,3\nb,b,3", []),
        ("true,predicted,count", "a,a,3\na,b,1\nb,a,2", [("b taken for a", 2), ("a taken for b", 1)]),
        ("true,predicted,count", '"x,y",z,1200', [("x,y taken for z", 1200)]),
        ("true,predicted,count", "cat,background,3", [("cat taken for background", 3)]),
        (
            "true,found,count",
            "cat,background,3\nbackground,dog,2\ncat,dog,1",
            [("cat missed", 3), ("dog found where none is", 2), ("cat taken for dog", 1)],
        ),
        (None, None, []),
        ("true,predicted,count", "a,b,many", []),
    ],
)
def test_of_every_kind_of_confusion(
    tmp_path: Path, head: str | None, rows: str | None, said: list[tuple[str, int]]
) -> None:
    if rows is not None:
        (tmp_path / CONFUSION).write_text(f"{head}\n{rows}\n")
    assert mistakes(tmp_path) == said
