"""What a launcher knows of its search's trials, and which of them are its own."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from litmus.record.folder import RunDir
from litmus.sweep.search.record import trial_folder
from litmus.sweep.search.storage import SQLITE, reaching

# isort: split
import optuna
from optuna.trial import FrozenTrial, TrialState

if TYPE_CHECKING:
    from litmus.sweep.search.launchers import Launchers


class Share:
    """This launcher's trials among those of a study; with `sweep.storage=sqlite` all are.

    What others see of a search changes in turns. A turn should be short: all others wait for its end. So trials are
    composed, and what their runs left is read, outside of it; the claim on a trial keeps it this launcher's meanwhile.

    Args:
        folder: of the sweep.
        storage: `sweep.storage`.

    Attributes:
        num_started: trials that had begun, of all launchers, when that was last looked up.
        elsewhere: the numbers of trials that other launchers ran then.
        must_wait: whether a process of a launcher that has ended still trained then.

    Raises:
        UserError: the file system has no locks.
    """

    def __init__(self, folder: Path, storage: str) -> None:
        self.folder, self.storage = folder, storage
        self.num_started = 0
        self.elsewhere: set[int] = set()
        self.must_wait = False
        self._known: set[int] = set()  # trials that this launcher runs, or knows to have ended
        self._num_settled = 0  # the first trials, which are known and have ended: many, and not looked at again
        self._launchers = None if storage == SQLITE else _launchers(folder)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """In the body, no other launcher proposes, takes or ends trials, and errors of the storage are a sentence."""
        with self.reaching(), nullcontext() if self._launchers is None else self._launchers.turn():
            yield

    def reaching(self) -> AbstractContextManager[object]:
        """In the body, errors of the storage are a sentence."""
        return reaching(f"sweep.storage={self.storage}")

    def count(self, study: optuna.Study) -> int:
        """How many trials have begun, of all launchers; for a turn."""
        if self._launchers is not None:  # else `add` has counted them
            self._started(study)
        return self.num_started

    def look(self, study: optuna.Study) -> tuple[list[FrozenTrial], list[FrozenTrial]]:
        """Finds the trials that have ended since the last look, and takes those that nobody runs; for a turn.

        Where there are several launchers, each takes one at a time: the rest is for whoever has room first.

        Returns:
            The trials that have ended, and those taken.
        """
        self.elsewhere, self.must_wait = set(), False
        ended: list[FrozenTrial] = []
        taken: list[FrozenTrial] = []
        for trial in self._started(study):
            if trial.number in self._known:
                continue
            if trial.state is not TrialState.RUNNING:
                self._known.add(trial.number)
                ended.append(trial)
            elif not self._take(trial.number):
                self.elsewhere.add(trial.number)
            elif taken and self._launchers is not None:
                self._launchers.release(trial.number)
            else:
                self._known.add(trial.number)
                taken.append(trial)
        return ended, taken

    def add(self, number: int) -> None:
        """Makes a trial that was proposed in this turn this launcher's.

        Raises:
            UserError: another launcher has it, so it did not wait for the end of the turn.
        """
        self._known.add(number)
        self.num_started += 1
        if self._launchers is not None:
            self._launchers.claim_new(number)

    def give_up(self, numbers: Iterable[int]) -> None:
        """Leaves trials to other launchers."""
        for number in numbers:
            self._known.discard(number)
            if self._launchers is not None:
                self._launchers.release(number)

    def _started(self, study: optuna.Study) -> list[FrozenTrial]:
        """Counts the trials that have begun, and gives those that had not all ended and been seen before."""
        trials = study.get_trials(deepcopy=False)  # by number
        while self._num_settled < len(trials) and self._is_settled(trials[self._num_settled]):
            self._num_settled += 1
        started = [trial for trial in trials[self._num_settled :] if trial.state is not TrialState.WAITING]
        self.num_started = self._num_settled + len(started)
        return started

    def _is_settled(self, trial: FrozenTrial) -> bool:
        return trial.number in self._known and trial.state.is_finished()

    def _take(self, number: int) -> bool:
        """Makes a running trial this launcher's, unless another one has it, or a process of one that has ended.

        Returns:
            Whether it is this launcher's.
        """
        if self._launchers is not None:
            if not self._launchers.claim(number):
                return False
            if RunDir(self.folder / trial_folder(number)).is_locked():  # it ends with its launcher, a little later
                self._launchers.release(number)
                self.must_wait = True
                return False
        return True


def _launchers(folder: Path) -> "Launchers":
    from litmus.sweep.search.launchers import Launchers  # here, because Windows has no such locks

    return Launchers(folder)
