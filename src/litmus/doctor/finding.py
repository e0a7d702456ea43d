"""What the doctor says of a run, and what every rule is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from litmus.doctor.evidence import Evidence

Severity = Literal["info", "warning", "severe"]
SEVERITIES: tuple[Severity, ...] = ("severe", "warning", "info")  # the gravest first


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a run.

    Attributes:
        name: of the rule, which is that of its module in `doctor/rules/`.
        severity: `severe` where the result is of no use, `warning` where it could be clearly better, `info` where it
            should be read with care.
        evidence: what was measured, in a sentence with numbers.
        layer: where in the network; None if it is not about a layer.
        epoch: when, counted from 1, 0 before the training; None if it is not about an epoch.
        overrides: of the command line, that may help: `optimizer.lr=0.001`; None where no key does.
    """

    name: str
    severity: Severity
    evidence: str
    layer: str | None = None
    epoch: int | None = None
    overrides: str | None = None

    def to_plain(self) -> dict[str, str | int | None]:
        """As `result.json` has it."""
        return {
            "name": self.name,
            "severity": self.severity,
            "evidence": self.evidence,
            "layer": self.layer,
            "epoch": self.epoch,
            "try": self.overrides,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, str | int | None]) -> "Finding":
        """The inverse of `to_plain`."""
        layer, epoch, overrides = plain["layer"], plain["epoch"], plain["try"]
        return cls(
            name=str(plain["name"]),
            severity=next(each for each in SEVERITIES if each == plain["severity"]),
            evidence=str(plain["evidence"]),
            layer=None if layer is None else str(layer),
            epoch=None if epoch is None else int(epoch),
            overrides=None if overrides is None else str(overrides),
        )


class Rule(ABC):
    """How one illness is recognized. A module in `doctor/rules/` holds one, whose class is named like the module.

    Attributes:
        title: what it is called on screen.
        why: in one sentence, why it matters, and what helps.
        source: the paper or tool that the rule is from, and where the threshold is.
        explains: the names of the illnesses that are symptoms of this one: they are not named where this one is.
        is_tried: whether trying its remedy tells anything; not where metrics fall, rightly, or are of other samples.
        judged_by: the metric, without its split, that shows whether a remedy helps; None for the monitored one.
    """

    title: ClassVar[str]
    why: ClassVar[str]
    source: ClassVar[str]
    explains: ClassVar[frozenset[str]] = frozenset()
    is_tried: ClassVar[bool] = True
    judged_by: ClassVar[str | None] = None

    @property
    def name(self) -> str:
        """The module's."""
        return type(self).__module__.rpartition(".")[2]

    def explained_by(self, finding: "Finding") -> frozenset[str]:
        """The names that a finding of this rule explains."""
        del finding
        return self.explains

    def is_said(self, evidence: Evidence) -> bool:
        """Whether its finding is named; one that is not still explains others."""
        del evidence
        return True

    @abstractmethod
    def find(self, evidence: Evidence) -> Finding | None:
        """What is wrong, or None, also where what the rule needs was not measured."""

    def finding(
        self,
        severity: Severity,
        sentence: str,
        *,
        layer: str | None = None,
        epoch: int | None = None,
        overrides: str | None = None,
    ) -> Finding:
        """A finding of this rule; see `Finding`."""
        return Finding(self.name, severity, sentence, layer, epoch, overrides)
