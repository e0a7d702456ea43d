"""Which runs learned from the same samples: only those share a ranking."""

from collections.abc import Sequence
from dataclasses import dataclass

from litmus.compare.collect import Run
from litmus.compare.settings import (
    Settings,
    canonical,
    data_settings,
    setting_label,
    settings_key,
    varying_keys,
)


@dataclass(frozen=True)
class Samples:
    """Runs on the same samples.

    Attributes:
        label: what distinguishes them from other samples of the dataset, such as `data.limit=500`; may be empty.
        runs: all of them.
    """

    label: str
    runs: list[Run]


def by_samples(runs: Sequence[Run]) -> list[Samples]:
    """Runs of one dataset, apart where source, limit, sizes or split differ, or the files themselves."""
    by_settings: dict[str, list[Run]] = {}
    for run in runs:
        by_settings.setdefault(settings_key(data_settings(run.settings)), []).append(run)
    keys = varying_keys([data_settings(members[0].settings) for members in by_settings.values()])
    found = []
    for _, members in sorted(by_settings.items(), key=lambda item: item[0]):
        label = setting_label(members[0].settings, keys)
        groups = _by_files(members)
        files = [next((_beginnings(run) for run in own if run.data), {}) for own in groups]
        differing = varying_keys(files) if len(groups) > 1 else ()
        labels = (f"{label}  {setting_label(each, differing)}".strip() for each in files)
        found += [Samples(*each) for each in zip(labels, groups, strict=True)]
    return found


def _beginnings(run: Run) -> Settings:
    """Of the checksums of its files."""
    return {name: checksum[:8] for name, checksum in run.data.items()}


def _by_files(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs with the same data settings, apart where their files differ; those on the oldest files first.

    Some datasets' checksums depend on the seed, because they include the split. Where no two seeds share a checksum,
    the first files of each seed are taken for the same, and so are the second. A run that ended before it knew its
    files belongs to the newest ones of its setting.
    """
    ended = sorted((run for run in runs if run.data), key=lambda run: run.ended)
    seeds: dict[str, set[int]] = {}
    for run in ended:
        seeds.setdefault(canonical(run.data), set()).add(run.seed)
    by_seed = all(len(own) == 1 for own in seeds.values())
    version: dict[str, int] = {}
    for files, own in seeds.items():
        version[files] = sum(not by_seed or own == seeds[earlier] for earlier in version)
    newest = {settings_key(run.settings): version[canonical(run.data)] for run in ended}
    last = max(version.values(), default=0)
    groups: dict[int, list[Run]] = {}
    for run in runs:
        known = version[canonical(run.data)] if run.data else newest.get(settings_key(run.settings), last)
        groups.setdefault(known, []).append(run)
    return [groups[number] for number in sorted(groups)]
