"""Every threshold of every rule: evidence just inside and just outside is told apart, and no longer if it moves.

Just is within a tenth, or one step of whole numbers.
"""

import importlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter

import made_evidence as of
import pytest
from examined import CHANCE, all_epochs, sick

from litmus.doctor import evidence as shared
from litmus.doctor.diagnose import rules
from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding

severity, overrides, epoch = map(attrgetter, ("severity", "overrides", "epoch"))


@dataclass(frozen=True)
class Case:
    """One use of a threshold.

    Attributes:
        name: of the constant, or in lower case what a number is that has no name.
        evidence: made of a value.
        inside: such a value, just inside.
        outside: another, just outside.
        seen: what is expected of the finding, by default whether there is one.
        expected: that, inside and outside.
    """

    name: str
    evidence: Callable[[float], Evidence]
    inside: float
    outside: float
    seen: Callable[[Finding | None], object] = bool
    expected: tuple[object, object] = (True, False)

    def answers(self, rule: str) -> tuple[object, object]:
        inside, outside = (rules()[rule].find(self.evidence(value)) for value in (self.inside, self.outside))
        return self.seen(inside), self.seen(outside)


CASES = {
    "batch_norm_small_batch": (
        Case("SAMPLES", of.batches, 7, 8),
        Case("SAMPLES", lambda number: of.batches(number, devices=2), 15, 16),
    ),
    "class_collapse": (
        Case("MAJORITY", lambda own: sick(**of.one_class(10 * own)), 0.93, 0.97),
        Case("COLLAPSED", lambda others: sick(**of.one_class(share=1 - 0.9 * others)), 0.097, 0.103),
        Case("UNEVEN", lambda ratio: of.at_chance(**of.one_class(ratio)), 1.34, 1.26),
    ),
    "class_imbalance": (
        Case("RATIO", lambda ratio: of.rare(number=round(500 / ratio)), 10.4, 9.6),
        Case("MISSED", lambda relative: of.rare(recall=0.97 * relative), 0.48, 0.51),
        Case("Z", lambda acc: of.rare(acc=acc, test=1000), 0.66, 0.63),
    ),
    "data_bound": (Case("WAITING", lambda share: sick(health=all_epochs(waiting=share)), 0.51, 0.49),),
    "dying_relu": (
        Case("DEAD", lambda share: of.dead(0.7, 2 * share - 0.7), 0.51, 0.49),
        Case("DEAD", of.dead_at_last, 0.51, 0.49, epoch, (1, 10)),
        Case("ALL_DEAD", lambda share: of.dead(0.1, share), 0.82, 0.78),
        Case("LEARNED", lambda progress: of.dead(0.9, progress=progress), 0.51, 0.49, severity, ("info", "warning")),
    ),
    "exploding_gradients": (
        Case("NORM", lambda norm: of.learned(0.1, first_norm=norm * CHANCE), 1030, 970),
        Case("LEARNED", lambda progress: of.learned(progress, first_norm=1e5), 0.88, 0.92),
    ),
    "label_noise": (
        Case("ISSUES", lambda share: of.noisy(label_issues=share), 0.155, 0.145),
        Case("SPREAD", lambda spread: of.noisy(issue_spread=spread), 0.82, 0.78),
        Case("REPEATS", lambda repeats: of.noisy(issue_repeats=repeats), 1.95, 2.05),
        Case("BY_HEART", of.noisy, 0.145, 0.155),
        Case("CLASSES", lambda number: of.noisy(names="abc"[: int(number)]), 3, 2),
        Case("SAMPLES", lambda number: of.noisy(number=int(number)), 100, 99),
    ),
    "learning_rate_too_high": (
        Case("ABOVE_CHANCE", of.high_rate, 1.33, 1.27),
        Case("STEP_ABOVE_CHANCE", lambda peak: of.high_rate(peak, 0.03, part="step"), 3.1, 2.9),
        Case("VAL_ABOVE_CHANCE", lambda peak: of.high_rate(peak, 0.06, 0.35, part="val"), 1.23, 1.17),
        Case("LARGE_STEP", lambda size: of.updating(size, 0.35), 0.103, 0.097),
        Case("LARGE_STEP", lambda size: of.updating(size / 2), 0.103, 0.097),
        Case("LARGE_STEP", lambda size: of.high_rate(1.3, size / 2, 0.35, part="val"), 0.103, 0.097),
        Case("LARGE_STEP", lambda size: of.high_rate(4.0, size / 5, part="step"), 0.103, 0.097),
        Case("LARGE_STEP", lambda size: of.jumping(15, 1.5, size / 5), 0.103, 0.097),
        Case("STUCK", lambda progress: of.updating(0.06, progress), 0.19, 0.21),
        Case("FAR_FROM_LEARNED", lambda progress: of.updating(0.2, progress), 0.48, 0.52),
        Case("FAR_FROM_LEARNED", lambda progress: of.high_rate(1.5, progress=progress), 0.48, 0.52),
        Case("JUMP", lambda height: of.jumping(15, height), 1.33, 1.27),
        Case("JUMPS", lambda share: of.jumping(round(40 * share)), 12 / 40, 11 / 40),
        Case("two jumps at least", lambda number: of.jumping(int(number), epochs=4), 2, 1),
        Case("four epochs at least", lambda number: of.growing(int(number)), 4, 3),
        Case("two layers at least", lambda number: of.wide_steps(int(number)), 2, 1),
        Case("FEW_STEPS", lambda number: of.until(number, 0.06), 50, 49),
    ),
    "learning_rate_too_low": (
        Case("SMALL_STEP", of.updating, 0.97e-4, 1.03e-4),
        Case(
            "USUAL_STEP",
            lambda size: of.updating(size / 10**1.5),
            1.03e-3,
            0.97e-3,
            overrides,
            ("optimizer.lr=0.03", "optimizer.lr=0.3"),
        ),
        Case("LEARNED", lambda progress: of.updating(1e-5, progress), 0.48, 0.52),
    ),
    "no_learning": (
        Case("AT_CHANCE", lambda progress: of.at_chance(1 - progress), 0.0195, 0.0205),
        Case("AT_CHANCE", lambda progress: of.errors_by(1 - progress), 0.0195, 0.0205),
        Case("BEGUN", lambda progress: of.at_chance(progress=progress), 0.29, 0.31),
        Case("NO_BOXES", of.detector, 0.0097, 0.0103),
        Case("UNEVEN", lambda ratio: of.at_chance(**of.one_class(ratio)), 1.26, 1.34),
        Case("FEW_STEPS", of.until, 50, 49, severity, ("severe", "info")),
        Case("three errors above the largest class", of.guessed, 2.9, 3.1),
        Case("NEAR", of.unlearned_at, 0.0051, 0.0049, overrides, ("optimizer.lr=0.001", None)),
    ),
    "over_regularized": (
        Case("DROPOUT", of.dropped, 0.72, 0.68),
        Case("LEARNED", lambda progress: of.dropped(0.95, progress), 0.78, 0.82),
        Case("progress of 0.1", lambda value: of.dropped(0.95, value), 0.097, 0.103, severity, ("severe", "warning")),
        Case("a quarter of the loss", lambda penalty: of.penalized(penalty, l2=1e-4), 0.26, 0.24),
        Case("l2 of 0.001", lambda l2: of.penalized(0.2, l2), 1.03e-3, 0.97e-3),
        Case("a tenth of the loss", lambda penalty: of.penalized(penalty, loss=0.5), 0.103, 0.097),
        Case("0.9 of chance", lambda loss: of.penalized(0.01, loss=loss), 0.92, 0.88),
    ),
    "overfitting": (
        Case("GAP", lambda more: of.overfitted(0.7 + more), 0.103, 0.097),
        Case("GAP", lambda more: of.gap(0.02, 0.02 + more), 0.103, 0.097),
        Case("ERRORS", lambda errors: of.overfitted(0.5 + 0.05 * errors, 0.5, number=98), 3.1, 2.9),
        Case("ERRORS", lambda errors: of.gap(0.1, 0.3 * math.exp(0.2 * errors), number=50), 3.1, 2.9),
        Case("LOSS_RATIO", lambda ratio: of.gap(0.1, 0.1 * ratio, number=10**6), 3.1, 2.9),
        Case("BEGUN", lambda progress: of.overfitted(progress=progress), 0.31, 0.29),
        Case("two samples at least", lambda number: of.gap(0.001, 0.9, int(number)), 2, 1),
        Case(
            "dropout of 0.3",
            lambda dropout: of.overfitted(model__dropout=dropout),
            0.29,
            0.31,
            overrides,
            ("model.dropout=0.3", "model.l2=0.001"),
        ),
        Case(
            "l2 of 0.001",
            lambda l2: of.overfitted(model__dropout=0.5, model__l2=l2),
            0.97e-3,
            1.03e-3,
            overrides,
            ("model.l2=0.001", "data.augment=light"),
        ),
    ),
    "overtraining": (
        Case("EARLY", lambda share: of.turned(round(40 * share), 40), 20 / 40, 21 / 40),
        Case("EPOCHS", lambda last: of.turned(3, int(last)), 7, 6),
        Case("LOSS_RATIO", lambda ratio: of.turned(2, 10, ratio), 1.28, 1.22),
        Case("GAIN", of.improved, 0.0195, 0.0205),
    ),
    "plateau": (
        Case("EPOCHS", lambda number: of.standing(int(number)), 6, 5),
        Case("FLAT", lambda change: of.standing(10, change), 0.0097, 0.0103),
        Case("STUCK", of.learned, 0.58, 0.62),
        Case("the last half of the epochs", of.standing_since, 6, 7),
    ),
    "poor_initialization": (
        Case("RATIO", lambda ratio: of.started(rms=(None, 1.0, ratio, None)), 103, 97),
        Case("INPUT_SIZE", lambda size: sick(input_size=size), 20.5, 19.5),
        Case("INPUT_SIZE", lambda size: sick(input_size=1 / size), 20.5, 19.5),
        Case("FIRST_LOSS", lambda ratio: sick(first_loss=ratio * CHANCE), 5.1, 4.9),
        Case(
            "LEARNED", lambda progress: of.learned(progress, input_size=100.0), 0.51, 0.49, severity, ("info", "severe")
        ),
    ),
    "saturated_activations": (
        Case("SATURATED", lambda share: of.started(saturated=share), 0.56, 0.54),
        Case("VANISHED", lambda ratio: of.started(gradient=(ratio, None, 1.0, 1e3)), 1.03e-4, 0.97e-4),
    ),
    "split_leak": (
        Case("REPEATED", lambda share: sick(repeated={"val": round(1000 * share)}), 0.051, 0.049),
        Case(
            "a fifth of the split",
            lambda share: sick(repeated={"val": round(1000 * share)}),
            0.205,
            0.195,
            severity,
            ("severe", "warning"),
        ),
    ),
    "still_improving": (
        Case("EPOCHS", lambda number: of.falling(0.1, int(number)), 3, 2),
        Case("GAIN", of.falling, 0.031, 0.029),
        Case("RATE", lambda rate: of.falling(0.1, rate=rate), 0.205, 0.195),
    ),
    "too_few_samples": (
        Case("PER_CLASS", lambda number: sick(sizes=of.sizes(train=int(number))), 99, 100),
        Case("SAMPLES", lambda number: of.values({}, sizes=of.sizes(train=int(number))), 49, 50),
    ),
    "uncertain_validation": (
        Case("SAMPLES", lambda number: of.few(int(number), acc=0.97, baseline=0.97), 199, 200),
        Case("MOST_SHARE", of.split, 0.29, 0.31, overrides, ("data.val_share=0.3", None)),
        Case("WIDE", lambda number: of.few(int(number), acc=0.9, baseline=0.5), 140, 150),
        Case("Z", lambda baseline: of.few(190, acc=0.977, baseline=baseline), 0.935, 0.93),
    ),
    "underfitting": (
        Case("GAP", lambda less: of.worse(0.91 - less, 0.91), 0.0515, 0.0485),
        Case("three errors", lambda errors: of.worse(0.5, 0.5 + 0.05 * errors, number=98), 3.1, 2.9),
        Case("LOSS_RATIO", of.errors_by, 1.28, 1.22),
        Case("BEGUN", lambda progress: of.at_chance(progress=progress), 0.29, 0.31),
        Case(
            "FALLING",
            lambda by: of.standing(10, by, acc=0.6),
            0.0205,
            0.0195,
            overrides,
            ("trainer.max_epochs=30", "model.widths=[256,256]"),
        ),
    ),
    "not_linearly_separable": (
        Case("GAP", lambda less: of.one_layer(0.9 - less, 0.9), 0.102, 0.098),
        Case("three errors", lambda errors: of.one_layer(0.5, 0.5 + 0.05 * errors, number=98), 3.1, 2.9),
        Case("one layer", lambda number: of.one_layer(0.5, 0.9, layers=int(number)), 1, 2),
    ),
    "vanishing_gradients": (
        Case("RATIO", of.shrinking, 0.97e-4, 1.03e-4),
        Case("LEARNED", lambda progress: of.shrinking(1e-6, progress), 0.88, 0.92),
    ),
    "worse_than_baseline": (
        Case("Z", of.unbeaten, 2.0, 1.92),
        Case("Z", of.unbeaten_values, 2.0, 1.92),
        Case("two samples at least", lambda number: of.unbeaten_values(90.0, int(number)), 2, 1),
    ),
}

