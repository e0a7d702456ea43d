"""A search: Optuna proposes which values to try next, from how the trials before did."""

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from litmus.config.types import Count, Positive, Seed
from litmus.config.validate import checked
from litmus.errors import UserError
from litmus.record.folder import ENDED, RunDir
from litmus.run.job import check_same_runs
from litmus.sweep.pool import outcome
from litmus.sweep.pool.job import STUDY, Ended, Job
from litmus.sweep.search import objectives, study
from litmus.sweep.search.space import described, ends, hint, points, space, typed, within

# isort: split
from optuna.trial import FrozenTrial, Trial, TrialState

STATUS = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
DIVERGED = "diverged"  # attribute of a trial whose objective is not a number
MAX_FRONT = 20  # lines of a Pareto front that the summary shows


class Optuna:
    """A sweep whose jobs are trials of a study.

    A trial's value is the metric at the best epoch by what the task monitors: that of the weights that a run keeps; a
    pruned one's is its last epoch's.
    Where it is not a number, the training diverged: the trial is told as complete with the worst values there are, inf
    or -inf. So it is never the best, and the sampler learns to keep away, which it would not from a failed one.

    A trial that failed is told as failed: it counts, and is not run again. One that was interrupted stays running in
    the study: it is gone on with, under its number, in its folder.
    """

    @checked
    def __init__(
        self,
        *,
        name: str | None,
        jobs: Literal["auto"] | Count,
        jobs_per_gpu: Count,
        on_fail: Literal["continue", "stop", "retry"],
        timeout_s: Positive | None,
        trials: Count,
        sampler: Literal["tpe", "random", "grid", "cmaes", "gp"],
        pruner: Literal["none", "median", "hyperband", "successive_halving"],
        metric: Annotated[str | list[str] | None, "the name of a metric such as val/loss, a list of them, or null"],
        direction: Literal["minimize", "maximize"] | list[Literal["minimize", "maximize"]] | None,
        seed: Seed,
    ) -> None:
        self.name = name
        self.jobs = jobs
        self.jobs_per_gpu = jobs_per_gpu
        self.on_fail = on_fail
        self.timeout_s = timeout_s
        self.total = trials
        self.sampler = sampler
        self.pruner = pruner
        self.metrics = [metric] if isinstance(metric, str) else metric
        self.directions = [direction] if isinstance(direction, str) else direction
        self.seed = seed
        self.prunes = pruner != "none"
        self.repeats = False
        self.instead_of: str | None = None  # the sampler that was asked for
        self.unmade: list[str] = []
        self.before: list[tuple[Job, Ended]] = []  # that need not be run
        self._left: list[Job] = []  # that an earlier session began
        self._trials: dict[int, Trial] = {}  # that run, by number
        self._epochs: dict[int, set[int]] = {}  # of those, the ones that the study knows
        objectives.refuse(self.metrics, self.directions, sampler, pruner)

    def begin(self, folder: Path, words: Sequence[Any], composer: Any) -> dict[str, Any]:
        """Opens the study, and sees what is left of an earlier session.

        Args:
            folder: of the sweep.
            words: what was typed of the jobs, parsed.
            composer: see `litmus.compose.sweep.Composer`.

        Returns:
            The configuration of a job.

        Raises:
            UserError: this cannot be searched, or the folder holds another search.
        """
        self.folder, self.composer = folder, composer
        self.space, self.words = space(words)
        if points(self.space) <= self.total and self.sampler != "grid":
            self.instead_of, self.sampler = self.sampler, "grid"  # which would try the same twice, and learn nothing
        study.refuse(self.sampler, self.space)
        base = self._checked()
        self.objectives = objectives.decided(self.metrics, self.directions, base["task"]["_target_"])
        about = {key: described(distribution) for key, distribution in self.space.items()}
        about["sweep.metric"] = ",".join(self.objectives.metrics)
        about["sweep.direction"] = ",".join(self.objectives.directions)
        about["sweep.seed"] = str(self.seed)
        self.study, self._file = study.opened(folder, about, self.objectives)
        self.study.pruner = study.pruner(self.pruner, base["trainer"]["max_epochs"])
        started = [trial for trial in self.study.get_trials(deepcopy=False) if trial.state is not TrialState.WAITING]
        for trial in started:
            try:
                self._recall(trial)
            except UserError as error:
                self._not_made(trial, error)
        check_same_runs([(RunDir(job.folder), job.config) for job in [job for job, _ in self.before] + self._left])
        self._started = len(started)
        sampler = self._sampler(self._started)
        if isinstance(sampler, study.Grid):
            self.total = min(self.total, self._started + len(sampler.left()))
        self.total = max(self.total, self._started)
        return base

    def next(self) -> Job | None:
        """See `_jobs.Source`: first what an earlier session began, then what the sampler proposes.

        Values that do not go together are told as failed: one such trial must not end a search.
        """
        if self._left:
            return self._left.pop(0)
        while self._started < self.total:
            self.study.sampler = self._sampler(self._started)
            trial = self.study.ask(self.space)
            self._started += 1
            try:
                return self._running(trial, ())
            except UserError as error:
                self._not_made(trial, error)
        return None

    def epoch(self, job: Job, epoch: int, metrics: dict[str, float]) -> bool:
        """See `_jobs.Source`; where trials are pruned, one that diverges is.

        Raises:
            UserError: the runs do not measure what is searched for.
        """
        value, *others = self.objectives.values(metrics, job.folder)
        if others:
            return False
        trial, known = self._trials[job.number], self._epochs[job.number]
        if epoch not in known:  # one that is gone on with may tell an epoch twice
            known.add(epoch)
            trial.report(value, epoch)
        return self.prunes and (not math.isfinite(value) or trial.should_prune())

    def ended(self, job: Job, ended: Ended) -> None:
        """See `_jobs.Source`."""
        if ended.status == "interrupted":
            return
        trial = self._trials.pop(job.number)
        if ended.status == "failed":
            trial.set_user_attr("error", str(ended.error))
            self.study.tell(trial, state=TrialState.FAIL)
            return
        values = self.objectives.of_best_epoch(ended.metrics, job.folder)
        if not all(map(math.isfinite, values)):
            trial.set_user_attr(DIVERGED, True)
            self.study.tell(trial, self.objectives.worst)
        elif ended.status == "pruned":
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, values)

    def summary(self) -> list[str]:
        """What was found, how the trials ended, and how to see all of it."""
        trials = self.study.get_trials(deepcopy=False)
        kinds = ["diverged" if _diverged(trial) else STATUS.get(trial.state, "to go on with") for trial in trials]
        counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys([*STATUS.values(), *kinds]))
        tried = {tuple(trial.params.get(key) for key in self.space) for trial in trials}
        all_tried = len(tried) >= points(self.space)
        lines = [*self._found(trials), f"{len(trials)} trials: {counts}."]
        if self.instead_of is not None:
            lines.append(f"Each combination is tried once, by sweep.sampler=grid and not {self.instead_of}.")
        if all_tried:
            lines.append("There are no other combinations.")
        elif failed := kinds.count("failed"):
            lines.append(f"Trials that failed are not run again: sweep.trials={self.total + failed} makes up for them.")
        url = shlex.quote(f"sqlite:///{self.folder / STUDY}")
        lines.append(f"see the search   optuna-dashboard {url}   (pip install optuna-dashboard)")
        self._file.remove_session()
        self._file.engine.dispose()  # so that study.db is all there is; it is opened again when it is needed
        return lines

    def _sampler(self, number: int) -> Any:
        return study.sampler(self.sampler, self.space, self.seed, number, self.study)

    def _recall(self, trial: FrozenTrial) -> None:
        """Of an earlier session: has ended, has done so when nobody was there to tell, or is gone on with."""
        if trial.state is not TrialState.RUNNING:
            job = self._job(trial.number, trial.params)
            self.before.append((job, outcome.read(job) or Ended(STATUS[trial.state])))
            return
        self.study.sampler = self._sampler(trial.number)
        live = Trial(self.study, trial._trial_id)
        for key, distribution in self.space.items():  # the launcher may have been killed while values were drawn
            live._suggest(key, distribution)
        job = self._running(live, trial.intermediate_values)
        ended = outcome.read(job)
        if ended is None or ended.status not in ENDED:
            self._left.append(job)
            return
        for row in RunDir(job.folder).read_metrics():
            self.epoch(job, row["epoch"], row)
        self.ended(job, ended)
        self.before.append((job, ended))

    def _not_made(self, trial: Trial | FrozenTrial, error: UserError) -> None:
        """Notes values that do not go together, for the summary and the study."""
        self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        self._trials.pop(trial.number, None)
        self.unmade.append(f"{' '.join(self._typed(trial.params))}: {error}")

    def _running(self, trial: Trial, known: Iterable[int]) -> Job:
        self._trials[trial.number], self._epochs[trial.number] = trial, set(known)
        return self._job(trial.number, trial.params)

    def _checked(self) -> dict[str, Any]:
        """The configuration of a job, once every end of what is searched has been composed.

        Raises:
            UserError: a key may not have such a value, whatever the others have; or trials would not be comparable.
        """
        of = {key: ends(distribution) for key, distribution in self.space.items()}
        least = {key: values[0] for key, values in of.items()}
        base = self._end(least)
        for key, value in [(key, value) for key, values in of.items() for value in values[1:]]:
            config = self._end({**least, key: value})
            for section, name in (("task", "_target_"), ("trainer", "accelerator"), ("trainer", "devices")):
                if config[section].get(name) != base[section].get(name):
                    what = section if name == "_target_" else f"{section}.{name}"
                    raise UserError(f"{key}={value} has another {what} than {key}={least[key]}: not one search.")
        return base

    def _end(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration at an end of a key's values; where that end itself is not allowed, right beside it."""
        try:
            return self._job(0, parameters).config
        except UserError as refused:
            with suppress(UserError):
                beside = {name: within(self.space[name], value) for name, value in parameters.items()}
                return self._job(0, beside).config
            raise UserError(f"{refused}{hint(str(refused), self.space)}") from None

    def _job(self, number: int, parameters: Mapping[str, Any]) -> Job:
        own = self._typed(parameters)
        job: Job = self.composer.job([*self.words, *own], own, number, self.folder / f"trial_{number:04}")
        return job

    def _typed(self, parameters: Mapping[str, Any]) -> list[str]:
        return [typed(key, parameters[key], self.space[key]) for key in self.space if key in parameters]

    def _found(self, trials: Sequence[FrozenTrial]) -> list[str]:
        if not any(trial.state is TrialState.COMPLETE and not _diverged(trial) for trial in trials):
            return ["No trial has finished with a number."]
        if len(self.objectives.metrics) == 1:
            best = self.study.best_trial
            return [f"Best is trial {best.number}:  {self._line(best)}"]
        front = sorted(
            (trial for trial in self.study.best_trials if not _diverged(trial)), key=lambda trial: trial.values
        )
        lines = [f"Pareto front, where no trial is better in everything: {len(front)} of {len(trials)}"]
        lines += [f"  trial {trial.number:<4}  {self._line(trial)}" for trial in front[:MAX_FRONT]]
        return lines + [f"  and {len(front) - MAX_FRONT} more"] * (len(front) > MAX_FRONT)

    def _line(self, trial: FrozenTrial) -> str:
        pairs = zip(self.objectives.metrics, trial.values, strict=True)
        reached = "  ".join(f"{name} {value:.4f}" for name, value in pairs)
        return f"{reached}  {' '.join(self._typed(trial.params))}"


def _diverged(trial: FrozenTrial) -> bool:
    return bool(trial.user_attrs.get(DIVERGED))
