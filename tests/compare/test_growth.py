"""What comparing costs grows with the number of settings, not with its square."""

import numpy as np
import pytest

from litmus.compare import effects, null, verdicts
from litmus.compare.layout import Fit, Layout, fit
from litmus.compare.ranking import Row
from litmus.compare.statistics import summarize
from litmus.compare.verdicts import compare_with_best

SOME, MORE = 300, 1200


def values_of(num: int) -> list[dict[int, float]]:
    generator = np.random.default_rng(0)
    return [dict(enumerate(own)) for own in generator.normal(0.9, 0.01, (num, 3)).tolist()]


@pytest.mark.parametrize("gaps", [0.0, 0.4])
def test_who_leads_is_found_among_few_to_the_digit(gaps: float, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(1)
    present = generator.random((60, 4)) >= gaps
    present[:, 0] = True
    if gaps:
        present[:5] = [False, False, False, True]
        present[5:, 3] = False  # with which the first five cannot be compared
    layout = Layout(present)
    fitted = fit(layout, generator.normal(size=(7, 60, 4)) * present)
    some = np.array([3, 0, *range(8, 50)])
    pairs = null.leads(layout, fitted, some)
    monkeypatch.setattr(null, "MOST_PAIRED", 1)
    assert (null.leads(layout, fitted, some) == pairs).all()


@pytest.mark.parametrize("against", [None, 5])
def test_four_times_the_settings_take_about_four_times_the_work(
    against: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors, work = Fit.standard_errors, [0]

    def counted(*given: object) -> object:
        found = errors(*given)
        work[0] += found.size
        return found

    monkeypatch.setattr(Fit, "standard_errors", counted)
    counts = []
    for num in (SOME, MORE):
        work[0] = 0
        if against is None:
            compare_with_best(values_of(num), "max")
        else:
            verdicts.compare_with_reference(values_of(num), "max", against)
        counts.append(work[0])
    assert counts[1] < 6 * counts[0], "each with each other would be 16 times as many"


class Text(str):
    """A value that counts how often it is compared with others."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Text.compared += 1
        return str.__eq__(self, other)


def test_the_effect_of_a_key_whose_every_value_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects, "exact_value", lambda settings, key: Text(str(settings[key])))
    counts = []
    for num in (SOME, MORE):
        rows = [_row({"optimizer.lr": 1e-4 * i, "model.dropout": 0.1 * (i % 3)}) for i in range(num)]
        Text.compared = 0
        found = effects.main_effects(_Ranking(rows))
        assert {effect.key: len(effect.values) for effect in found} == {"optimizer.lr": num, "model.dropout": 3}
        counts.append(Text.compared)
    assert counts[1] <= 6 * max(counts[0], SOME)


class _Ranking:
    keys = ("optimizer.lr", "model.dropout")

    def __init__(self, rows: list[Row]) -> None:
        self.rows = tuple(rows)


def _row(settings: dict[str, object]) -> Row:
    return Row(1, settings, (), (), (), summarize([0.9]), None, verdicts.Verdict(verdicts.ONE_SEED))
