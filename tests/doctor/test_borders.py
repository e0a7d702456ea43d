"""Where one sickness ends and another begins: the same curves, told apart by what else is known."""

from dataclasses import replace

import pytest
from examined import CHANCE, all_epochs, config, rows, sick

from litmus.doctor.diagnose import diagnose
from litmus.doctor.evidence import Evidence

AT_CHANCE = [CHANCE + 0.1] * 10
BY_HEART = [2.2, 1.8, 1.2, 0.7, 0.4, 0.2, 0.1, 0.05, 0.03, 0.02]
GUESSED = [0.1] * 10
UNEVEN = [4000, *[111] * 9]


def names(evidence: Evidence) -> dict[str, str]:
    return {finding.name: finding.severity for finding in diagnose(evidence)}


def test_a_network_that_learns_by_heart_what_holds_for_no_other_sample_overfits_severely() -> None:
    own = [{**row, "train/acc": 1.0} for row in rows(BY_HEART, AT_CHANCE, GUESSED)]
    assert names(sick(rows=own)) == {"overfitting": "severe"}


def test_a_network_that_does_not_learn_its_samples_either_learns_nothing() -> None:
    assert names(sick(rows=rows(AT_CHANCE, AT_CHANCE, GUESSED))) == {"no_learning": "severe"}


def test_without_a_loss_of_chance_the_accuracy_tells_that_nothing_is_learned() -> None:
    steady = [0.9] * 10
    found = names(sick(rows=rows(steady, steady, GUESSED), chance_loss=None))
    assert found["no_learning"] == "severe"
    assert "no_learning" not in names(sick(rows=rows(steady, steady, [0.5] * 10), chance_loss=None))


@pytest.mark.parametrize(("precision", "is_found"), [(0.0, True), (0.3, False)])
def test_a_detector_that_finds_nothing_has_learned_nothing(precision: float, is_found: bool) -> None:
    steady = [0.9] * 10
    own = [{**row, "val/map": precision} for row in rows(steady, steady, GUESSED)]
    boxes = config(task___target_="litmus.task.detection.Detection")
    evidence = sick(
        rows=own, config=boxes, monitor="val/map", chance_loss=None, class_counts=[], names=[], baselines={}
    )
    assert ("no_learning" in names(evidence)) == is_found


def test_values_that_vary_less_in_validation_are_compared_with_their_own_mean() -> None:
    losses = [0.9] * 10  # of a variance that is 0.9 there, and 1 in training
    own = [{**row, "val/rmse": 4.75} for row in rows([0.99] * 10, losses, GUESSED)]
    values = {"monitor": "val/rmse", "mode": "min", "names": [], "class_counts": [], "chance_loss": 1.0}
    found = names(sick(rows=own, baselines={"mean": {"rmse": 4.74}}, **values))
    assert found["no_learning"] == "severe"
    assert "no_learning" not in names(sick(rows=own, baselines={"mean": {"rmse": 5.5}}, **values))


def test_values_whose_chance_was_not_measured_are_compared_with_their_mean() -> None:
    own = [{**row, "val/rmse": 4.75} for row in rows([0.99] * 10, [0.9] * 10, GUESSED)]
    values = {"monitor": "val/rmse", "mode": "min", "names": [], "class_counts": [], "chance_loss": None, "health": []}
    (finding,) = diagnose(sick(rows=own, baselines={"mean": {"rmse": 4.74}}, **values))
    assert finding.name == "no_learning"
    assert "val/rmse is 4.75; the mean of the training targets has 4.74" in finding.evidence


SICK_AND_UNEVEN = {
    "learning_rate_too_low": {"health": all_epochs(update=(1e-7, None, 1e-7, 1e-7))},
    "over_regularized": {"config": config(model__dropout=0.95)},
    "vanishing_gradients": {"health": all_epochs(gradient=(1e-9, None, 1e-5, 0.02))},
}


@pytest.mark.parametrize("name", SICK_AND_UNEVEN)
def test_classes_that_are_uneven_do_not_hide_what_keeps_a_network_from_learning(name: str) -> None:
    missed = {**{f"test/recall_{number}": 0.0 for number in range(1, 10)}, "test/recall_0": 1.0, "test/acc": 0.8}
    uneven = {"class_counts": UNEVEN, "metrics": missed, "rows": rows(AT_CHANCE, AT_CHANCE, [0.8] * 10)}
    assert list(names(sick(**uneven, **SICK_AND_UNEVEN[name]))) == [name]


@pytest.mark.parametrize(("logistic", "found"), [(0.8, "no_learning"), (0.9, "class_imbalance")])
def test_uneven_classes_that_nothing_predicts_are_not_the_cause(logistic: float, found: str) -> None:
    missed = {**{f"test/recall_{number}": 0.0 for number in range(1, 10)}, "test/recall_0": 1.0, "test/acc": 0.8}
    evidence = sick(
        class_counts=UNEVEN,
        metrics=missed,
        rows=rows(AT_CHANCE, AT_CHANCE, [0.8] * 10),
        baselines={"logistic": {"acc": logistic}, "majority": {"acc": 0.8}},
    )
    assert next(iter(names(evidence))) == found


