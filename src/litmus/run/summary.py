"""A run on the screen: its configuration, its network and data, how it ended."""

import math
from collections.abc import Callable

import torch
from rich.text import Text
from torch import nn

from litmus import console
from litmus.config.command import train_command, verb_command
from litmus.config.protocols import Net
from litmus.config.types import Section
from litmus.config.validate import override, shown
from litmus.doctor.finding import Finding
from litmus.record.baselines import BASELINES, baseline_metrics, ranked_baselines
from litmus.record.folder import RunDir
from litmus.record.metrics import GAIN, TIE_BREAKER, deciding, mode_of, monitored_in, per_class, per_value
from litmus.report.facts import mistakes
from litmus.run import diagnosis
from litmus.run.baselines import Measured
from litmus.run.build import Parts
from litmus.run.changes import LENGTHS
from litmus.spec import Boxes, Series, Target, Values
from litmus.trainer import Hardware

MOST_ROWS = 30  # of a network's summary
MOST_COLUMNS = 40  # of a table, each in a line
LEFT_OUT = "left out"  # how the use of a column begins that the network does not get
MOST_CLASSES = 20  # whose precision and recall are shown; result.json has them all
MOST_FINDINGS = 3  # on the screen at the end; `litmus doctor` shows all
MOST_CONFUSED = 3  # pairs of classes
MOST_VALUES = 24  # steps of a forecast, or targets, in the table of errors

SPLITS = {"test": "test", "val": "validation", "train": "train (running mean)"}  # in the order of the end table
LEAST_BLOCKS, MOST_BLOCKS = 8, 40  # of a sparkline

UNTRAINED = {  # what a network forecasts before its training, by `data.scaling`
    "series": "the training mean",
    "window": "the last value",
    "difference": "the last value",
    "seasonal": "the value one season before",
    "seasonal_difference": "the value one season before, moved by the last change",
}


def parts(parts: Parts, hardware: Hardware) -> None:
    """The columns of a table, the network layer by layer, the data, and the device."""
    _columns(parts.data.columns)
    rows = layers(parts.net)
    console.table(("layer", "type", "output", "parameters"), rows)
    total = sum(p.numel() for p in parts.net.parameters())
    sizes = "  ".join(f"{split} {size:,}" for split, size in parts.data.sizes.items())
    trainable = sum(p.numel() for p in parts.net.parameters() if p.requires_grad)
    console.say(f"{total:,} parameters" + (f", of which {trainable:,} are trained" if trainable < total else ""))
    if parts.net.provenance:
        console.say(parts.net.provenance, wrap=True)
    console.say(f"data  {sizes}  from {parts.data.source}", wrap=True)
    if parts.data.passes > 1:
        console.say(f"an epoch passes {parts.data.passes} times over the training data", wrap=True)
    if (parts_of_pass := parts.data.cut.epochs) > 1:
        lengths = " or ".join(f"{length:,}" for length in sorted(set(parts.data.epoch_lengths)))
        console.say(f"a pass over the training data is {parts_of_pass} epochs of {lengths} batches, each validated")
    # Of a series, the scale is that of changes from what a forecast is relative to.
    spread = "scale" if isinstance(parts.data.spec.input, Series) else "deviation"
    console.say(f"target  {_target(parts.data.spec.target, spread)}", wrap=True)
    for note in parts.data.notes:
        console.say(note, wrap=True)
    console.say(f"precision  {hardware.precision}  ({hardware.reason})", wrap=True)
    for line in parts.tuned:
        console.say(line, wrap=True)


def baselines(measured: Measured) -> None:
    """What needs no network, in validation, the best first."""
    found = measured.metrics.get("val", {})
    if (metric := deciding(name for own in found.values() for name in own)) is not None:
        best_first = sorted(found, key=lambda name: found[name][metric], reverse=mode_of(metric) == "max")
        values = "  ".join(f"{BASELINES[name][0]} {found[name][metric]:.4f}" for name in best_first)
        console.say(f"baselines  val/{metric}  {values}", wrap=True)
    for note in measured.notes:
        console.say(f"  {note}", style="dim", wrap=True)


