"""A search: Optuna proposes which values to try next, from the results of earlier trials."""

import math
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from litmus.compare.search.found import flat_objectives
from litmus.config.types import Count, Positive, Section, Seed
from litmus.config.validate import checked
from litmus.errors import UserError
from litmus.record.folder import ENDED, REQUESTED, RunDir
from litmus.record.metrics import has_diverged
from litmus.record.search import DIVERGED, Search, has_search
from litmus.run.job import check_same_runs
from litmus.sweep.pool import outcome
from litmus.sweep.pool.job import Job, JobResult
from litmus.sweep.pool.source import Composer, Source
from litmus.sweep.search import study
from litmus.sweep.search.objectives import check_objectives, resolve_objectives
from litmus.sweep.search.record import BEST_EPOCH, Record, space_record, trial_folder
from litmus.sweep.search.share import Share
from litmus.sweep.search.space import (
    count_points,
    describe,
    extremes,
    integer_hint,
    search_space,
    step_inside,
    to_override,
    to_text,
)
from litmus.sweep.search.storage import (
    SQLITE,
    check_folder,
    check_storage,
    close_storage,
    url_of,
)
from litmus.sweep.search.task import task_of

# isort: split
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

STATUS = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
ERROR = "error"  # attribute of a trial that failed: why
INVALID = "invalid"  # of one whose values do not go together: why
MAX_FRONT = 20  # trials of a Pareto front that the summary shows


