"""Hydra's override grammar as a search space: a distribution of Optuna's for every key that has several values.

| typed | searched |
|---|---|
| `a,b` and `choice(a,b)` | the values as typed, without an order: numbers, lists, choices of a group |
| `range(start,stop,step)` | whole numbers or decimals in steps; as everywhere in Hydra, without `stop` |
| `interval(a,b)` | all numbers from a to b; `int(interval(a,b))`: all whole numbers |
| `tag(log,interval(a,b))` | the same, evenly on a logarithmic scale |

`shuffle` and `sort` change nothing: the sampler decides the order.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep, Transformer

from litmus.errors import UserError

try:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
except ModuleNotFoundError:
    raise UserError("sweep=optuna needs the package optuna: pip install 'litmus[search]'.") from None

Distribution = CategoricalDistribution | FloatDistribution | IntDistribution

SWEEP_KEYS = ("sweep", "hydra", "resume", "reproduce")  # how to sweep, not what
LUCK = ("seed", "data.fold", "data.split_seed")  # no setting: with another value, the same network is lucky or not
EXAMPLE = "such as optimizer.lr=tag(log,interval(1e-4,1e-1)) or model.widths=choice([64],[128,64])"


def search_space(overrides: Sequence[str]) -> tuple[dict[str, Distribution], list[str]]:
    """The search space, by key, and the overrides that are the same for every trial.

    Args:
        overrides: as typed. Those of `sweep.*`, `hydra.*` and `resume` belong to neither.

    Raises:
        UserError: an override cannot be searched, or there is nothing to search.
        OverrideParseException: Hydra's, for an override that is none.
    """
    found: dict[str, Distribution] = {}
    constant: dict[str, list[str]] = {}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key = override.get_key_element()
        of_sweep = override.key_or_group.replace("/", ".").partition(".")[0] in SWEEP_KEYS
        if of_sweep and override.is_sweep_override():
            raise UserError(f"{key} is about the whole sweep: give it one value.")
        if override.is_sweep_override():
            if key in found:
                raise UserError(f"{key} is given twice.")
            found[key] = _distribution(key, override)
        elif not of_sweep:
            constant.setdefault(key, []).append(str(override.input_line))
    if not found:
        raise UserError(f"sweep=optuna has nothing to search: give a key several values, {EXAMPLE}.")
    if both := next((key for key in constant if key in found), None):
        raise UserError(f"{both} is given twice.")
    return found, [override for same_key in constant.values() for override in same_key]


def to_override(key: str, value: Any, distribution: Distribution) -> str:
    """A value as an override; parsed again, it is the same number to the last bit."""
    if isinstance(distribution, FloatDistribution):
        if distribution.step is not None:  # Optuna adds up steps: 0.1 + 2 * 0.1 is not 0.3 in binary
            steps = round((value - distribution.low) / distribution.step)
            value = Decimal(repr(distribution.low)) + steps * Decimal(repr(distribution.step))
        value = repr(float(value))
    return f"{key}={value}"


def to_text(key: str, value: Any, distribution: Distribution) -> str:
    """As `to_override`, for the screen: three significant digits."""
    is_drawn = isinstance(distribution, FloatDistribution)
    return f"{key}={value:.3g}" if is_drawn else to_override(key, value, distribution)


def list_values(distribution: Distribution) -> list[Any] | None:
    """All values of a distribution, or None if it is continuous."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    if isinstance(distribution, FloatDistribution) and distribution.step is not None:
        steps = range(int(count_values(distribution)))
        return [min(distribution.low + step * distribution.step, distribution.high) for step in steps]
    return None


def count_values(distribution: Distribution) -> float:
    """The number of values; inf if the distribution is continuous."""
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    if distribution.step is None:
        return math.inf
    return round((distribution.high - distribution.low) / distribution.step) + 1


def count_points(space: Mapping[str, Distribution]) -> float:
    """The number of combinations of values; inf if a key is continuous."""
    return math.prod(map(count_values, space.values()))


