"""Each rule on evidence that is sick in one way, and silent on evidence that is not."""

from collections.abc import Callable
from dataclasses import replace
from graphlib import TopologicalSorter

import pytest
from examined import CHANCE, all_epochs, config, health, healthy, rows, sick

from litmus.doctor.diagnose import RULES, diagnose, rules
from litmus.doctor.evidence import Evidence, Layer
from litmus.doctor.finding import SEVERITIES, Finding

FLAT = [CHANCE] * 10
STILL = [0.1] * 10  # accuracy of a guess
LEARNED = [1.0, 0.5, 0.3, 0.2, 0.15, 0.1, 0.08, 0.05, 0.03, 0.02]
NAMES = (
    *("vanishing_gradients", "exploding_gradients", "dying_relu", "saturated_activations", "poor_initialization"),
    *("overfitting", "underfitting", "overtraining", "learning_rate_too_high", "learning_rate_too_low", "divergence"),
    *(
        "plateau",
        "no_learning",
        "target_leak",
        "class_collapse",
        "class_imbalance",
        "label_noise",
        "split_leak",
        "too_few_samples",
    ),
    *("over_regularized", "batch_norm_small_batch", "uncertain_validation", "data_bound", "still_improving"),
    "worse_than_baseline",
    "not_linearly_separable",
)


def exploding() -> Evidence:
    steep = [{**row, "optim/grad_norm": 1e4} for row in rows(FLAT, FLAT, STILL)]
    return sick(rows=steep, first_norm=1e5)


def overfitted() -> Evidence:
    own = [{**row, "train/acc": 1.0} for row in rows(LEARNED, [0.9] * 10, [0.8] * 10)]
    return sick(rows=own)


def overtrained() -> Evidence:
    return sick(
        rows=rows(LEARNED, [0.5, 0.4, *(0.45 + 0.05 * i for i in range(8))], [0.8, 0.95, *[0.93] * 8]), best_epoch=2
    )


def underfitted() -> Evidence:
    return sick(rows=rows([1.5] * 3 + [1.3] * 3 + [1.2, 1.1, 1.05, 1.0], [1.2] * 10, [0.6] * 10))


def stuck() -> Evidence:
    return sick(rows=rows([2.0, 1.8, *[1.5] * 8], [1.5] * 10, [0.92] * 10))


def improving() -> Evidence:
    falling = [2.0 * 0.8**epoch for epoch in range(10)]
    return sick(rows=rows(falling, falling, [0.9 + 0.005 * epoch for epoch in range(10)], rate=[0.003] * 10))


def collapsed() -> Evidence:
    return sick(health=all_epochs(collapsed=(3, 1.0)))


def imbalanced() -> Evidence:
    metrics = {**healthy().metrics, "test/recall_7": 0.1}
    return sick(class_counts=[500] * 7 + [20] + [500] * 2, metrics=metrics)


def barely_learning(**changes: object) -> Evidence:
    return sick(rows=rows(FLAT, FLAT, STILL), **changes)


def no_line() -> Evidence:
    layers, baselines = [Layer("head", "Linear")], {"logistic": {"acc": 0.1}, "trees": {"acc": 0.95}}
    return barely_learning(layers=layers, health=[], baselines=baselines)


