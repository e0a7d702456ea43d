"""Networks of every kind, for tests of what is exported."""

from dataclasses import replace

import pytest
import torch
from _pytest.mark import ParameterSet
from helpers import COLUMNS, DIGITS, SCENES, TINY, WINDOWS, composed, inputs_for
from helpers import TEXTS as WITHOUT_TOKENIZER

from litmus.config.instantiate import build
from litmus.model._vocabulary import pieces
from litmus.spec import Spec

WORDS = [f"{a}{b}{c}" for a in "abcdefghijkl" for b in ("", *"mnopqrstuvwxyz") for c in "aei"]
TEXTS = replace(WITHOUT_TOKENIZER, input=pieces([" ".join(WORDS)] * 3, vocabulary_size=300, max_length=32))

CASES = [
    ("perceptron", DIGITS, {}),
    ("fnn", DIGITS, {"batchnorm": True}),
    ("scratch", DIGITS, {"batchnorm": True}),
    ("fnn", COLUMNS, {"residual": True}),
    ("scratch", COLUMNS, {}),
    ("linear", COLUMNS, {"batchnorm": True}),
    ("cnn", DIGITS, {"batchnorm": True, "residual": True}),
    ("resnet", DIGITS, {"dropout": 0.2}),
    ("yolo", SCENES, {}),
    ("yolo", SCENES, {"arch": "yolo26n", "dropout": 0.1}),
    ("lstm", DIGITS, {}),
    ("lstm", WINDOWS, {"bidirectional": True, "pooling": "mean"}),
    ("lstm", TEXTS, {"pooling": "last"}),
    ("lstm", TEXTS, {"bidirectional": True, "pooling": "max", "batchnorm": True}),
    ("bert", TEXTS, {}),
    ("bert", TEXTS, {"pooling": "mean", "batchnorm": True}),
]
# Detectors, whose export takes ten seconds, are exported once and for all that is asked of them.
DETECTORS = [each for each in CASES if each[1] is SCENES]
OTHERS = [each for each in CASES if each[1] is not SCENES]


def again_slow(cases: list[tuple[str, Spec, dict[str, object]]]) -> list[ParameterSet]:
    """A case whose network and whose kind of input an earlier one has is a slow test."""
    seen: set[str] = set()
    marked = []
    for case in cases:
        own = {case[0], case[1].data}
        marked.append(pytest.param(*case, marks=[pytest.mark.slow] if own <= seen else []))
        seen |= own
    return marked


def ids(cases: list[tuple[str, Spec, dict[str, object]]]) -> list[str]:
    return [f"{name}-{spec.data}-{'-'.join(changes)}" for name, spec, changes in cases]


def make(name: str, spec: Spec, changes: dict[str, object]) -> torch.nn.Module:
    torch.manual_seed(0)
    net = build({**composed(f"model={name}", *TINY.get(name, []))["model"], **changes}, spec)
    for _ in range(3):
        net(inputs_for(spec))  # batch norm's statistics move
    if hasattr(net, "head"):
        torch.nn.init.normal_(net.head.weight, std=0.05)
    return net.eval()
