"""Hydra's override grammar as a search space: a distribution of Optuna's for every key that has several values.

| typed | searched |
|---|---|
| `a,b` and `choice(a,b)` | the words as typed, without an order: values, lists, choices of a group |
| `range(start,stop,step)` | whole numbers or decimals in steps; as everywhere in Hydra, without `stop` |
| `interval(a,b)` | every number from a to b; `int(interval(a,b))`: every whole number |
| `tag(log,interval(a,b))` | the same, evenly by factors instead of differences |

`shuffle` and `sort` change nothing: a search has an order of its own.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep, Transformer

from litmus.errors import UserError

try:
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
except ModuleNotFoundError:
    raise UserError("sweep=optuna needs the package optuna: pip install 'litmus[search]'.") from None

_OF_THE_SWEEP = ("sweep", "hydra", "resume")  # keys that say how to sweep, not what
_EXAMPLE = "such as optimizer.lr=tag(log,interval(1e-4,1e-1)) or model.widths=choice([64],[128,64])"


def space(overrides: Sequence[Override]) -> tuple[dict[str, BaseDistribution], list[str]]:
    """What is searched, by key, and the words that are the same for every trial.

    Args:
        overrides: all that was typed, parsed. Those of `sweep.*` and `hydra.*` belong to neither.

    Raises:
        UserError: an override is nothing that can be searched, or there is nothing to search.
    """
    found: dict[str, BaseDistribution] = {}
    constant: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        of_the_sweep = override.key_or_group.replace("/", ".").partition(".")[0] in _OF_THE_SWEEP
        if of_the_sweep and override.is_sweep_override():
            raise UserError(f"{key} is about the whole sweep: it takes one value.")
        if override.is_sweep_override():
            if key in found:
                raise UserError(f"{key} is typed twice.")
            found[key] = _distribution(key, override)
        elif not of_the_sweep:
            constant.setdefault(key, []).append(str(override.input_line))
    if not found:
        raise UserError(f"sweep=optuna has nothing to search: give a key several values, {_EXAMPLE}.")
    if both := next((key for key in constant if key in found), None):
        raise UserError(f"{both} is typed twice.")
    return found, [word for words in constant.values() for word in words]


def typed(key: str, value: Any, distribution: BaseDistribution) -> str:
    """A value as an override; read again, it is the same number to the last bit."""
    if isinstance(distribution, FloatDistribution):
        if distribution.step is not None:  # Optuna adds up steps: 0.1 + 2 * 0.1 is not 0.3 in binary
            number = round((value - distribution.low) / distribution.step)
            value = Decimal(repr(distribution.low)) + number * Decimal(repr(distribution.step))
        value = repr(float(value))
    return f"{key}={value}"


def values(distribution: BaseDistribution) -> list[Any] | None:
    """All values there are, or None where there is one between any two."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    if isinstance(distribution, FloatDistribution) and distribution.step is not None:
        numbers = range(int(count(distribution)))
        return [min(distribution.low + number * distribution.step, distribution.high) for number in numbers]
    return None


def count(distribution: Any) -> float:
    """How many values there are; inf, where there is one between any two."""
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    if distribution.step is None:
        return math.inf
    return round((distribution.high - distribution.low) / distribution.step) + 1


def points(space: Mapping[str, BaseDistribution]) -> float:
    """How many combinations of values there are; inf, where a key has no end of them."""
    return math.prod(map(count, space.values()))