CASES: dict[str, Callable[[], Evidence]] = {
    "vanishing_gradients": lambda: barely_learning(health=all_epochs(gradient=(1e-9, None, 1e-5, 0.02))),
    "exploding_gradients": exploding,
    "dying_relu": lambda: sick(health=all_epochs(dead=(None, 0.8, None, None))),
    "saturated_activations": lambda: sick(
        rows=rows([1.0] * 10, [1.0] * 10, [0.92] * 10), health=all_epochs(saturated=(None, 0.7, None, None))
    ),
    "poor_initialization": lambda: barely_learning(health=[health(0, rms=(None, 1e-4, 1.0, None)), *all_epochs()[1:]]),
    "overfitting": overfitted,
    "overtraining": overtrained,
    "underfitting": underfitted,
    "learning_rate_too_high": lambda: sick(rows=rows([9.0] * 10, [9.0] * 10, STILL)),
    "learning_rate_too_low": lambda: barely_learning(health=all_epochs(update=(1e-7, None, 1e-7, 1e-7))),
    "divergence": lambda: sick(diverged=True, status="diverged"),
    "plateau": stuck,
    "no_learning": barely_learning,
    "class_collapse": collapsed,
    "class_imbalance": imbalanced,
    "label_noise": lambda: sick(health=all_epochs(label_issues=0.2, issue_spread=0.95)),
    "target_leak": lambda: sick(leaks={"price": ["price_2"]}),
    "split_leak": lambda: sick(repeated={"val": 300, "test": 0}),
    "too_few_samples": lambda: sick(sizes={"train": 40, "val": 1000, "test": 1000}),
    "over_regularized": lambda: barely_learning(config=config(model__dropout=0.95)),
    "batch_norm_small_batch": lambda: sick(config=config(model__batchnorm=True, data__batch_size=2)),
    "uncertain_validation": lambda: sick(
        sizes={"train": 5000, "val": 40, "test": 1000}, baselines={"logistic": {"acc": 0.97}}
    ),
    "data_bound": lambda: sick(health=all_epochs(waiting=0.8)),
    "still_improving": improving,
    "not_linearly_separable": no_line,
    "worse_than_baseline": lambda: sick(unbeaten=(0.8, 0.9, "The network does not beat logistic regression.")),
}


def found(evidence: Evidence) -> dict[str, Finding]:
    return {finding.name: finding for finding in diagnose(evidence)}


def test_every_rule_that_is_promised_is_there_and_has_a_case() -> None:
    assert set(rules()) == set(NAMES) == set(CASES) == {path.stem for path in RULES.glob("[!_]*.py")}


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_finds_its_sickness_alone(name: str) -> None:
    names = list(found(CASES[name]()))
    assert names == [name], "one cause, one finding"


@pytest.mark.parametrize("name", NAMES)
def test_a_finding_has_numbers_and_overrides_that_can_be_typed(name: str) -> None:
    finding = found(CASES[name]())[name]
    assert finding.severity in SEVERITIES
    assert finding.evidence.endswith(".")
    if name not in ("divergence", "worse_than_baseline"):
        assert any(letter.isdigit() for letter in finding.evidence)
    assert all("=" in word for word in (finding.overrides or "a=b").split())
    assert Finding.from_plain(finding.to_plain()) == finding
    assert set(finding.to_plain()) == {"name", "severity", "evidence", "layer", "epoch", "try"}


def test_nothing_is_found_in_health() -> None:
    assert diagnose(healthy()) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_is_silent_where_nothing_was_measured(name: str) -> None:
    empty = Evidence("finished", diverged=False, config=config(), rows=[], monitor="val/acc", mode="max")
    assert rules()[name].find(empty) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_says_what_it_is_and_where_it_is_from(name: str) -> None:
    rule = rules()[name]
    assert rule.name == name
    assert rule.title
    assert rule.why.endswith(".")
    assert rule.source
    assert rule.explains <= set(NAMES) - {name}


def test_no_rules_explain_each_other_by_way_of_others_either() -> None:
    TopologicalSorter({name: rule.explains for name, rule in rules().items()}).prepare()


def test_what_is_explained_explains_nothing_and_passes_its_severity_on() -> None:
    own = CASES["still_improving"]()
    both = replace(own, unbeaten=(0.8, 0.9, "The network does not beat logistic regression."))
    assert [(finding.name, finding.severity) for finding in diagnose(own)] == [("still_improving", "info")]
    assert [(finding.name, finding.severity) for finding in diagnose(both)] == [("still_improving", "warning")]
    health = all_epochs(label_issues=0.2, issue_spread=0.95, collapsed=(3, 1.0))
    late = replace(overtrained(), health=health)
    assert [finding.name for finding in diagnose(late)] == ["class_collapse", "overtraining"], "label noise is no cause"