ALL = [pytest.param(rule, case, id=f"{rule}-{case.name}") for rule, cases in CASES.items() for case in cases]
NAMED = [each for each in ALL if each.values[1].name.isupper()]
MODULES = {"evidence": shared, **{rule: importlib.import_module(f"litmus.doctor.rules.{rule}") for rule in rules()}}
IMPORTED = "only rules read it, each of which has a case"
EXEMPT = {"evidence.Z": IMPORTED, "evidence.FEW_STEPS": IMPORTED}
UPWARDS = {"still_improving.EPOCHS": "two epochs and fewer have no two falls of the loss, whatever it is"}


def module_of(rule: str, name: str) -> str:
    """Where a rule reads a constant: in its own module, also if imported, or in the evidence's."""
    return rule if name in vars(MODULES[rule]) else "evidence"


def is_numeric(value: object) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(map(is_numeric, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def moved(value: object) -> Iterator[object]:
    """A constant, or one number of it, halved, lowered and raised beyond its cases, and doubled."""
    if isinstance(value, tuple):
        for i, each in enumerate(value):
            yield from ((*value[:i], other, *value[i + 1 :]) for other in moved(each))
    elif isinstance(value, int):
        yield from (value // 2, value - 1, value + 1, 2 * value)
    elif isinstance(value, float):
        yield from (value / 2, value / 1.1, value * 1.1, 2 * value)


def test_every_constant_has_a_case() -> None:
    there = {
        f"{module}.{name}"
        for module, owner in MODULES.items()
        for name, value in vars(owner).items()
        if name.isupper() and is_numeric(value)
    }
    tried = {f"{module_of(rule, case.name)}.{case.name}" for rule, case in (each.values for each in NAMED)}
    assert tried == there - EXEMPT.keys(), "a constant without a case, or a case without a constant"
    assert EXEMPT.keys() | UPWARDS.keys() <= there


def test_what_is_a_threshold_and_how_it_moves() -> None:
    assert [is_numeric(each) for each in (1, 0.5, (1, 0.5), True, (), ("acc",), "acc")] == [True] * 3 + [False] * 4
    assert set(moved((4, 0.5))) > {(2, 0.5), (3, 0.5), (5, 0.5), (8, 0.5), (4, 0.25), (4, 1.0)}


@pytest.mark.parametrize(("rule", "case"), ALL)
def test_a_rule_tells_the_sides_of_a_threshold_apart(rule: str, case: Case) -> None:
    assert case.answers(rule) == case.expected


@pytest.mark.parametrize(("rule", "case"), NAMED)
def test_a_threshold_that_moves_is_noticed(rule: str, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    where = module_of(rule, case.name)
    value = vars(MODULES[where])[case.name]
    for other in moved(value):
        if other > value or f"{where}.{case.name}" not in UPWARDS:
            monkeypatch.setattr(MODULES[where], case.name, other)
            assert case.answers(rule) != case.expected, f"{where}.{case.name} = {other}"