@pytest.mark.parametrize(("logistic", "found"), [(0.1, "no_learning"), (0.9, "learning_rate_too_high")])
def test_large_steps_are_not_to_blame_where_nothing_predicts_the_classes(logistic: float, found: str) -> None:
    """As of labels that were shuffled."""
    wide = all_epochs(update=(0.2, None, 0.2, 0.2))
    baselines = {"logistic": {"acc": logistic}, "majority": {"acc": 0.1}}
    evidence = sick(rows=rows(AT_CHANCE, AT_CHANCE, GUESSED), health=wide, baselines=baselines)
    assert list(names(evidence)) == [found]


def test_a_balanced_loss_is_not_told_to_be_balanced() -> None:
    missed = {**{f"test/recall_{number}": 0.0 for number in range(1, 10)}, "test/recall_0": 1.0, "test/acc": 0.8}
    balanced = config(task__balanced=True)
    beaten = (0.95, 0.99, "The network does not beat the majority class.")
    assert names(sick(class_counts=UNEVEN, metrics=missed, config=balanced, unbeaten=beaten)) == {}


@pytest.mark.parametrize("gradient", [(), (float("nan"),) * 4])
def test_gradients_that_vanish_before_they_are_no_numbers_are_named(gradient: tuple[float, ...]) -> None:
    vanishing = all_epochs(gradient=(1e-9, None, 1e-5, 0.02))
    evidence = sick(
        rows=rows(AT_CHANCE, AT_CHANCE, GUESSED), health=[*vanishing[:-1], replace(vanishing[-1], gradient=gradient)]
    )
    (finding,) = diagnose(evidence)
    assert (finding.name, finding.layer) == ("vanishing_gradients", "features.1.0")


def test_a_column_of_data_that_is_made_cannot_be_left_out() -> None:
    (finding,) = diagnose(sick(leaks={"class": ["x"]}))
    assert finding.overrides is None
    (finding,) = diagnose(sick(leaks={"class": ["x"]}, config=config(data__ignore=None)))
    assert finding.overrides == "data.ignore=[x]"


@pytest.mark.parametrize(("rate", "proposal"), [(0.003, None), (0.0005, None), (1e-5, "0.001"), (0.02, "0.001")])
def test_where_nothing_is_learned_a_usual_rate_is_tried(rate: float, proposal: str | None) -> None:
    evidence = sick(rows=rows(AT_CHANCE, AT_CHANCE, GUESSED), config=config(optimizer__lr=rate))
    (finding,) = diagnose(evidence)
    assert finding.overrides == (proposal and f"optimizer.lr={proposal}")


def test_a_detector_s_rate_that_is_too_low_is_named() -> None:
    steady = [0.9] * 10
    own = [{**row, "val/map": 0.0} for row in rows(steady, steady, GUESSED)]
    boxes = config(task___target_="litmus.task.detection.Detection")
    still = all_epochs(update=(1e-7, None, 1e-7, 1e-7), collapsed=None)
    evidence = sick(rows=own, config=boxes, monitor="val/map", chance_loss=None, class_counts=[], baselines={})
    assert names(replace(evidence, names=[], health=still)) == {"learning_rate_too_low": "severe"}


@pytest.mark.parametrize(
    ("data", "proposal"),
    [
        ({"data__val_size": 40}, "data.val_size=200"),
        ({"data__val_share": 0.1}, "data.val_share=0.3"),
        ({"data__val_share": 0.01}, "data.val_share=0.05"),
        ({"data__val_share": 0.3}, None),
        ({"data__val_share": 0.1, "data__val_path": "own.csv"}, None),
        ({"data__val_share": 0.1, "data__limit_eval": 40}, "data.limit_eval=null"),
    ],
)
def test_a_tiny_validation_split_can_be_made_larger(data: dict[str, object], proposal: str | None) -> None:
    sizes = {"train": 5000, "val": 40, "test": 1000}
    evidence = sick(sizes=sizes, baselines={"logistic": {"acc": 0.97}}, config=config(**data))
    (finding,) = diagnose(evidence)
    assert finding.overrides == proposal


@pytest.mark.parametrize(("counts", "found"), [([500] * 10, "no_learning"), (UNEVEN, "class_collapse")])
def test_one_class_for_all_is_a_collapse_where_classes_are_uneven(counts: list[int], found: str) -> None:
    evidence = sick(
        rows=rows(AT_CHANCE, AT_CHANCE, [0.8 if counts is UNEVEN else 0.1] * 10),
        health=all_epochs(collapsed=(0, 1.0)),
        class_counts=counts,
    )
    assert next(iter(names(evidence))) == found


@pytest.mark.parametrize(("share", "is_collapse"), [(0.97, False), (0.99, True)])
def test_a_collapse_is_relative_to_how_often_the_others_occur(share: float, is_collapse: bool) -> None:
    evidence = sick(health=all_epochs(collapsed=(0, share)), class_counts=[4400, *[67] * 9])
    assert ("class_collapse" in names(evidence)) == is_collapse