class Optuna(Source):
    """A sweep whose jobs are trials of a study.

    A trial's value is the metric at the epoch that is best by what the task monitors, which is that of `best.ckpt`; a
    pruned trial's value is that of its last epoch.
    If the training diverged, or that metric or a loss is not finite, the trial is recorded as complete with the worst
    value, inf or -inf. So it is never the best, and the sampler learns to avoid its region, which it would not learn
    from a failed trial.

    A trial that failed is recorded as failed: it counts, and is not run again. One that was interrupted stays running
    in the study, and is resumed under its number, in its folder.

    Several launchers may run trials of one study; see `litmus.sweep.search.share`. One proposes at a time, and takes
    over the trials whose launcher has ended.
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
        storage: str,
    ) -> None:
        super().__init__(name=name, jobs=jobs, jobs_per_gpu=jobs_per_gpu, on_fail=on_fail, timeout_s=timeout_s)
        self.total = trials
        self.sampler = sampler
        self.pruner = pruner
        self.metrics = [metric] if isinstance(metric, str) else metric
        self.directions = [direction] if isinstance(direction, str) else direction
        self.seed = seed
        self.prunes = pruner != "none"
        self.replaced_sampler: str | None = None  # the requested one, if the grid is used instead
        self._trials: dict[int, Trial] = {}  # that are running, by number
        self._reported_epochs: dict[int, set[int]] = {}  # of those
        self.storage = storage
        self.shared = storage != SQLITE
        check_objectives(self.metrics, self.directions, sampler, pruner)
        check_storage(storage)
        if self.shared and sampler == "cmaes":
            raise UserError(
                "sweep.sampler=cmaes keeps pickles in the study, which could run code of whoever else writes to it: "
                f"with sweep.storage={storage}, use another sampler."
            )
        if self.shared and on_fail == "stop":
            raise UserError(
                f"sweep.on_fail=stop would stop one launcher of several: leave it out with sweep.storage={storage}."
            )

    def start(self, folder: Path, overrides: Sequence[str], composer: Composer) -> Section:
        """Opens the study, and restores the trials of earlier sessions.

        Args:
            folder: of the sweep.
            overrides: as typed, without those of the sweep itself.
            composer: makes the jobs.

        Returns:
            The configuration of a job.

        Raises:
            UserError: the space cannot be searched, or the folder holds another search, or a grid.
        """
        if not has_search(folder) and any(folder.glob(f"*/{REQUESTED}")):
            raise UserError(
                f"{folder} holds a grid, and its jobs are not trials of a search. Choose another sweep.name."
            )
        check_folder(folder, self.storage)
        self.folder, self.composer = folder, composer
        self.space, self.constant = search_space(overrides)
        if count_points(self.space) <= self.total and self.sampler != "grid":
            self.replaced_sampler, self.sampler = self.sampler, "grid"  # others would try some points twice
        study.check_sampler(self.sampler, self.space)
        self._base = self._check_space()
        base = self._base.config
        self.objectives = resolve_objectives(self.metrics, self.directions, task_of(base))
        about = {key: describe(distribution) for key, distribution in self.space.items()}
        about["sweep.metric"] = ",".join(self.objectives.metrics)
        about["sweep.direction"] = ",".join(self.objectives.directions)
        about["sweep.seed"] = str(self.seed)
        self._share = Share(folder, self.storage)
        with self._share.turn():
            check_folder(folder, self.storage)  # another launcher may just have begun
            self.study, self._storage = study.open_study(folder, self.storage, about, self.objectives)
        self.study.pruner = study.make_pruner(self.pruner, base["trainer"])
        self._record = Record(folder, self._about())
        self._catch_up(self._job)
        jobs = [job for job, _ in self.already_finished] + self.remaining
        check_same_runs([(RunDir(job.folder), job.config) for job in jobs])
        with self._share.turn():
            num_started = self._share.count(self.study)
            sampler = self._make_sampler(num_started)
            if isinstance(sampler, study.GridSampler):
                self.total = min(self.total, num_started + len(sampler.untried()))
            self._record.write(self.study)
        return base

    def next_job(self) -> Job | None:
        """First the trials that an earlier session or another launcher left running, then those of the sampler.

        A combination of values that is not valid is recorded as a failed trial: it must not end the search.
        """
        if self.shared and not self.remaining:
            self._catch_up(self._outlined)
        while not self.remaining:
            trial = self._propose()
            if trial is None:
                return None
            try:
                return self._start_trial(trial, ())
            except UserError as error:
                self._record_invalid(trial, error)
        return self.remaining.pop(0)

    def _propose(self) -> Trial | None:
        with self._share.turn():
            num_started = self._share.count(self.study)
            if num_started >= self.total:
                return None
            self.study.sampler = self._make_sampler(num_started)
            trial = self.study.ask({**self.space})
            self._share.add(trial.number)
        return trial

    def update(self) -> None:
        """Learns which trials other launchers have ended; those that nobody runs stay free."""
        if self.shared:
            self._catch_up(self._outlined)
            self._share.give_up(job.number for job in self.remaining)
            self.remaining = []

    def report_epoch(self, job: Job, epoch: int, metrics: Mapping[str, float]) -> bool:
        """Reports the epoch to the study.

        Returns:
            Whether to prune the job: if trials are pruned at all, because the pruner says so or because it diverged.

        Raises:
            UserError: the runs do not have the metric of the search.
        """
        value, *others = self.objectives.values(metrics, job.folder)
        if others:
            return False
        if has_diverged(metrics):
            value = math.nan
        trial, reported = self._trials[job.number], self._reported_epochs[job.number]
        with self._share.reaching():
            if epoch not in reported:  # a job that is resumed may report an epoch twice
                reported.add(epoch)
                trial.report(value, epoch)
            return self.prunes and (not math.isfinite(value) or trial.should_prune())

    def report_result(self, job: Job, result: JobResult) -> None:
        """Ends the trial in the study, unless the job was interrupted."""
        if result.status == "interrupted":
            return
        trial = self._trials.pop(job.number)
        state, values, attributes = self._ending(job, result)
        with self._share.turn():  # or another launcher might replace the record by one that lacks this trial
            for name, value in attributes.items():
                trial.set_user_attr(name, value)
            self.study.tell(trial, values, state)
            if self._record.is_due():  # else a later trial's end writes it, or the summary
                self._record.write(self.study)

    def _ending(self, job: Job, result: JobResult) -> tuple[TrialState, list[float] | None, dict[str, object]]:
        """What the study is told of a job that ended: state, values if it has some, and attributes."""
        if result.status == "failed":
            return TrialState.FAIL, None, {ERROR: str(result.error)}
        attributes: dict[str, object] = {}
        with suppress(UserError):  # damaged: it is not known then
            attributes[BEST_EPOCH] = (RunDir(job.folder).read_result() or {}).get("best_epoch")
        # However good its epochs before that were, if it had any.
        diverged = result.status == "diverged" or has_diverged(result.metrics)
        values = self.objectives.worst if diverged else self.objectives.at_best_epoch(result.metrics, job.folder)
        if not all(map(math.isfinite, values)):
            return TrialState.COMPLETE, self.objectives.worst, {**attributes, DIVERGED: True}
        if result.status == "pruned":
            return TrialState.PRUNED, None, attributes
        return TrialState.COMPLETE, values, attributes

    def summary(self) -> list[str]:
        """The best trials, how many ended in which way, and how to inspect the study."""
        with self._share.turn():
            trials = self.study.get_trials(deepcopy=False)
            record = self._record.write(self.study)
        kinds = [self._kind(trial) for trial in trials]
        counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys([*STATUS.values(), *kinds]))
        tried = {tuple(trial.params.get(key) for key in self.space) for trial in trials}
        all_tried = len(tried) >= count_points(self.space)
        lines = [*self._describe_best(trials), f"{len(trials)} trials: {counts}."]
        lines += flat_objectives(record)
        if self.replaced_sampler is not None:
            lines.append(f"Each combination is tried once, by sweep.sampler=grid instead of {self.replaced_sampler}.")
        if all_tried:
            lines.append("There are no other combinations.")
        elif failed := kinds.count("failed"):
            lines.append(
                f"Trials that failed are not run again: sweep.trials={self.total + failed} adds as many new ones."
            )
        url = shlex.quote(url_of(self.folder, self.storage))
        lines.append(f"view the search   optuna-dashboard {url}   (pip install optuna-dashboard)")
        close_storage(self._storage)
        return lines

    def _kind(self, trial: FrozenTrial) -> str:
        if _diverged(trial):
            return "diverged"
        running = "running elsewhere" if trial.number in self._share.elsewhere else "to resume"
        return STATUS.get(trial.state, running)

    def _about(self) -> Search:
        """The search, without its trials."""
        return Search(
            metrics=self.objectives.metrics,
            directions=self.objectives.directions,
            sampler=self.sampler,
            pruner=self.pruner,
            seed=self.seed,
            space=space_record(self.space),
            trials=(),
        )

    def _make_sampler(self, number: int) -> BaseSampler:
        return study.make_sampler(self.sampler, self.space, self.seed, number, self.study)

    def _catch_up(self, make_job: Callable[[int, Mapping[str, Any]], Job]) -> None:
        """Counts the trials that have ended, and takes over those that nobody runs.

        Args:
            make_job: makes the job of a trial that has ended: `_job`, or `_outlined` where its configuration is not
                looked at.
        """
        while True:
            with self._share.turn():
                ended, taken = self._share.look(self.study)
                live = [self._continued(trial) for trial in taken]
            self.total = max(self.total, self._share.num_started)  # another launcher may run more
            self.num_elsewhere, self.must_wait = len(self._share.elsewhere), self._share.must_wait
            for trial in ended:
                self._count(trial, make_job)
            for trial, continued in zip(taken, live, strict=True):
                try:
                    self._resume(continued, trial.intermediate_values)
                except UserError as error:
                    self._record_invalid(continued, error)
            if not taken or self.remaining:
                return

    def _count(self, trial: FrozenTrial, make_job: Callable[[int, Mapping[str, Any]], Job]) -> None:
        if INVALID in trial.user_attrs:
            self._add_invalid(trial, trial.user_attrs[INVALID])
            return
        try:
            job = make_job(trial.number, trial.params)
        except UserError as error:
            self._add_invalid(trial, str(error))
            return
        known = JobResult(STATUS[trial.state], error=trial.user_attrs.get(ERROR))
        self.already_finished.append((job, outcome.read(job) or known))

    def _continued(self, trial: FrozenTrial) -> Trial:
        """A running trial, to go on with; it may have been killed while it drew values."""
        self.study.sampler = self._make_sampler(trial.number)
        live = Trial(self.study, trial._trial_id)  # private, as _suggest: no public way continues a running trial
        for key, distribution in self.space.items():
            live._suggest(key, distribution)
        return live

    def _resume(self, trial: Trial, reported_epochs: Iterable[int]) -> None:
        """Makes a job of a trial whose launcher has ended.

        Its run may have ended after its launcher was killed: then the study learns that here.
        """
        job = self._start_trial(trial, reported_epochs)
        result = outcome.read(job)
        if result is None or result.status not in (*ENDED, "failed"):
            self.remaining.append(job)
            return
        for row in RunDir(job.folder).read_metrics():
            if row["epoch"]:
                self.report_epoch(job, row["epoch"], row)
        self.report_result(job, result)
        self.already_finished.append((job, result))

    def _record_invalid(self, trial: Trial, error: UserError) -> None:
        """Records a combination of values that is not valid, for the summary and in the study."""
        with self._share.turn():
            trial.set_user_attr(INVALID, str(error))
            self.study.tell(trial, state=TrialState.FAIL)
        self._trials.pop(trial.number, None)
        self._add_invalid(trial, str(error))

    def _add_invalid(self, trial: Trial | FrozenTrial, why: str) -> None:
        self.invalid.append(f"{' '.join(self._texts(trial.params))}: {why}")

    def _start_trial(self, trial: Trial, reported_epochs: Iterable[int]) -> Job:
        self._trials[trial.number], self._reported_epochs[trial.number] = trial, set(reported_epochs)
        return self._job(trial.number, trial.params)

    def _check_space(self) -> Job:
        """Composes a job at both extremes of every key, and gives one.

        Raises:
            UserError: a value is not allowed, or the trials would not be comparable.
        """
        values_of = {key: extremes(distribution) for key, distribution in self.space.items()}
        least = {key: values[0] for key, values in values_of.items()}
        job = self._compose_extreme(least)
        base = job.config
        for key, value in [(key, value) for key, values in values_of.items() for value in values[1:]]:
            config = self._compose_extreme({**least, key: value}).config
            for section, name in (("task", "_target_"), ("trainer", "accelerator"), ("trainer", "devices")):
                if config[section].get(name) != base[section].get(name):
                    what = section if name == "_target_" else f"{section}.{name}"
                    raise UserError(
                        f"{key}={value} has another {what} than {key}={least[key]}: they cannot be one search."
                    )
        return job

    def _compose_extreme(self, parameters: Mapping[str, Any]) -> Job:
        """The job for these values; if one is an excluded bound, for the numbers next to the bounds."""
        try:
            return self._job(0, parameters)
        except UserError as refused:
            with suppress(UserError):
                inside = {key: step_inside(self.space[key], value) for key, value in parameters.items()}
                return self._job(0, inside)
            raise UserError(f"{refused}{integer_hint(str(refused), self.space)}") from None

    def _job(self, number: int, parameters: Mapping[str, Any]) -> Job:
        own = self._overrides(parameters)
        job = self.composer.job([*self.constant, *own], own, number, self.folder / trial_folder(number))
        return replace(job, name=f"trial {number}", shown=tuple(self._texts(parameters)))

    def _outlined(self, number: int, parameters: Mapping[str, Any]) -> Job:
        """The job without a composition, which takes long: its configuration is that of another trial.

        Enough for one that has ended: only its task is looked at, which all trials have in common.
        """
        own = self._overrides(parameters)
        return replace(
            self._base,
            number=number,
            overrides=tuple(own),
            folder=self.folder / trial_folder(number),
            all_overrides=(*self.constant, *own),
            name=f"trial {number}",
            shown=tuple(self._texts(parameters)),
        )

    def _overrides(self, parameters: Mapping[str, Any]) -> list[str]:
        return [to_override(key, parameters[key], self.space[key]) for key in self.space if key in parameters]

    def _texts(self, parameters: Mapping[str, Any]) -> list[str]:
        return [to_text(key, parameters[key], self.space[key]) for key in self.space if key in parameters]

    def _describe_best(self, trials: Sequence[FrozenTrial]) -> list[str]:
        if not any(trial.state is TrialState.COMPLETE and not _diverged(trial) for trial in trials):
            return ["No trial has finished with a finite metric."]
        if len(self.objectives.metrics) == 1:
            best = self.study.best_trial
            return [f"Best is trial {best.number}:  {self._line(best)}"]
        front = sorted(
            (trial for trial in self.study.best_trials if not _diverged(trial)), key=lambda trial: trial.values
        )
        lines = [f"Pareto front (no other trial is better in every metric): {len(front)} of {len(trials)}"]
        lines += [f"  trial {trial.number:<4}  {self._line(trial)}" for trial in front[:MAX_FRONT]]
        return lines + [f"  and {len(front) - MAX_FRONT} more"] * (len(front) > MAX_FRONT)

    def _line(self, trial: FrozenTrial) -> str:
        pairs = zip(self.objectives.metrics, trial.values, strict=True)
        values = "  ".join(f"{name} {value:.4f}" for name, value in pairs)
        return f"{values}  {' '.join(self._texts(trial.params))}"


def _diverged(trial: FrozenTrial) -> bool:
    return bool(trial.user_attrs.get(DIVERGED))
