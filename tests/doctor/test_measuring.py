"""What the callback measures: by hand, without a trace in the weights, and in every epoch of a resumed run."""

import json
import math
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from faults import Fault, kill
from torch import nn

from litmus.callback._layers import Probe, Watched, measured
from litmus.callback._validation import collapsed, label_issues
from litmus.callback.doctor import thinned
from litmus.doctor.evidence import Health
from litmus.record.folder import RunDir
from litmus.run.ending import ending

Train = Callable[..., RunDir]
FEW = ["data.limit=256", "data.limit_eval=100", "trainer.max_epochs=3"]


def probed(net: nn.Sequential, x: torch.Tensor, names: dict[int, str]) -> dict[str, list[float | None]]:
    """One step of SGD with rate 0.1 on the sum of the outputs, examined."""
    layers = [
        Watched(str(i), module, *(module.weight, module.bias), names.get(i))
        if isinstance(module, nn.Linear)
        else Watched(str(i), module, None, None, names.get(i))
        for i, module in enumerate(net)
    ]
    probe = Probe(layers)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    probe.begin()
    net(x).sum().backward()
    optimizer.step()
    probe.end(is_first=True)
    assert probe.first.keys() == probe.sums.keys()
    return measured(probe.sums, len(layers))


def test_gradients_updates_and_dead_units_by_hand() -> None:
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU())
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))  # the second unit is dead for positive inputs
    found = probed(net, torch.tensor([[1.0, 2.0], [3.0, 4.0]]), {1: "relu"})
    assert found["gradient"][0] == pytest.approx((16 + 36) ** 0.5 / 2)  # sums of the columns, in one of two rows
    after = torch.tensor([[1 - 0.4, 1 - 0.6], [-1.0, -1.0]])
    assert found["update"][0] == pytest.approx(0.1 * 52**0.5 / float(after.norm()))
    assert found["dead"] == [None, 0.5]
    assert found["rms"][1] == pytest.approx(((9 + 49) / 4) ** 0.5)
    assert found["mean"][1] == pytest.approx((3 + 7) / 4)


def test_saturation_by_hand() -> None:
    net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.Tanh())
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[0.1], [9.0]]))
    assert probed(net, torch.ones(3, 1), {1: "tanh"})["saturated"] == [None, 0.5]


def test_a_bias_by_hand_and_one_that_batch_norm_cancels() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    free = probed(nn.Sequential(nn.Linear(2, 2)), x, {})
    assert free["bias"] == [pytest.approx(2 / ((16 + 36) / 2) ** 0.5)], "two samples, and the sums of the columns"
    torch.manual_seed(0)
    cancelled = probed(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Tanh(), nn.Linear(2, 1)), x, {})
    assert cancelled["bias"][0] < 1e-3 < cancelled["bias"][3]


def test_nothing_is_examined_where_nothing_was() -> None:
    assert measured({}, 2)["gradient"] == [None, None]


def test_the_class_that_is_preferred() -> None:
    assert collapsed(torch.tensor([[0.0, 1.0], [0.0, 2.0], [3.0, 1.0], [0.0, 1.0]])) == (1, 0.75)


def test_labels_that_look_wrong_are_spread_or_not() -> None:
    """Ten samples of each of three classes, of which a network is sure; some labels are others."""
    targets = torch.arange(3).repeat_interleave(10)
    logits = 8.0 * nn.functional.one_hot(targets, 3).float()
    assert label_issues(logits, targets) == (0.0, 0.0, 2.0), "no issue, and so none that repeats another"
    spread, pair = targets.clone(), targets.clone()
    spread[[0, 1, 10, 11, 20, 21]] = torch.tensor([1, 2, 0, 2, 0, 1])
    pair[:3] = 1
    assert label_issues(logits, spread) == (pytest.approx(0.2), pytest.approx(1.0), 2.0)
    assert label_issues(logits, pair) == (pytest.approx(0.1), 0.0, 2.0)
    assert label_issues(logits[:4], targets[:4]) is None, "too few samples of a class"


def test_samples_that_reach_a_threshold_stand_for_all_of_their_label() -> None:
    """Of label 0 all 20 are counted, and 2 wrong; of label 1 only 10 of 40, and 5 wrong."""
    targets = torch.tensor([0] * 20 + [1] * 40 + [2] * 10)
    taken_for = torch.tensor([1, 1, *[0] * 18, *[0] * 5, *[1] * 35, *[2] * 10])
    logits = 12.0 * nn.functional.one_hot(taken_for, 3).float()
    logits[30:60] = 0.0  # no class is more probable than another
    found = label_issues(logits, targets)
    assert found is not None
    assert found.label_issues == pytest.approx((2 / 20 * 20 + 5 / 10 * 40) / 70)


def test_of_many_classes_those_that_are_alike_are_told_from_labels_that_are_wrong() -> None:
    """Sixty classes, twenty samples of each, of which a third is taken for another class: any, or one of four."""
    number, size = 60, 20
    truth = torch.arange(number).repeat_interleave(size)
    drawn = torch.Generator().manual_seed(0)
    logits = 8.0 * nn.functional.one_hot(truth, number).float()
    shifts = {
        "wrong": torch.randint(1, number, truth.shape, generator=drawn),
        "alike": torch.randint(1, 5, truth.shape, generator=drawn),
    }
    is_moved = torch.rand(truth.shape, generator=drawn) < 1 / 3
    found = {
        name: label_issues(logits, torch.where(is_moved, (truth + shift) % number, truth))
        for name, shift in shifts.items()
    }
    assert {each.issue_spread > 0.8 for each in found.values()} == {True}, "entropy cannot tell them apart"
    assert found["wrong"].issue_repeats < 1.5
    assert found["alike"].issue_repeats > 10


