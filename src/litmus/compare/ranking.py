"""Runs that differ only in seed or fold become one row; rows are compared with each other and sorted."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from litmus.compare.collect import UNFINISHED, Run
from litmus.compare.samples import by_samples
from litmus.compare.settings import (
    Settings,
    canonical,
    setting_label,
    settings_key,
    short_value,
    typed_value,
    varying_keys,
)
from litmus.compare.statistics import Summary, summarize
from litmus.compare.verdicts import (
    BEST,
    DIVERGED,
    REFERENCE,
    SAME,
    Verdict,
    compare_with_best,
    compare_with_reference,
)
from litmus.config.validate import did_you_mean
from litmus.errors import UserError
from litmus.record.metrics import mode_of

MOST_NAMED = 10  # settings that a message names
BETWEEN = r"\s+(?=[\w.]+=)"  # two `key=value`: a value such as [64, 32] may hold spaces
FAILED = ("failed", "interrupted")  # statuses of runs that ended early, and not because a pruner stopped them
LOST = (*FAILED, "pruned", "diverged")  # reasons of exclusion that leave a mean without a seed


@dataclass(frozen=True)
class Row:
    """One setting.

    Attributes:
        rank: from 1.
        settings: everything that decides what its runs learn, except the seed and the fold.
        runs: those in the mean, one per seed and fold.
        excluded: runs of the same settings that are not in the mean: failed, pruned, interrupted, unfinished, diverged,
            repeated.
        diverged: seeds whose training diverged. If all did, the mean is of what metrics they have, which may be none.
        value: the ranking's metric over the seeds.
        test: the same metric on the test set; None unless all `runs` have it.
        verdict: how it compares with the best row.
        fresh: runs on seeds that had no part in the ranking, which measured again what was selected.
        remeasured: the metric over those of them that finished; None without any.
    """

    rank: int
    settings: Settings
    runs: tuple[Run, ...]
    excluded: tuple[Run, ...]
    diverged: tuple[int, ...]
    value: Summary
    test: Summary | None
    verdict: Verdict
    fresh: tuple[Run, ...] = ()
    remeasured: Summary | None = None


@dataclass(frozen=True)
class Ranking:
    """Settings that can be compared: they share the dataset and the metric to rank by.

    Attributes:
        data: the dataset's name, and what was taken of it where that differs: `mnist  data.limit=500`.
        metric: the metric to rank by.
        mode: "min" or "max": which values of the metric are better.
        keys: the settings that differ between the rows; of a lone row, from the settings without a row.
        rows: the best first, the others by their means.
        total: number of rows before `--top` cut them.
        num_tested: number of rows that could be compared, the best included.
        pruned: whether all its runs were pruned, and are ranked by the best values that they had reached.
        running: unfinished runs of settings that have no row yet.
        unranked: the runs of each setting that has no row, and of which some failed.
        repeats: pairs of runs with the same setting and seed: the older, which is not counted, and the newer.
        unmeasured: number of runs that were trained to their end, and have no value of the metric.
    """

    data: str
    metric: str
    mode: str
    keys: tuple[str, ...]
    rows: tuple[Row, ...]
    total: int
    num_tested: int
    pruned: bool
    running: tuple[Run, ...]
    unranked: tuple[tuple[Run, ...], ...]
    repeats: tuple[tuple[Run, Run], ...]
    unmeasured: int

    @property
    def test(self) -> str:
        """The metric's counterpart on the test set: shown, never ranked by."""
        return metric_on_test(self.metric)

    @property
    def title(self) -> str:
        return f"{self.data}, {self.metric}"

    @property
    def folds(self) -> int | None:
        """How many folds there are, in a cross-validation."""
        found = self.rows[0].settings.get("data.folds") if self.rows else None
        return found if isinstance(found, int) else None

    @property
    def unit(self) -> str:
        """What each mean is over."""
        if self.folds is None:
            return "seeds"
        return "folds" if len({run.seed for row in self.rows for run in row.runs}) == 1 else "seeds and folds"

    @property
    def reference(self) -> str:
        """What the rows are compared with: the `best`, or the `reference` that `--against` names."""
        return REFERENCE if any(row.verdict.words == REFERENCE for row in self.rows) else BEST

    def label(self, row: Row) -> str:
        """A row's name: `optimizer.lr=0.003  model.dropout=0.1`."""
        return setting_label(row.settings, self.keys) or self.data

    def top(self, n: int | None) -> "Ranking":
        """The same ranking with its first `n` rows only; None keeps all."""
        return replace(self, rows=self.rows[:n])

    def measured(self) -> "Ranking":
        """The same ranking without the rows that have no value: all their runs diverged before the first epoch."""
        rows = tuple(row for row in self.rows if row.value.n)
        return replace(self, rows=rows, keys=varying_keys([row.settings for row in rows]))

    def best_set(self) -> list[Row]:
        """The best, and the rows that cannot be told from it; empty with a reference to compare with."""
        return [row for row in self.rows if row.verdict.words in (BEST, SAME)] if self.reference == BEST else []


