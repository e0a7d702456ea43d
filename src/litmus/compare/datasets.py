"""Settings over several datasets: mean ranks, and which of them cannot be told apart.

Source: Demsar 2006, "Statistical comparisons of classifiers over multiple data sets": Friedman's test in the form of
Iman and Davenport (section 3.2.2), and Nemenyi's critical difference of mean ranks.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from litmus.compare.ranking import Ranking, Row
from litmus.compare.settings import Settings, data_settings, setting_label, settings_key, varying_keys
from litmus.compare.verdicts import DIVERGED

LEAST_DATASETS = LEAST_SETTINGS = 3
LEVEL = 0.05
# Keys of data that say how much of a dataset is taken: such parts are no datasets of their own.
PART = re.compile(r"data\.(limit|limit_eval|source|split_seed|num_\w+|\w+_(size|share))")
OF_DATA = ("data", "task")  # groups that follow the dataset


@dataclass(frozen=True)
class OverDatasets:
    """Settings that were run on every dataset.

    Attributes:
        datasets: the titles of the rankings.
        labels: of the settings, the one with the best mean rank first.
        ranks: their mean ranks, from 1.
        p: of Friedman's test that all are equal.
        critical: the difference of mean ranks that Nemenyi's test needs, at a level of 5 %.
    """

    datasets: tuple[str, ...]
    labels: tuple[str, ...]
    ranks: tuple[float, ...]
    p: float
    critical: float

    def groups(self) -> list[tuple[int, int]]:
        """The first and the last of each longest series of settings that cannot be told apart; none of one setting."""
        ends = [max(j for j, rank in enumerate(self.ranks) if rank - first <= self.critical) for first in self.ranks]
        return [(i, end) for i, end in enumerate(ends) if end > i and (i == 0 or end > ends[i - 1])]

    @property
    def note(self) -> str:
        """In a sentence."""
        ranks = "; ".join(f"{label} {rank:.2f}" for label, rank in zip(self.labels, self.ranks, strict=True))
        if self.p >= LEVEL:
            verdict = f"They cannot be told apart (Friedman's p {self.p:.3f})"
        else:
            verdict = (
                f"Those less than {self.critical:.2f} apart cannot be told apart (Nemenyi; Friedman's p {self.p:.2g})"
            )
        return f"mean ranks over {len(self.datasets)} datasets: {ranks}. {verdict}."


def over_datasets(rankings: Sequence[Ranking]) -> OverDatasets | None:
    """Ranks the settings that every dataset has; a setting that diverged shares the last rank.

    Of several rankings of one dataset, such as of parts of it, the one with the most runs counts.

    Returns:
        None for fewer than LEAST_DATASETS datasets, or LEAST_SETTINGS settings that all of them have.
    """
    rankings = _one_per_dataset(rankings)
    if len(rankings) < LEAST_DATASETS:
        return None
    by_setting = [{_key(row): row for row in ranking.rows} for ranking in rankings]
    shared = [key for key in by_setting[0] if all(key in rows for rows in by_setting)]
    if len(shared) < LEAST_SETTINGS:
        return None
    from scipy.stats import f, rankdata, studentized_range  # most of a second

    scores = [
        [_score(rows[key], ranking.mode) for key in shared] for rows, ranking in zip(by_setting, rankings, strict=True)
    ]
    ranks = [rankdata([-score for score in each]) for each in scores]
    n, k = len(rankings), len(shared)
    means = [math.fsum(each[i] for each in ranks) / n for i in range(k)]
    between = n * math.fsum((mean - (k + 1) / 2) ** 2 for mean in means)
    within = math.fsum((rank - (k + 1) / 2) ** 2 for each in ranks for rank in each) - between
    statistic = between * (n - 1) / within if within > 1e-12 else math.inf if between else 0.0
    quantile = float(studentized_range.ppf(1 - LEVEL, k, math.inf)) / math.sqrt(2)
    settings = [_without_data(by_setting[0][key].settings) for key in shared]
    keys = varying_keys(settings)
    order = sorted(range(k), key=means.__getitem__)
    return OverDatasets(
        datasets=tuple(ranking.title for ranking in rankings),
        labels=tuple(setting_label(settings[i], keys) for i in order),
        ranks=tuple(means[i] for i in order),
        p=float(f.sf(statistic, k - 1, (k - 1) * (n - 1))),
        critical=quantile * math.sqrt(k * (k + 1) / (6 * n)),
    )


def _one_per_dataset(rankings: Sequence[Ranking]) -> list[Ranking]:
    by_dataset: dict[str, list[Ranking]] = {}
    for ranking in rankings:
        settings = data_settings(ranking.rows[0].settings)
        whole = {key: value for key, value in settings.items() if not PART.fullmatch(key)}
        by_dataset.setdefault(settings_key(whole), []).append(ranking)
    return [max(several, key=lambda each: sum(len(row.runs) for row in each.rows)) for several in by_dataset.values()]


def _without_data(settings: Mapping[str, object]) -> Settings:
    return {key: value for key, value in settings.items() if key.partition(".")[0] not in OF_DATA}


def _key(row: Row) -> str:
    return settings_key(_without_data(row.settings))


def _score(row: Row, mode: str) -> float:
    """Larger is better."""
    if row.verdict.words == DIVERGED:
        return -math.inf
    return row.value.mean if mode == "max" else -row.value.mean