def test_a_run_that_was_interrupted_is_not_told_to_go_on() -> None:
    """Nor that it underfits, which is why it would."""
    own = [{**row, "train/acc": 0.6, "val/acc": 0.6} for row in improving().rows]
    for evidence in (improving(), sick(rows=own)):
        assert list(found(evidence)) == ["still_improving"]
        assert not found(replace(evidence, status="interrupted"))


def test_classes_that_are_alike_are_no_label_noise() -> None:
    noisy = {"label_issues": 0.5, "issue_spread": 0.91}
    assert found(sick(health=all_epochs(**noisy, issue_repeats=1.1)))
    assert not found(sick(health=all_epochs(**noisy, issue_repeats=15.0)))


def test_a_class_of_one_test_sample_is_not_missed_for_certain() -> None:
    own = imbalanced()
    few = replace(own, sizes={**own.sizes, "test": 60}, metrics={**own.metrics, "test/recall_7": 0.0})
    assert "class_imbalance" in found(own)
    assert not found(few)


@pytest.mark.parametrize(("ratio", "lr"), [(5e-5, "0.03"), (1e-6, "3"), (1e-8, "300")])
def test_a_rate_that_is_far_too_low_is_raised_at_once(ratio: float, lr: str) -> None:
    low = barely_learning(health=all_epochs(update=(ratio, None, ratio, ratio)))
    assert found(low)["learning_rate_too_low"].overrides == f"optimizer.lr={lr}"


@pytest.mark.parametrize(
    ("optimizer", "lr", "tried"), [("adam", 1e6, "0.001"), ("sgd", 0.5, "0.05"), ("sgd", 50, "0.1")]
)
def test_a_rate_that_is_far_too_high_is_lowered_to_what_is_usual(optimizer: str, lr: float, tried: str) -> None:
    words = config(optimizer__lr=lr, optimizer___target_=f"litmus.optimizer.{optimizer}")
    finding = found(sick(diverged=True, status="diverged", config=words))["divergence"]
    assert finding.overrides == f"optimizer.lr={tried} trainer.gradient_clip=1.0"


def test_a_first_loss_of_equal_odds_is_no_poor_initialization() -> None:
    """Of two classes, one in fifty: a constant prediction has a loss of 0.1, an untrained network ln(2)."""
    rare = barely_learning(names=["no", "yes"], class_counts=[980, 20], chance_loss=0.098, first_loss=0.693)
    assert "poor_initialization" not in found(rare)
    assert "poor_initialization" in found(replace(rare, first_loss=4.0))


def test_a_start_that_did_no_harm_is_a_remark() -> None:
    start = [health(0, rms=(None, 1e-4, 1.0, None)), *all_epochs()[1:]]
    assert found(sick(health=start))["poor_initialization"].severity == "info"
    assert found(sick(health=all_epochs(dead=(None, 0.8, None, None))))["dying_relu"].severity == "info"


def test_samples_known_by_heart_of_inputs_that_say_nothing() -> None:
    """Also where the kept epoch is the first, in which nothing was known by heart yet."""
    own = sick(rows=rows(LEARNED, [CHANCE, *[3.0] * 9], STILL), best_epoch=1)
    assert [(each.name, each.severity) for each in diagnose(own)] == [("overfitting", "severe")]
    assert "do the inputs say anything" in found(own)["overfitting"].evidence


def test_a_forecast_that_cannot_be_beaten_is_no_plateau() -> None:
    assert "plateau" in found(stuck())
    assert "plateau" not in found(replace(stuck(), is_relative=True))


def test_units_that_recovered_died_later() -> None:
    shares = (0.9, 0.1, 0.9, 0.95)
    dead = [health(0), *(health(epoch, dead=(None, share, None, None)) for epoch, share in enumerate(shares, start=1))]
    assert found(sick(health=dead))["dying_relu"].epoch == 3