@dataclass(frozen=True)
class _Group:
    """All runs of one setting.

    Attributes:
        members: all of them.
        counted: those in the mean, one per seed, sorted by it.
        repeats: pairs of runs with the same seed: the older, which is not counted, and the newer.
        diverged: seeds whose newest run diverged.
        unmeasured: number of runs that were trained to their end, and have no finite value of the metric.
    """

    members: Sequence[Run]
    counted: Sequence[Run]
    repeats: Sequence[tuple[Run, Run]]
    diverged: tuple[int, ...]
    unmeasured: int


def rank(
    runs: Sequence[Run], metric: str | None, against: str | None = None, fresh: Sequence[Run] = ()
) -> list[Ranking]:
    """Ranks runs, for each dataset, what was taken of it, and metric apart.

    Only finished runs count. A pruned run was stopped because its values were poor, at an epoch that the pruner chose:
    its best value so far is not what the setting would reach, and including it would bias the mean of its setting. Only
    where every run of a dataset was pruned, those are ranked. Failed and interrupted runs do not count either: the
    seeds that survive may be the better ones, so a row says how many it lost. A setting that diverged comes last.

    Args:
        runs: all runs.
        metric: to rank by; None for the metric that each run's task monitors.
        against: the setting that the others are compared with, such as `optimizer.lr=0.01 model.dropout=0`; None for
            the best.
        fresh: runs that are in no mean: they measure again the rows that have their settings.

    Raises:
        UserError: it is a test metric, no run has it, or its name does not say whether more is better; no ranked
            setting is the one to compare with, or several are.
    """
    mode = None if metric is None else _mode(runs, metric)
    by_metric: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        monitor = run.monitor if metric is None or mode is None else (metric, mode)
        by_metric.setdefault((str(run.settings["data"]), *monitor), []).append(run)
    rankings = [
        _rank_section(f"{data} {samples.label}".rstrip(), name, direction, samples.runs, against, fresh)
        for (data, name, direction), members in sorted(by_metric.items(), key=lambda item: item[0])
        for samples in by_samples(members)
    ]
    if against is not None and all(each.reference == BEST for each in rankings):
        raise UserError(f"No ranked setting has {against}. {_known_settings(rankings)}")
    return rankings


def _known_settings(rankings: Sequence[Ranking]) -> str:
    labels = [ranking.label(row) for ranking in rankings for row in ranking.rows]
    more = f"; and {len(labels) - MOST_NAMED} more" if len(labels) > MOST_NAMED else ""
    return f"There are: {'; '.join(labels[:MOST_NAMED])}{more}." if labels else "No run has finished yet."


