"""`callback.checkpoint.top_k`: the checkpoints of the best epochs, each in a file of its own."""

import logging
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from litmus.config.types import Section
from litmus.record.files import link
from litmus.record.folder import EPOCHS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Epoch:
    """One that is kept.

    Attributes:
        number: from 1.
        name: of its file, `epoch-003_val-acc-0.9712.ckpt`: an `=` would have to be quoted in overrides.
        score: of the metric that decides.
        loss: of validation, which breaks ties; infinite where there is none.
    """

    number: int
    name: str
    score: float
    loss: float


class BestEpochs:
    """The best epochs so far; of equal ones the lower loss is better, and of those the earlier.

    A file is a second name of `last.ckpt`, as that was at the end of the epoch.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.kept: list[Epoch] = []

    def add(self, number: int, monitor: str, mode: Literal["min", "max"], score: float, loss: float) -> None:
        """Counts an epoch among them, if it is one of them.

        Args:
            number: of it, from 1.
            monitor: the metric that decides.
            mode: whether that should be large or small.
            score: of it.
            loss: of validation.
        """
        if self.number and math.isfinite(score):
            name = f"epoch-{number:03d}_{monitor.replace('/', '-')}-{score:.4f}.ckpt"
            self.kept.append(Epoch(number, name, score, loss))
        sign = -1 if mode == "max" else 1
        self.kept = sorted(self.kept, key=lambda own: (sign * own.score, own.loss, own.number))[: self.number]

    def write(self, last: Path, newest: int) -> None:
        """Gives the file of an epoch that is among them its name, and deletes the files of those that are not.

        Args:
            last: `last.ckpt`, of the end of the epoch.
            newest: the epoch that it is of. Files of others that are not there were lost, which is said.
        """
        for epoch in self.kept:
            path = last.with_name(epoch.name)
            if path.is_file():
                continue
            if epoch.number == newest and last.is_file():
                link(last, path)
            else:
                log.warning("%s is not there any more.", path)
        self.kept = [epoch for epoch in self.kept if last.with_name(epoch.name).is_file()]
        names = {epoch.name for epoch in self.kept}
        for path in last.parent.glob(EPOCHS):
            if path.name not in names:
                path.unlink(missing_ok=True)

    def state_dict(self) -> list[Section]:
        return [asdict(epoch) for epoch in self.kept]

    def load_state_dict(self, state: list[Section]) -> None:
        self.kept = [Epoch(**own) for own in state]