def test_the_gravest_comes_first() -> None:
    both = sick(repeated={"val": 300, "test": 0}, health=all_epochs(waiting=0.8, label_issues=0.2, issue_spread=0.95))
    assert [finding.severity for finding in diagnose(both)] == ["severe", "warning", "info"]


def test_few_steps_are_too_early_to_tell() -> None:
    few = [{**row, "step": row["epoch"]} for row in rows(FLAT, FLAT, STILL)]
    early = found(sick(rows=few))["no_learning"]
    assert early.severity == "info"
    assert early.overrides == "trainer.max_epochs=100"
    assert "only 10 steps" in early.evidence
    assert set(found(sick(rows=few))) == {"no_learning", "underfitting"}, "a remark explains nothing"
    planned = found(sick(rows=few, config=config(trainer__max_epochs=200)))["no_learning"]
    assert planned.overrides is None, "it was interrupted"
    assert found(barely_learning())["no_learning"].severity == "severe"


def test_mixed_samples_are_no_evidence_of_underfitting() -> None:
    assert "underfitting" in found(underfitted())
    mixed = replace(underfitted(), config=config(data__augment="mixup"))
    assert "underfitting" not in found(mixed)


@pytest.mark.parametrize(
    ("most_epochs", "most_steps", "overrides"),
    [
        (10, 10, "trainer.max_steps=100 trainer.max_epochs=100"),
        (100, 10, "trainer.max_steps=100"),
        (10, 11, "trainer.max_steps=100 trainer.max_epochs=100"),
        (10, 100, "trainer.max_epochs=100"),
    ],
)
def test_all_that_would_end_a_longer_training_is_raised(most_epochs: int, most_steps: int, overrides: str) -> None:
    few = [{**row, "step": row["epoch"]} for row in rows(FLAT, FLAT, STILL)]
    limits = config(trainer__max_epochs=most_epochs, trainer__max_steps=most_steps)
    assert found(sick(rows=few, config=limits))["no_learning"].overrides == overrides


@pytest.mark.parametrize(
    ("steps", "most_epochs", "overrides"),
    [
        ((7, 9), 2, "trainer.max_steps=27 trainer.max_epochs=4"),
        ((7, 9), 4, "trainer.max_steps=27"),
        ((7, 14), 3, "trainer.max_steps=42 trainer.max_epochs=6"),
    ],
)
def test_the_passes_hold_the_steps(steps: tuple[int, int], most_epochs: int, overrides: str) -> None:
    """Of 7 batches each."""
    short = [{**row, "step": step} for row, step in zip(rows([1.5, 1.2], [1.2] * 2, [0.6] * 2), steps, strict=True)]
    limits = config(trainer__max_epochs=most_epochs, trainer__max_steps=steps[-1])
    evidence = sick(rows=short, config=limits, best_epoch=2)
    assert found(evidence)["underfitting"].overrides == overrides


@pytest.mark.parametrize(
    ("names", "ignored", "overrides"),
    [
        (["b"], None, "data.ignore=[b]"),
        (["b", "c"], ["id"], "data.ignore=[id,b,c]"),
        (["in euros"], None, None),
    ],
)
def test_columns_that_give_the_target_away_are_left_out(
    names: list[str], ignored: list[str] | None, overrides: str | None
) -> None:
    leaking = found(sick(leaks={"price": names, "size": []}, config=config(data__ignore=ignored)))
    assert leaking["target_leak"].overrides == overrides
    assert "size" not in leaking["target_leak"].evidence


def test_a_column_that_is_left_out_has_no_other_role() -> None:
    leaking = found(
        sick(leaks={"price": ["code"]}, config=config(data__ignore=None, data__categorical=["code", "street"]))
    )
    assert leaking["target_leak"].overrides == "data.categorical=[street] data.ignore=[code]"