def extremes(distribution: Distribution) -> list[Any]:
    """The values to check, so that all are allowed: the least and the greatest, or every one of a choice."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    return [distribution.low, distribution.high]


def step_inside(distribution: Distribution, extreme: Any) -> Any:
    """The number next to an extreme of a continuous distribution, which almost never draws the extreme itself."""
    if isinstance(distribution, FloatDistribution) and distribution.step is None:
        return math.nextafter(extreme, distribution.low + distribution.high - extreme)
    return extreme


def integer_hint(message: str, space: Mapping[str, Distribution]) -> str:
    """A hint for the message that refuses 8.0 from `interval(8,64)`, which looks like whole numbers; or nothing."""
    for key, distribution in space.items():
        if isinstance(distribution, FloatDistribution) and f"{key}=" in message and "whole number" in message:
            return f" To search whole numbers: {key}=int(interval(a,b))."
    return ""


def describe(distribution: Distribution) -> str:
    """A distribution as one would type it; equal for equal distributions."""
    if isinstance(distribution, CategoricalDistribution):
        return f"choice({','.join(map(str, distribution.choices))})"
    if distribution.step is None:
        text = f"interval({distribution.low!r},{distribution.high!r})"
    else:
        text = f"{distribution.low!r} to {distribution.high!r} in steps of {distribution.step!r}"
    return f"tag(log,{text})" if distribution.log else text


def _distribution(key: str, override: Override) -> Distribution:
    if (name := override.key_or_group) in LUCK:
        raise UserError(
            f"{name} cannot be searched: the best trial would be the luckiest one. "
            f"Search with one value, then repeat the best trial with several: -m {name}=0,1,2."
        )
    sweep = override.value()
    tags: set[str] = getattr(sweep, "tags", set())
    allowed = (
        {"log", "int"} if isinstance(sweep, IntervalSweep) else {"log"} if isinstance(sweep, RangeSweep) else set()
    )
    if unknown := sorted(tags - allowed):
        raise UserError(f"{key}: tag({unknown[0]},...) is not supported here; tag(log,interval(a,b)) is.")
    if isinstance(sweep, IntervalSweep):
        return _interval(key, sweep)
    if isinstance(sweep, RangeSweep):
        return _range(key, sweep)
    if isinstance(sweep, ChoiceSweep):
        values = [str(Transformer.str(value)) for value in sweep.list]  # as listed: Hydra's own iterator may shuffle
        if duplicate := next((value for value in values if values.count(value) > 1), None):
            raise UserError(f"{key}: {duplicate} is listed twice.")
        return CategoricalDistribution(values)
    raise UserError(f"{key}: glob(...) cannot be searched. List the choices: {key}=choice(a,b).")


def _interval(key: str, sweep: IntervalSweep) -> Distribution:
    low, high, log = sweep.start, sweep.end, "log" in sweep.tags
    assert low is not None
    assert high is not None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(
            f"{key}=interval({low:g},{high:g}) is empty: the first bound must be below the second, and both finite."
        )
    _refuse_log(key, low, log)
    if "int" in sweep.tags and not (float(low).is_integer() and float(high).is_integer()):
        raise UserError(f"{key}: the bounds of tag(int,interval({low:g},{high:g})) must be whole numbers.")
    if "int" in sweep.tags or (isinstance(low, int) and isinstance(high, int)):
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(float(low), float(high), log=log)


def _range(key: str, sweep: RangeSweep) -> Distribution:
    log, bounds = "log" in sweep.tags, (sweep.start, sweep.stop, sweep.step)
    start, stop, step = (Decimal(repr(bound)) for bound in bounds)
    num_values = math.ceil((stop - start) / step) if step and (stop - start).is_finite() else 0
    if num_values < 1:
        raise UserError(f"{key}=range({start},{stop},{step}) is empty.")
    low, high = sorted((start, start + (num_values - 1) * step))
    _refuse_log(key, float(low), log)
    is_whole = all(isinstance(bound, int) for bound in bounds)
    if log and not (is_whole and abs(step) == 1):
        raise UserError(f"{key}: tag(log,...) needs interval(a,b), or a range of whole numbers in steps of 1.")
    if is_whole:
        return IntDistribution(int(low), int(high), log=log, step=int(abs(step)))
    return FloatDistribution(float(low), float(high), step=float(abs(step)))


def _refuse_log(key: str, low: float, log: bool) -> None:
    if log and low <= 0:
        raise UserError(f"{key}: tag(log,...) needs numbers above 0; this starts at {low:g}.")
