"""What a page says of the run besides its results: data, configuration, environment, and how to repeat it."""

from collections.abc import Sequence

import numpy as np

from litmus.config.keys import flat
from litmus.config.protocols import SPLITS, Data
from litmus.config.retype import differing
from litmus.config.validate import shown
from litmus.page.axes import axis
from litmus.page.charts import columns, images
from litmus.page.names import shorten, shorten_all
from litmus.page.selection import evenly
from litmus.page.values import histogram
from litmus.record.command import typed_words
from litmus.report.material import Material
from litmus.report.parts import Block, Card, Cards, Chart, Lines, Section, Tabled, Words, card, table
from litmus.spec import Boxes, Classes, Labels, Values

MOST_CLASSES = 40  # whose counts are shown; of more, the most and the least frequent
MOST_IMAGES, MOST_OTHERS = 16, 6  # samples
NUM_BINS = 30  # of a histogram of values


def data_section(material: Material) -> Section:
    """How many samples there are of what, and some of them."""
    facts = material.result.get("dataset") or {}
    sizes = {split: facts.get(split) for split in SPLITS}
    said = [f"{size:,} for {split}" for split, size in sizes.items() if isinstance(size, int)]
    sentences = [f"{material.result.get('data')}, from {facts.get('source')}: {', '.join(said)}."] if said else []
    sentences += [str(facts["warning"])] if facts.get("warning") else []
    blocks: list[Block] = [Words(sentences)] if sentences else []
    if material.tested is not None:
        blocks += [*_counts(material.tested.data), *_samples(material.tested.data)]
    return Section("data", "Data", blocks)


def _counts(data: Data) -> list[Block]:
    """Of each class and split, how many samples; of values, how they are distributed in training."""
    target = data.spec.target
    if isinstance(target, Values):
        return _histograms(data, target.names)
    counts = {split: data.counts(split).numpy() for split in SPLITS}
    order = list(range(len(target.names)))
    omitted = max(0, len(order) - MOST_CLASSES)
    if omitted:
        ranked = np.argsort(-counts["train"], kind="stable").tolist()
        order = [*ranked[: MOST_CLASSES // 2], *ranked[-MOST_CLASSES // 2 :]]
    shown = shorten_all([target.names[i] for i in order], 40)
    rows = [[name, *(f"{own[i]:,}" for own in counts.values())] for i, name in zip(order, shown, strict=True)]
    noun, names = ("boxes", "classes") if isinstance(target, Boxes) else ("samples", target.noun)
    which = "; the most and the least frequent" if omitted else ""
    said = f"How many {noun} there are of each of {len(target.names)} {names}{which}."
    return [Tabled(said, table(["", *counts], rows, omitted=omitted))]


def _histograms(data: Data, names: Sequence[str]) -> list[Block]:
    targets = data.targets("train")
    if targets is None:
        return []
    blocks: list[Block] = []
    for number, name in enumerate(names[:4] if data.spec.input.noun != "series" else names[:1]):
        heights, edges = histogram(targets[:, number].double().numpy(), NUM_BINS)
        x, y = axis(edges, shorten(name, 40)), axis(heights, "training samples", low=0)
        drawing = columns(f"distribution of {name}", x, y, edges.tolist(), heights.tolist())
        blocks.append(Chart(f"target-{number + 1}", f"How {name} is distributed in training.", drawing))
    return blocks


def _samples(data: Data) -> list[Block]:
    """Training samples, evenly chosen; of classes, with theirs."""
    total = data.sizes["train"]
    first = data.sample("train", 0)
    if first.past is not None:  # windows of a series say little
        return []
    most = MOST_IMAGES if first.image is not None else MOST_OTHERS
    numbers = evenly(total, most).tolist()
    chosen = [data.sample("train", number) for number in numbers]
    labels = [_label(data, number) for number in numbers]
    cards: list[Card] = [card(sample, [label] if label else []) for sample, label in zip(chosen, labels, strict=True)]
    pixels = [sample.image for sample in chosen if sample.image is not None]
    picture = images("training samples", pixels, shorten_all(labels, 14)) if pixels else None
    return [Cards("samples", "Some training samples.", cards, picture)]


def _label(data: Data, number: int) -> str:
    targets, target = data.targets("train"), data.spec.target
    if targets is None:
        return ""
    if isinstance(target, Classes):
        return target.names[int(targets[number])]
    if isinstance(target, Labels):
        return ", ".join(target.names[i] for i in targets[number].nonzero()[:, 0].tolist()) or "no label"
    return ", ".join(f"{name} {float(value):.4g}" for name, value in zip(target.names, targets[number], strict=True))


def configuration(material: Material) -> Section:
    """What differs from the defaults of the run's choices, then every key."""
    found = differing(material.config, material.requested or material.config)
    rows = [[each.key, _said(each.value), _said(each.default) if each.known else "none"] for each in found]
    blocks: list[Block] = [Words(["Every key has its default value."])]
    if rows:
        said = "What differs from the defaults of the run's model, data and other choices."
        blocks = [Tabled(said, table(["key", "value", "default"], rows, numeric=False))]
    everything = [f"{key}={shown(value)}" for key, value in flat(material.config) if not key.endswith("_target_")]
    return Section("configuration", "Configuration", [*blocks, Lines("Every key", everything, folded=True)])


def _said(value: object) -> str:
    """A value as one types it; of a section, such as that of a callback that was switched off, its keys."""
    if not isinstance(value, dict):
        return shown(value)
    return ", ".join(f"{key}={shown(own)}" for key, own in flat(value) if not key.endswith("_target_")) or "on"


def environment(material: Material) -> Section:
    """Where the run was computed."""
    known = material.environment or {}
    names = ("python", "system", "processor", "cores", "available_memory_gb", "device", "precision", "threads")
    rows = [[name.replace("_", " "), str(known[name])] for name in names if known.get(name) is not None]
    git = known.get("git") or material.result.get("git") or {}
    if git.get("commit"):
        rows.append(["commit", f"{git['commit']}{', with changes' if git.get('changed') else ''}"])
    versions = material.result.get("versions") or {}
    rows += [[str(name), str(version)] for name, version in versions.items() if version and name != "python"]
    if not rows:
        return Section("environment", "Environment", [Words(["The run does not say where it was computed."])])
    said = "Where, and with which versions"
    return Section("environment", "Environment", [Tabled(said, table(["", ""], rows, numeric=False), folded=True)])


def again(material: Material) -> Section:
    """The commands to repeat the run, and those that made it."""
    written = [str(each) for each in (material.environment or {}).get("commands", [])]
    typed = [each for each in written if typed_words(each) is not None]
    compared = ", and compare the two to the last bit" if "reproduce=" in (material.command or "") else ""
    lines = [Lines(f"Train it again{compared}", [material.command])] if material.command else []
    lines += [Lines("As it was typed", typed)] if typed else []
    return Section("again", "Repeat it", lines)