def _columns(columns: list[tuple[str, str, str]]) -> None:
    """What became of each column; of many, only those that are left out, and how many others there are of each kind."""
    shown = columns if len(columns) <= MOST_COLUMNS else [each for each in columns if each[2].startswith(LEFT_OUT)]
    if shown:
        console.table(("column", "kind", "use"), shown[:MOST_COLUMNS])
    if len(shown) < len(columns):
        kinds = [kind for _, kind, use in columns if not use.startswith(LEFT_OUT)]
        counts = ", ".join(f"{kind} {kinds.count(kind):,}" for kind in dict.fromkeys(kinds))
        console.say(f"{len(kinds):,} columns are used: {counts}", wrap=True)


def changes(changes: list[Section], step: int) -> None:
    """What is different from this step on, in a run that is resumed."""
    new = [change for change in changes if change["step"] == step]
    for change in new:
        values = f"{shown(change['from'])} -> {shown(change['to'])}"
        console.say(f"changed from step {step:,} on: {change['key']}  {values}", style="yellow")
    if any(change["key"] in LENGTHS for change in new):
        console.say(
            "The learning rate follows the length of the run: it will not equal one that was as long from the start.",
            style="yellow",
            wrap=True,
        )


def _target(target: Target, spread: str) -> str:
    """What is predicted; `spread` is what its scale is."""
    if isinstance(target, Values):
        scales = zip(target.names[:3], target.mean, target.std, strict=False)
        named = ", ".join(f"{name} (mean {mean:.4g}, {spread} {std:.4g})" for name, mean, std in scales)
        more = ", ..." if len(target.names) > 3 else ""
        return f"{console.counted(len(target.names), 'value')}: {named}{more}"
    more = ", ..." if len(target.names) > MOST_CLASSES else ""
    noun = "classes of bounding boxes" if isinstance(target, Boxes) else target.noun
    return f"{len(target.names)} {noun}: {', '.join(target.names[:MOST_CLASSES])}{more}"


def layers(net: Net) -> list[tuple[str, str, str, int]]:
    """Name, type, output shape (without the batch) and number of parameters of every layer, in order of use.

    Parts are leaves, or, in a deep network, the blocks that hold them: as deep as a screen has lines.
    """
    rows: list[tuple[str, str, str, int]] = []

    def note(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, _: object, output: object) -> None:
            shape = " x ".join(str(size) for size in _first_tensor(output).shape[1:])
            if all(name != row[0] for row in rows):  # one that is used several times is one row
                rows.append((name, type(module).__name__, shape, sum(p.numel() for p in module.parameters())))

        return hook

    hooks = [module.register_forward_hook(note(name)) for name, module in _parts(net)]
    training = net.training
    try:
        with torch.no_grad():
            net.eval()(net.example(2))
    finally:
        net.train(training)
        for hook in hooks:
            hook.remove()
    return rows


def _parts(net: Net) -> list[tuple[str, nn.Module]]:
    def within(depth: int) -> list[tuple[str, nn.Module]]:
        named = [(name, m) for name, m in net.named_modules() if not isinstance(m, nn.ModuleList | nn.Identity)]
        return [
            (name, m)
            for name, m in named
            if name and (name.count(".") == depth or (name.count(".") < depth and not list(m.children())))
        ]

    levels = [within(depth) for depth in range(max(name.count(".") for name, _ in net.named_modules()) + 1)]
    return [parts for parts in levels if len(parts) <= MOST_ROWS][-1]


def _first_tensor(output: object) -> torch.Tensor:
    while not isinstance(output, torch.Tensor):
        assert isinstance(output, dict | list | tuple), f"a layer gives a {type(output).__name__}"
        output = next(iter(output.values())) if isinstance(output, dict) else output[0]
    return output


def result(run: RunDir, result: Section) -> None:
    """The final metrics as a table, the folder, and what to do next."""
    if result["metrics"]:
        task = str(run.read_config()["task"]["_target_"])
        _of_classes_and_values(result["metrics"])
        _metrics(result["metrics"], task, f"best epoch {result['best_epoch']} of {result['epochs']}")
        _history(run, task)
        if result["best_epoch"] == 0 and result["epochs"]:
            console.say(_untrained(run), style="yellow", wrap=True)
    if result["dataset"] and result["dataset"]["warning"]:  # which was said when the data was read
        console.say(f"data         {result['dataset']['source']}: see the warning above", style="yellow", wrap=True)
    if confused := mistakes(run.path):
        pairs = ", ".join(f"{what}: {console.counted(number, 'time')}" for what, number in confused[:MOST_CONFUSED])
        console.say(f"confused     {pairs}", wrap=True)
    diagnosis.show([Finding.from_plain(each) for each in result["findings"]], run, result, MOST_FINDINGS)
    status = "" if result["status"] == "finished" else f"  {result['status']}"
    console.say_labeled("run folder", f"{run.path}{status}", style="bold")
    if run.page.is_file():
        console.say_labeled("page", str(run.page))
    if result["status"] == "interrupted" or (result["status"] == "failed" and run.last.is_file()):
        console.say_command("resume it", train_command(override("resume", str(run.path))))
    if any(run.path.glob("events.out.tfevents*")):
        console.say_command("look at it", verb_command("dashboard", str(run.path)))