def _mode(runs: Sequence[Run], metric: str) -> str:
    known = sorted({name for run in runs for name in run.metrics if not name.startswith("test/")})
    if metric.startswith("test/"):
        raise UserError(
            f"{metric} is a test metric: ranking by it would select on the test set, and bias the test result. "
            f"Rank by {metric.replace('test/', 'val/', 1)}; the test's value is shown beside it."
        )
    if metric not in known:
        available = f" Available: {', '.join(known)}." if known else " No run has any metric yet."
        raise UserError(f"No run has the metric {metric}.{did_you_mean(metric, known)}{available}")
    try:
        return mode_of(metric)
    except UserError:
        raise UserError(f"The name {metric} does not say whether more is better; rank by another metric.") from None


def _rank_section(
    data: str, metric: str, mode: str, runs: Sequence[Run], against: str | None, fresh: Sequence[Run]
) -> Ranking:
    """The ranking of runs that share samples and metric."""
    statuses = {run.status for run in runs}
    pruned = "pruned" in statuses and not statuses & {"finished", UNFINISHED}
    by_setting: dict[str, list[Run]] = {}
    for run in runs:
        by_setting.setdefault(settings_key(run.settings), []).append(run)
    groups = [_group(members, "pruned" if pruned else "finished", metric) for members in by_setting.values()]
    rows = _sorted_rows([group for group in groups if group.counted], metric, mode, against)
    no_row = [tuple(group.members) for group in groups if not group.counted]
    others = no_row if len(rows) == 1 else []  # a lone row is told from what is still to come
    return Ranking(
        data=data,
        metric=metric,
        mode=mode,
        keys=varying_keys([*(row.settings for row in rows), *(members[0].settings for members in others)]),
        rows=_remeasured(rows, metric, fresh),
        total=len(rows),
        num_tested=1 + sum(row.verdict.p is not None for row in rows),
        pruned=pruned,
        running=tuple(run for members in no_row for run in members if run.status == UNFINISHED),
        unranked=tuple(members for members in no_row if any(run.status in FAILED for run in members)),
        repeats=tuple(pair for group in groups for pair in group.repeats),
        unmeasured=sum(group.unmeasured for group in groups),
    )


def _remeasured(rows: Sequence[Row], metric: str, fresh: Sequence[Run]) -> tuple[Row, ...]:
    """The rows, with the fresh runs of their settings; a seed that is in any mean is not fresh."""
    used = {run.seed for row in rows for run in row.runs}
    ended = [run for run in fresh if run.status in ("finished", "diverged") and run.seed not in used]
    of_setting: dict[str, dict[tuple[int, int], Run]] = {}
    for run in sorted(ended, key=lambda run: run.ended):
        of_setting.setdefault(settings_key(run.settings), {})[run.block] = run
    found = []
    for row in rows:
        newest = of_setting.get(settings_key(row.settings), {})
        own = tuple(newest[block] for block in sorted(newest))
        values = [run.metrics[metric] for run in own if metric in run.metrics and not _diverged(run, metric)]
        found.append(replace(row, fresh=own, remeasured=summarize(values)) if own else row)
    return tuple(found)


def _group(members: Sequence[Run], status: str, metric: str) -> _Group:
    """Splits the runs of one setting.

    Args:
        members: the runs.
        status: of those that count.
        metric: to rank by.
    """
    complete = [run for run in members if run.status in (status, "diverged")]
    usable = [run for run in complete if metric in run.metrics or _diverged(run, metric)]
    newest: dict[tuple[int, int], Run] = {}
    repeats = []
    for run in sorted(usable, key=lambda run: run.ended):
        repeats += [(newest[run.block], run)] if run.block in newest else []
        newest[run.block] = run
    kept = [newest[block] for block in sorted(newest)]
    healthy = [run for run in kept if not _diverged(run, metric)]
    counted = healthy or [run for run in kept if metric in run.metrics] or kept
    diverged = tuple(run.seed for run in kept if _diverged(run, metric))
    return _Group(members, counted, repeats, diverged, len(complete) - len(usable))


