"""`python train.py --help`: the choices, and the keys with their values and the comments in the YAML files."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from litmus.config.conf import files, names
from litmus.config.validate import describe, shown, signature

PAGE = """\
Litmus trains the classic neural networks.

  python train.py model=cnn                                   the default: a CNN on MNIST
  python train.py model=fnn model.widths=[256,128]            any key below can be set
  python train.py optimizer=sgd optimizer.lr=0.1 seed=7       a group=choice, then its keys
  python train.py model.dropout=0.25 model.batchnorm=true model.l2=1e-4
  python train.py -m model=fnn,cnn model.dropout=0,0.25       every combination: a sweep
  python train.py -m sweep=optuna model=fnn model.dropout='interval(0,0.6)'
                                                              a search
  python train.py -m resume=outputs/sweeps/NAME               resume a sweep
  python train.py model=bert                                  fine-tunes MiniLM on film snippets
  python train.py model=lstm data=text_table data.path=reviews.csv data.text=review data.label=stars
  python train.py model=lstm data=series                      forecasts sunspots
  python train.py experiment=cnn_best                         a recipe
  python train.py resume=outputs/latest                       resume an interrupted run
  python train.py reproduce=outputs/latest                    train a run again, and compare the two
  python train.py model=cnn --cfg job                         show the configuration, do not run
  python train.py model=fnn --help                            this page, for other choices

A run leaves its results in outputs/MODEL-DATA/DATE_TIME_SETTINGS; outputs/latest points to the newest.

  litmus lr model=cnn                                         find a learning rate
  litmus evaluate outputs/latest                              evaluate on the test set again
  litmus predict outputs/latest "I like it"                   predict for a text
  litmus export outputs/latest --to onnx                      export for other programs
  litmus report outputs/latest --open                         its page: curves, confusions, the worst mistakes
  litmus compare outputs/sweeps/NAME                          rank the runs of a sweep
  litmus dashboard                                            view all runs in TensorBoard

Choices (group=choice)

{choices}

Keys (key=value), with these choices

{keys}

--hydra-help lists the flags of Hydra, which composes the configuration.
"""


def page(conf: Path, overrides: list[str]) -> str:
    """The help page for the configuration that `overrides` compose.

    Args:
        conf: the folder of the configuration.
        overrides: as typed.

    Raises:
        HydraException: Hydra's, for an override that is wrong.
    """
    with initialize_config_dir(str(conf), version_base="1.3"):
        config = compose("train", overrides, return_hydra_config=True)
    chosen = config.hydra.runtime.choices
    groups = sorted({path.parent.name for path in files()})
    named = {group: [str(chosen.get(group))] for group in groups if group != "callback"}
    named["logger"] = list(map(str, config.logger)) or ["none"]
    choices = [_choices(group, own) for group, own in named.items()]
    notes = _notes(conf, {group: str(chosen.get(group)) for group in groups})
    keys = [_line(key, value, notes.get(key, allowed)) for key, value, allowed in _leaves("", config)]
    return PAGE.format(choices="\n".join(choices), keys="\n".join(keys))


def _choices(group: str, chosen: Sequence[str]) -> str:
    return f"  {group:<11} {' | '.join(f'[{name}]' if name in chosen else name for name in names(group))}"


def _leaves(path: str, section: DictConfig) -> Iterator[tuple[str, Any, str]]:  # values of any type
    """Dotted keys, their values, and what the annotations say is allowed; without `_target_`, which nobody types."""
    target = section.get("_target_")
    for key, value in section.items():
        full = f"{path}.{key!s}" if path else str(key)
        if isinstance(value, DictConfig) and key != "hydra":
            yield from _leaves(full, value)
        elif key not in ("_target_", "hydra"):
            yield full, value, describe(signature(target)[str(key)]) if target else ""


def _line(key: str, value: object, note: str) -> str:
    return f"  {key:<38} {shown(value):<10} {note}".rstrip()


def _notes(conf: Path, chosen: dict[str, str]) -> dict[str, str]:
    """Each key's comment in the YAML of its group's choice, or else in another YAML of the group."""
    notes: dict[str, str] = {}
    for group, choice in chosen.items():
        # The choice's own last, so that its comments win.
        paths = sorted(files(group), key=lambda path: path.stem == choice)
        for path in paths:
            text = path.read_text(encoding="utf-8")
            package = re.search(r"^# @package (\S+)", text)
            prefix = {None: f"{group}.", "_global_": ""}.get(package and package[1], f"{package and package[1]}.")
            notes |= _comments(prefix, text)
    return notes | _comments("", (conf / "train.yaml").read_text(encoding="utf-8"))


def _comments(prefix: str, text: str) -> dict[str, str]:
    notes = {}
    parent = ""
    for line in text.splitlines():
        if match := re.match(r"(?P<indent> *)(?P<key>\w+):(?P<value>.*?)(?:\s#\s*(?P<note>.*))?$", line):
            if not match["indent"]:
                parent = f"{match['key']}." if not match["value"].strip() else ""
            if match["note"]:
                notes[f"{prefix}{parent if match['indent'] else ''}{match['key']}"] = match["note"]
    return notes