def _untrained(run: RunDir) -> str:
    """Why the network is kept as it was before its training."""
    before, *epochs = run.read_metrics()
    lowest, config = min(epochs, key=lambda row: row[TIE_BREAKER]), run.read_config()
    forecast = UNTRAINED.get(config["data"].get("scaling"), "as it did before its training")
    return (
        f"No epoch is better than before the training by more than chance: the lowest val/loss is "
        f"{lowest[TIE_BREAKER]:.4g} (epoch {lowest['epoch']}), after {before[TIE_BREAKER]:.4g}, and val/gain "
        f"{lowest[GAIN]:.2f}, where task.min_gain is {config['task']['min_gain']:g}. So the run keeps epoch 0, which "
        f"forecasts {forecast}."
    )


def job(run: RunDir, status: str, seconds: float) -> None:
    """How a sweep's job ended, in a line."""
    result = run.read_result() or {"metrics": {}}
    known = {name: value for name, value in result["metrics"].items() if value is not None}
    said = result.get("error") or console.metrics_line({name: known[name] for name in known if name[:4] == "val/"})
    console.out.print(Text(f"{status:<11}  {seconds:6.1f} s  {run.path}  {said}"))


def _metrics(metrics: Section, task: str, title: str) -> None:
    """A row for each split, and for each baseline in the test, the best first; what decides stands first."""
    classes, values, baselines = per_class(metrics), per_value(metrics), baseline_metrics(metrics)
    other_values = (own for split in ("train", "val") for own in per_value(metrics, split).values())
    parts = (*classes.values(), *values.values(), *other_values, *baselines.values())
    apart = {name for names in parts for name in names.values()} | {GAIN}
    shown = [name for name in metrics if name not in apart]
    first = [monitored_in(task, metrics)[0].partition("/")[2], "loss"]
    measured = sorted({name.partition("/")[2]: None for name in shown}, key=lambda name: name.endswith("_loss"))
    columns = [name for name in dict.fromkeys((*first, *measured)) if name in measured]
    rows = [
        (label, *(metrics.get(f"{split}/{column}", "") for column in columns))
        for split, label in SPLITS.items()
        if any(name.startswith(f"{split}/") for name in shown)
    ]
    for name, _ in ranked_baselines(metrics, "test"):
        own = baselines["test", name]
        rows.append((f"test, {BASELINES[name][0]}", *(metrics[own[c]] if c in own else "" for c in columns)))
    console.table(("", *columns), rows, title=title)


def _of_classes_and_values(metrics: Section) -> None:
    """What the test gave of each class or value."""
    classes, values = per_class(metrics), per_value(metrics)
    if classes and len(classes) <= MOST_CLASSES:
        rows = [(name, *(metrics[of[what]] for what in ("precision", "recall"))) for name, of in classes.items()]
        console.table(("test", "precision", "recall"), rows)
    if values:
        names = list(values)
        listed = names if len(names) <= MOST_VALUES else [*names[: MOST_VALUES - 1], names[-1]]
        rows = [(name, *(metrics[values[name][what]] for what in ("rmse", "mae"))) for name in listed]
        console.table(("test", "rmse", "mae"), rows)


def _history(run: RunDir, task: str) -> None:
    """The metric that decides, over the epochs, as a line of blocks."""
    rows = run.whole_metrics()
    metric, mode = monitored_in(task, {name for row in rows for name in row})
    values = [math.nan if (value := row.get(metric)) is None else float(value) for row in rows]
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) > 1:
        label = f"{metric:<{console.LABEL - 2}}  "
        said = f"  from {finite[0]:.4f} to {finite[-1]:.4f}, best {max(finite) if mode == 'max' else min(finite):.4f}"
        room = max(min(console.out.width - len(label) - len(said), MOST_BLOCKS), LEAST_BLOCKS)
        console.say(f"{label}{console.sparkline(values, room)}{said}", wrap=True)