def ends(distribution: Any) -> list[Any]:
    """Values that tell whether the key may have all of them: the least and the greatest, or every one of a choice."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    return [distribution.low, distribution.high]


def within(distribution: Any, end: Any) -> Any:
    """The number next to an end, where there is one between any two: the end itself is all but never drawn."""
    if isinstance(distribution, FloatDistribution) and distribution.step is None:
        return math.nextafter(end, distribution.low + distribution.high - end)
    return end


def hint(sentence: str, found: Mapping[str, BaseDistribution]) -> str:
    """What to add to the sentence that refuses a value of this space: `interval(8,64)` looks like whole numbers."""
    for key, distribution in found.items():
        if isinstance(distribution, FloatDistribution) and f"{key}=" in sentence and "whole number" in sentence:
            return f" To search whole numbers: {key}=int(interval(a,b))."
    return ""


def described(distribution: Any) -> str:
    """A distribution as one would type it; two that say the same are the same."""
    if isinstance(distribution, CategoricalDistribution):
        return f"choice({','.join(map(str, distribution.choices))})"
    if distribution.step is None:
        text = f"interval({distribution.low!r},{distribution.high!r})"
    else:
        text = f"{distribution.low!r} to {distribution.high!r} in steps of {distribution.step!r}"
    return f"tag(log,{text})" if distribution.log else text


def _distribution(key: str, override: Override) -> BaseDistribution:
    if override.key_or_group == "seed":
        raise UserError(
            "seed is nothing to search: the best trial would be the luckiest. "
            "Search with one seed, then repeat what was found: -m seed=0,1,2."
        )
    sweep = override.value()
    tags: set[str] = getattr(sweep, "tags", set())
    allowed = (
        {"log", "int"} if isinstance(sweep, IntervalSweep) else {"log"} if isinstance(sweep, RangeSweep) else set()
    )
    if strange := sorted(tags - allowed):
        raise UserError(f"{key}: tag({strange[0]},...) means nothing to a search here; tag(log,interval(a,b)) does.")
    if isinstance(sweep, IntervalSweep):
        return _interval(key, sweep)
    if isinstance(sweep, RangeSweep):
        return _range(key, sweep)
    if isinstance(sweep, ChoiceSweep):
        words = [str(Transformer.str(word)) for word in sweep.list]  # as listed: Hydra's own iterator may shuffle
        if twice := next((word for word in words if words.count(word) > 1), None):
            raise UserError(f"{key}: {twice} is listed twice.")
        return CategoricalDistribution(words)
    raise UserError(f"{key}: glob(...) is nothing to search. List what there is to choose: {key}=choice(a,b).")


def _interval(key: str, sweep: IntervalSweep) -> BaseDistribution:
    low, high, log = sweep.start, sweep.end, "log" in sweep.tags
    assert low is not None
    assert high is not None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(f"{key}=interval({low:g},{high:g}) holds nothing to search: the first bound is the lower one.")
    _refuse_log(key, low, log)
    if "int" in sweep.tags and not (float(low).is_integer() and float(high).is_integer()):
        raise UserError(f"{key}: the bounds of tag(int,interval({low:g},{high:g})) are whole numbers.")
    if "int" in sweep.tags or (isinstance(low, int) and isinstance(high, int)):
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(float(low), float(high), log=log)


def _range(key: str, sweep: RangeSweep) -> BaseDistribution:
    log, bounds = "log" in sweep.tags, (sweep.start, sweep.stop, sweep.step)
    start, stop, step = (Decimal(repr(bound)) for bound in bounds)
    count = math.ceil((stop - start) / step) if step and (stop - start).is_finite() else 0
    if count < 1:
        raise UserError(f"{key}=range({start},{stop},{step}) holds no value.")
    low, high = sorted((start, start + (count - 1) * step))
    _refuse_log(key, float(low), log)
    whole = all(isinstance(bound, int) for bound in bounds)
    if log and not (whole and abs(step) == 1):
        raise UserError(f"{key}: tag(log,...) goes with interval(a,b), or with a range of whole numbers in steps of 1.")
    if whole:
        return IntDistribution(int(low), int(high), log=log, step=int(abs(step)))
    return FloatDistribution(float(low), float(high), step=float(abs(step)))


def _refuse_log(key: str, low: float, log: bool) -> None:
    if log and low <= 0:
        raise UserError(f"{key}: tag(log,...) goes with numbers above 0; this begins at {low:g}.")