def _diverged(run: Run, metric: str) -> bool:
    return run.diverged or metric in run.undefined


def _sorted_rows(groups: Sequence[_Group], metric: str, mode: str, against: str | None) -> list[Row]:
    """A row for each group: the best, then the others by their means, and last what diverged on some seed.

    With a setting to compare with, all that did not diverge are sorted by their means.
    """
    sign = -1 if mode == "max" else 1
    every = sorted(
        (_row(group, metric) for group in groups),
        key=lambda row: (math.isnan(row.value.mean), sign * row.value.mean, str(row.runs[0].folder)),
    )
    rows = [row for row in every if not row.diverged]
    if rows:
        number = {block: i for i, block in enumerate(sorted({run.block for row in rows for run in row.runs}))}
        values = [{number[run.block]: run.metrics[metric] for run in row.runs} for row in rows]
        place = _place_of(rows, against) if against is not None else None
        found = compare_with_best(values, mode) if place is None else compare_with_reference(values, mode, place)
        rows = [replace(row, verdict=verdict) for row, verdict in zip(rows, found.each, strict=True)]
        if place is None:
            rows.insert(0, rows.pop(found.reference))
    rows += [replace(row, verdict=Verdict(DIVERGED)) for row in every if row.diverged]
    return [replace(row, rank=rank) for rank, row in enumerate(rows, start=1)]


def _place_of(rows: Sequence[Row], setting: str) -> int | None:
    """The number of the row that has all of some `key=value`; None if none has.

    Raises:
        UserError: several rows have them.
    """
    pairs = [pair.partition("=")[::2] for pair in re.split(BETWEEN, setting.strip())]
    found = [i for i, row in enumerate(rows) if all(_has(row.settings, key, value) for key, value in pairs)]
    if len(found) > 1:
        raise UserError(f"{len(found)} settings have {setting}: add another key, to name one of them.")
    return found[0] if found else None


def _has(settings: Settings, key: str, value: str) -> bool:
    """Whether a setting has a value, however it is typed or shown; the last part of a key will do."""
    names = [name for name in settings if name == key or name.rpartition(".")[2] == key]
    typed = canonical(typed_value(value))
    return any(value == short_value(settings, name) or typed == canonical(settings[name]) for name in names)


def _row(group: _Group, metric: str) -> Row:
    name = metric_on_test(metric)
    counted = {run.folder for run in group.counted}
    tested = [run.metrics[name] for run in group.counted if name in run.metrics]
    return Row(
        rank=0,
        settings=group.counted[0].settings,
        runs=tuple(group.counted),
        excluded=tuple(run for run in group.members if run.folder not in counted),
        diverged=group.diverged,
        value=summarize([run.metrics[metric] for run in group.counted if metric in run.metrics]),
        test=summarize(tested) if len(tested) == len(group.counted) else None,
        verdict=Verdict(""),
    )


def metric_on_test(metric: str) -> str:
    """`test/acc` for `val/acc`."""
    return f"test/{metric.partition('/')[2]}"


def exclusion_reason(run: Run, row: Row, metric: str) -> str:
    """Why a run of a row is not in its mean: its status, or `repeated`, `diverged`, `without the metric`."""
    if run.status != row.runs[0].status:
        return run.status
    if run.block in {each.block for each in row.runs}:
        return "repeated"
    return unmeasured_reason(run, metric)


def unmeasured_reason(run: Run, metric: str) -> str:
    """Why a run that was trained to its end has no value to rank by."""
    return "diverged" if _diverged(run, metric) else "without the metric"


def lost_seeds(row: Row, metric: str) -> set[tuple[int, int]]:
    """Seeds and folds of runs that failed, diverged or were stopped, and that no other run replaces."""
    lost = {run.block for run in row.excluded if exclusion_reason(run, row, metric) in LOST}
    return lost - {run.block for run in row.runs}
