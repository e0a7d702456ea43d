"""More runs of what was compared: which seeds, and the commands that run them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from litmus.compare.collect import DAMAGE, Run, is_run_folder
from litmus.compare.pending import AUTO
from litmus.compare.ranking import Ranking, Row
from litmus.compare.settings import CHANGES, settings_key
from litmus.compare.verdicts import MOST_SEEDS, ONE_SEED, SAME
from litmus.config.command import train_command
from litmus.config.keys import GROUPS, key_of
from litmus.config.launch import without_machines
from litmus.config.retype import overrides_of
from litmus.config.types import Section
from litmus.config.validate import override
from litmus.record.files import slug
from litmus.record.folder import RunDir

MORE = "more-seeds"  # folder, below what is compared, of runs that join the others in their means
FRESH = "fresh-seeds"  # and of those that measure again what was selected, and are in no mean
FEW = 3  # seeds, without which there is nothing to test
APART = 1000  # fresh seeds begin at a multiple of this
LONG = 4  # consecutive seeds, from which they are typed as a range


@dataclass(frozen=True)
class More:
    """What would tell the first two settings of a ranking apart.

    Attributes:
        note: how many more seeds, and of what.
        commands: that run them; none where a setting cannot be typed, or no number of seeds would do.
    """

    note: str
    commands: list[str]


def more_seeds(ranking: Ranking, folders: Sequence[Path]) -> More | None:
    """How many further seeds would tell the first two apart, and the commands that run them; None if they are told.

    Args:
        ranking: of settings.
        folders: that are compared.
    """
    first, second = _first_two(ranking)
    if first is None or second is None or ranking.folds is not None:  # of folds there are no more
        return None
    names = f"#{first.rank} and #{second.rank}"
    wanted = FEW if second.verdict.words == ONE_SEED else second.verdict.seeds
    if wanted is None:
        little = f"{names} differ so little that even {MOST_SEEDS:,} seeds of both would hardly show it"
        return More(f"{ranking.title}: {little}.", []) if second.verdict.words == SAME else None
    if (number := wanted - min(first.value.n, second.value.n)) <= 0:
        return None
    seeds = "seed" if number == 1 else "seeds"
    more = f"about {number:,} more {seeds} of both would show it (in 4 of 5 cases)"
    why = f"if {names} differ as much as it seems, {more}"
    if second.verdict.words == ONE_SEED:
        why = f"{names} cannot be compared with one seed: run {FEW}"
    last = max(_used(ranking))
    seeds_of_both = [*sorted(_seeds(first) | _seeds(second)), *range(last + 1, last + 1 + wanted)][:wanted]
    commands = []
    for row in (first, second):
        left = [seed for seed in seeds_of_both if seed not in _seeds(row)]
        words = overrides_for(row, left, folders, MORE) if left else None
        commands += [train_command("-m", *words)] if words else []
    return More(f"{ranking.title}: {why}.", commands)


def _first_two(ranking: Ranking) -> tuple[Row | None, Row | None]:
    best = ranking.best_set()
    lone = [row for row in ranking.rows if row.verdict.words == ONE_SEED]
    first, second, *_ = [*best[:2], *(lone if len(best) == 1 else []), None, None]
    return first, second


def fresh_seeds(ranking: Ranking, number: int) -> list[int]:
    """So many seeds that have no part in the ranking, and will have none when there are some more."""
    first = (max(_used(ranking)) // APART + 1) * APART
    return list(range(first, first + number))


def _used(ranking: Ranking) -> set[int]:
    return {run.seed for row in ranking.rows for run in (*row.runs, *row.excluded)}


def _seeds(row: Row) -> set[int]:
    return {run.seed for run in row.runs}


def overrides_for(row: Row, seeds: Sequence[int], folders: Sequence[Path], kind: str) -> list[str] | None:
    """What one types after `python train.py -m` to run a setting on other seeds, in a folder of its own.

    Args:
        row: the setting.
        seeds: at least one.
        folders: that are compared; the runs go below the first that is not a run itself, so that they are found.
        kind: MORE or FRESH.

    Returns:
        The overrides; None for a setting that was changed while it trained, or is none of litmus' own.
    """
    if CHANGES in row.settings:
        return None
    run = RunDir(row.runs[0].folder)
    try:
        config = run.read_config()
        words = without_machines(overrides_of(_with_choices(run.read_requested() or config, config)))
    except DAMAGE:
        return None
    if (folds := row.settings.get("data.folds")) is not None:
        words = [f"data.fold=range(0,{folds})" if word.startswith("data.fold=") else word for word in words]
    digest = hashlib.sha256(settings_key(row.settings).encode()).hexdigest()[:8]
    base = next((folder for folder in folders if not is_run(folder)), None)
    name = slug(f"{row.settings['model']}-{row.settings['data']}-{digest}-seeds-{seeds[0]}-{seeds[-1]}")
    where = [] if base is None else [override("hydra.sweep.dir", str(base / kind / name))]
    return [*words, f"seed={','.join(_ranges(seeds))}", *where]


def _with_choices(requested: Section, final: Section) -> Section:
    """What was requested, with what was chosen for `auto` where that decides what a run learns."""

    def chosen(group: str, key: str, value: object) -> object:
        was_auto = value == AUTO and key_of(f"{group}.{key}").compared
        return final[group].get(key, value) if was_auto else value

    return {
        group: {key: chosen(group, key, value) for key, value in section.items()} if group in GROUPS else section
        for group, section in requested.items()
    }


def is_run(folder: Path) -> bool:
    """Whether a folder is a run's."""
    return is_run_folder({path.name for path in folder.iterdir()})


def _ranges(seeds: Sequence[int]) -> Iterator[str]:
    """Seeds in Hydra's grammar, which has no ranges beside values."""
    consecutive = list(seeds) == list(range(seeds[0], seeds[0] + len(seeds)))
    if consecutive and len(seeds) >= LONG:
        yield f"range({seeds[0]},{seeds[-1] + 1})"
    else:
        yield from map(str, seeds)


def is_fresh(run: Run, folders: Sequence[Path]) -> bool:
    """Whether a run measures again what was selected: it lies in a folder FRESH below one that is compared."""
    return any(
        run.folder.is_relative_to(folder) and FRESH in run.folder.relative_to(folder).parts for folder in folders
    )