@pytest.mark.parametrize(("lr", "is_said"), [(1e-8, True), (3e-3, False)])
def test_that_nothing_was_learned_is_said_during_the_training_and_once(lr: float, is_said: bool, train: Train) -> None:
    words = ["data.limit=1000", "data.limit_eval=100", "data.batch_size=10", "trainer.max_epochs=4"]
    run = train("model=fnn", f"optimizer.lr={lr}", *words)
    assert run.log.read_text().count("the network has learned nothing") == is_said


def test_a_loss_far_above_chance_is_said_sooner(train: Train) -> None:
    run = train("model=fnn", "optimizer.lr=1", "data.limit=400", "data.batch_size=10", "trainer.max_epochs=2")
    assert run.log.read_text().count("the network has learned nothing") == 1
    assert "In epoch 1 the network has learned nothing" in run.log.read_text()


@pytest.mark.wide
@pytest.mark.parametrize("model", ["fnn", "cnn"])
def test_the_training_is_the_same_without_the_doctor(model: str, train: Train) -> None:
    watched, alone = (
        train(f"model={model}", *FEW),
        train(f"model={model}", *FEW, "callback.doctor=null", folder="alone"),
    )
    assert ending(watched)["weights and optimizer"] == ending(alone)["weights and optimizer"]
    health = watched.read_health()
    assert health is not None
    assert 0.5 < health["input_size"] < 2.0, "MNIST is normalized"
    assert alone.read_health() is None
    assert isinstance(alone.read_result()["findings"], list)  # of what is known without it


def test_a_resumed_run_has_every_epoch(train: Train, resume: Train) -> None:
    words = ["model=fnn", *FEW]
    whole = train(*words)
    run = train(*words, folder="killed", watching=[Fault(kill(signal.SIGINT), epoch=1, batch=1)])
    assert run.read_result()["status"] == "interrupted"
    resume(run)
    for each in (whole, run):
        assert [row["epoch"] for row in json.loads((each.path / "health.json").read_text())["epochs"]] == [0, 1, 2, 3]


@pytest.mark.parametrize("bests", [(1,), (7, 8), (2, 99, 100, 101, 333), (500,)])
def test_a_long_training_keeps_the_rows_that_are_looked_at(bests: tuple[int, ...]) -> None:
    rows, best = [Health(0)], None
    for epoch in range(1, 501):
        rows.append(Health(epoch))
        if len(rows) > 100:
            rows = thinned(rows, best)
        best = epoch if epoch in bests else best  # known after the epoch's row
        epochs = [row.epoch for row in rows]
        assert epochs == sorted(epochs)
        assert len(epochs) <= 100
        assert {0, 1, epoch} | ({best} if best else set()) <= set(epochs)


def test_the_best_epoch_is_kept_whenever_it_was(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """The validation is best in the second epoch, as the rate is then too high."""
    monkeypatch.setattr("litmus.callback.doctor.MOST_ROWS", 4)
    run = train("model=fnn", *FEW, "trainer.max_epochs=9", "scheduler=none", "optimizer.lr=0.5")
    kept = [row["epoch"] for row in json.loads((run.path / "health.json").read_text())["epochs"]]
    best = run.read_result()["best_epoch"]
    assert {0, 1, best, 9} <= set(kept)
    assert len(kept) <= 6
    assert 1 < best < 9


def test_a_damaged_file_is_not_used(train: Train) -> None:
    run = train("model=fnn", *FEW)
    (run.path / "health.json").write_text("{")
    assert run.read_health() is None


@pytest.mark.wide
@pytest.mark.parametrize("is_balanced", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_loss_of_chance_is_that_of_the_weights_of_classes(is_balanced: bool, train: Train, tmp_path: Path) -> None:
    """A twentieth of the rows is of the second class; a network that is balanced finds it at a higher loss."""
    draw = random.Random(0)
    kinds = [draw.random() < 0.05 for _ in range(1500)]
    rows = [f"{draw.gauss(2.0 * rare, 1)},{draw.gauss(0, 1)},{'rare' if rare else 'usual'}" for rare in kinds]
    (tmp_path / "uneven.csv").write_text("\n".join(["a,b,kind", *rows]))
    small = ["data=table", f"data.path={tmp_path}/uneven.csv", "data.target=kind", "trainer=cpu"]
    run = train("model=linear", f"task.balanced={str(is_balanced).lower()}", "trainer.max_epochs=20", small=small)
    counts = (run.read_health() or {})["class_counts"]
    shares = [count / sum(counts) for count in counts]
    entropy = -sum(share * math.log(share) for share in shares)
    assert (run.read_health() or {})["chance_loss"] == pytest.approx(math.log(2) if is_balanced else entropy)
    assert "no_learning" not in {each["name"] for each in (run.read_result() or {})["findings"]}
