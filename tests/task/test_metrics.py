"""Metrics over processes: as over one, also where a process had no batch."""

from collections.abc import Callable

import pytest
import torch

from litmus.task import _metrics
from litmus.task._metrics import Metrics
from litmus.task.boxes.precision import best_min_score
from litmus.task.classification import ClassMetrics, DetailedMetrics
from litmus.task.detection import BoxMetrics
from litmus.task.detection import DetailedMetrics as DetailedBoxMetrics
from litmus.task.regression import ValueMetrics


def classes(metrics: Metrics, rows: slice) -> None:
    logits = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))[rows]
    metrics.update(torch.tensor(0.5 + rows.start), logits, torch.tensor([0, 1, 2, 0, 1, 2, 0])[rows])  # type: ignore[attr-defined]


def values(metrics: Metrics, rows: slice) -> None:
    generator = torch.Generator().manual_seed(0)
    outputs, targets = (torch.randn(7, 2, generator=generator)[rows] for _ in range(2))
    metrics.update(outputs, targets)  # type: ignore[attr-defined]


def boxes(metrics: Metrics, rows: slice) -> None:
    names, size = ("box", "cls", "dfl"), len(range(*rows.indices(7)))
    metrics.update({name: torch.tensor(i + rows.start + 1.0) for i, name in enumerate(names)}, size)  # type: ignore[attr-defined]
    if isinstance(metrics, DetailedBoxMetrics):
        truth = [torch.tensor([[1.0, 0.0, 0.0, 10.0, 10.0]])] * size
        found = [torch.tensor([[0.0, 0.0, 10.0, 10.0 - i, 0.9 - i / 10, 1.0]]) for i in range(size)]
        metrics.add_boxes(found, truth)


KINDS: list[tuple[Callable[[], Metrics], Callable[[Metrics, slice], None]]] = [
    (ClassMetrics, classes),
    (lambda: DetailedMetrics(("a", "b", "c"), per_class=True), classes),
    (lambda: ValueMetrics(torch.tensor([1.0, 2.0]), None), values),
    (BoxMetrics, boxes),
    (lambda: DetailedBoxMetrics(best_min_score), boxes),
]


@pytest.mark.parametrize(("make", "add"), KINDS)
@pytest.mark.parametrize("empty", ["none", "first", "last"])
def test_processes_add_up_to_the_whole(
    make: Callable[[], Metrics], add: Callable[[Metrics, slice], None], empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = make(), [make(), make(), make()]
    for number, rows in enumerate((slice(0, 4), slice(4, 7))):
        add(whole, rows)
        add(parts[number if empty != "first" else number + 1], rows)
    processes = parts[:2] if empty == "none" else parts
    expected = whole.compute()
    states = {name: [vars(each)[name] for each in processes] for name in vars(whole)}

    def all_gather(own: object) -> list[object]:
        if isinstance(own, tuple):
            return list(zip(states["sums"], states["num_samples"], strict=True))
        return states["boxes"]

    monkeypatch.setattr(_metrics, "in_several_processes", lambda: True)
    monkeypatch.setattr(_metrics, "all_gather", all_gather)
    monkeypatch.setattr("litmus.task.detection.all_gather", all_gather)
    for process in processes:
        found = process.compute()
        assert {name: float(value) for name, value in found.items()} == pytest.approx(
            {name: float(value) for name, value in expected.items()}
        )


@pytest.mark.parametrize(("make", "add"), KINDS)
def test_forgotten_batches_leave_nothing(make: Callable[[], Metrics], add: Callable[[Metrics, slice], None]) -> None:
    metrics = make()
    add(metrics, slice(0, 4))
    metrics.reset()
    assert metrics.local() == {}
    assert metrics.num_samples == 0