@pytest.mark.parametrize(("accuracy", "is_over"), [(0.901, True), (0.95, False)])
def test_a_loss_that_rises_while_the_accuracy_does_too_is_no_overtraining(accuracy: float, is_over: bool) -> None:
    losses = [0.5, 0.3, 0.32, 0.35, 0.38, 0.4, 0.42, 0.44, 0.46, 0.48]
    own = rows([0.1] * 10, losses, [0.85, 0.9, *[accuracy] * 8])
    assert ("overtraining" in names(sick(rows=own, best_epoch=10))) == is_over


@pytest.mark.parametrize(
    ("losses", "changes"),
    [
        ([1.0, 1.0, 1.0, 1.0], {"is_relative": True, "health": all_epochs(update=(None, 0.02, 0.02, None))}),
        ([4.0, 4.0, 4.0, 4.0], {"health": all_epochs(update=(None, 1e-6, 1e-6, None))}),
        ([4.0], {}),
    ],
    ids=["windows of training are harder", "steps are tiny", "only a few steps"],
)
def test_a_high_loss_that_steps_did_not_make_is_no_high_rate(losses: list[float], changes: dict[str, object]) -> None:
    few = [{**row, "step": 10 * row["epoch"]} for row in rows(losses, [0.5] * len(losses), [0.2] * len(losses))]
    assert "learning_rate_too_high" not in names(sick(rows=few, chance_loss=0.5, first_loss=0.4, **changes))
    grew = [{**row, "train/loss": row["train/loss"] * (1 + i)} for i, row in enumerate([*few, *few])]
    assert "learning_rate_too_high" in names(sick(rows=grew, chance_loss=0.5, first_loss=0.4, **changes))


@pytest.mark.parametrize(("update", "is_high"), [((0.5,), False), ((0.5, 0.5), True)])
def test_the_first_steps_of_zeros_are_large_whatever_the_rate(update: tuple[float, ...], is_high: bool) -> None:
    few = [{**row, "step": row["epoch"]} for row in rows(AT_CHANCE, AT_CHANCE, GUESSED)]
    assert ("learning_rate_too_high" in names(sick(rows=few, health=all_epochs(update=update)))) == is_high


@pytest.mark.parametrize("is_balanced", [True, False])
def test_a_batch_with_a_sample_of_a_rare_class_has_a_large_loss_where_classes_weigh_the_same(is_balanced: bool) -> None:
    peaks = all_epochs(update=(0.03, None, 0.03, 0.03), peak_loss=9.0)
    evidence = sick(config=config(task__balanced=is_balanced), rows=rows([2.0] * 10, [2.0] * 10, GUESSED), health=peaks)
    assert ("learning_rate_too_high" in names(evidence)) != is_balanced


@pytest.mark.parametrize(("update", "found"), [(0.06, "learning_rate_too_high"), (0.002, "underfitting")])
def test_a_network_that_is_stuck_is_told_by_its_steps(update: float, found: str) -> None:
    stuck = rows([2.1] * 10, [2.15] * 10, [0.2] * 10)
    assert next(iter(names(sick(rows=stuck, health=all_epochs(update=(update, None, update, update)))))) == found


@pytest.mark.parametrize(("number", "is_uncertain"), [(40, True), (190, False), (1000, False)])
def test_few_validation_samples_are_uncertain_whatever_the_gain(number: int, is_uncertain: bool) -> None:
    evidence = sick(sizes={"train": 5000, "val": number, "test": 1000}, baselines={"logistic": {"acc": 0.5}})
    assert ("uncertain_validation" in names(evidence)) == is_uncertain


@pytest.mark.parametrize(("folds", "proposed"), [(None, True), (5, False)])
def test_of_a_fold_no_share_is_proposed(folds: int | None, proposed: bool) -> None:
    few = {"sizes": {"train": 5000, "val": 40, "test": 1000}, "baselines": {"logistic": {"acc": 0.97}}}
    own = config(data__val_share=0.02, data__folds=folds)
    found = {finding.name: finding for finding in diagnose(sick(config=own, **few))}["uncertain_validation"]
    assert str(found.overrides).startswith("data.val_share=") == proposed


@pytest.mark.parametrize(("size", "is_poor"), [(None, False), (0.3, False), (1.0, False), (130.0, True), (1e-3, True)])
def test_inputs_that_are_not_normalized_are_a_poor_start(size: float | None, is_poor: bool) -> None:
    assert ("poor_initialization" in names(sick(input_size=size))) == is_poor


def test_values_that_are_nearly_all_explained_are_not_overfitted() -> None:
    own = [{**row, "val/rmse": 1.0} for row in rows([0.008] * 10, [0.04] * 10, GUESSED)]
    values = {"monitor": "val/rmse", "mode": "min", "names": [], "class_counts": [], "chance_loss": 1.0}
    assert "overfitting" not in names(sick(rows=own, baselines={}, **values))
    wide = [{**row, "val/loss": 0.4} for row in own]
    assert "overfitting" in names(sick(rows=wide, baselines={}, **values))
