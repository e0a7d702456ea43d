"""Which networks take which data: read from the classes' source, so that it is said before torch is imported."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from litmus.config.conf import names
from litmus.config.instantiate import defaults
from litmus.config.types import Section
from litmus.config.validate import choices, class_attributes, signature
from litmus.spec import Boxes, Classes, Input, Labels, Target, Values

TASKS: dict[type[Target], str] = {  # by the target that they predict
    Classes: "classification",
    Labels: "multilabel",
    Values: "regression",
    Boxes: "detection",
}


class Kinds(NamedTuple):
    """Kinds of input and of target: those that a network supports, or those that a dataset may have."""

    inputs: tuple[type[Input], ...]
    targets: tuple[type[Target], ...]


def kinds_of_model(target: str) -> Kinds:
    """The kinds that a network supports.

    Args:
        target: its class, such as `litmus.model.cnn.CNN`.
    """
    found = class_attributes(target, ("input_kinds", "target_kinds"))
    return Kinds(found.get("input_kinds", ()), found.get("target_kinds", ()))


def kinds_of_data(target: str) -> Kinds:
    """The kinds that a dataset may have; none, where its class does not say.

    Args:
        target: its class, such as `litmus.data.mnist.MNIST`.
    """
    found = class_attributes(target, ("input_kinds", "target_kinds"))
    return Kinds(found.get("input_kinds", ()), found.get("target_kinds", ()))


def settled_task(data: Section) -> str | None:
    """The name of the task that predicts the dataset's target; None where only who reads the data knows.

    Args:
        data: the section of the configuration.
    """
    kinds = kinds_of_data(data["_target_"]).targets
    if len(kinds) == 1:
        return TASKS[kinds[0]]
    if of_values := class_attributes(data["_target_"], ("kinds_of_values",)):
        return TASKS[Values if data["kind"] in of_values["kinds_of_values"] else Classes]
    if len(kinds) == 0 or "kind" not in data:
        return None
    if data["kind"] == "numbers":
        return TASKS[Values]
    if "name" in data:  # of the hub: its own description says more
        return None
    columns = data["target"] if "target" in data else data["label"]
    is_folder = "image" in data and Path(data["path"] or "").expanduser().is_dir()
    if data["kind"] == "classes" or is_folder:
        return TASKS[Classes if data["target_separator"] is None else Labels]
    if data["target_separator"] is not None:
        return TASKS[Labels]
    return TASKS[Values] if isinstance(columns, list) and len(columns) > 1 else None


def fits(model: Kinds, data: Kinds) -> bool:
    """Whether the network may take the data: it supports one of the inputs, and one of the targets."""
    return bool(set(model.inputs) & set(data.inputs) and set(model.targets) & set(data.targets))


def refusal(name: str, model: Kinds, data_name: str, data: Kinds) -> str:
    """`model=cnn takes images, but data=sentiment provides tokens. Try model=bert or model=lstm.`"""
    if set(model.inputs) & set(data.inputs):
        able, given = _nouns(model.targets), _nouns(data.targets)
        problem = f"model={name} predicts {able}, but the targets of data={data_name} are {given}."
    else:
        able, given = _nouns(model.inputs), _nouns(data.inputs)
        problem = f"model={name} takes {able}, but data={data_name} provides {given}."
    fitting = [f"model={other}" for other in names("model") if fits(kinds_of_model(_target(other)), data)]
    return f"{problem} Try {' or '.join(fitting)}." if fitting else f"{problem} No model here fits this data."


def architectures() -> dict[str, Section]:
    """The section of `model` to which each value of `model.arch` belongs: networks that have pretrained weights."""
    sections: dict[str, Section] = {}
    for name in names("model"):
        section = defaults("model", name)
        sections |= dict.fromkeys(map(str, choices(signature(section["_target_"]).get("arch"))), section)
    return sections


def _nouns(kinds: Iterable[type[Input | Target]]) -> str:
    return " or ".join(kind.noun for kind in kinds)


def _target(model: str) -> str:
    return str(defaults("model", model)["_target_"])
