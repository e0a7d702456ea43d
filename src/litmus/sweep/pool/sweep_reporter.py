"""A sweep on the screen: a live table in a terminal, and a line for each job that ends."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from litmus.console import GAP, fitting, laid_out, readable, wrapped
from litmus.record.folder import RunDir
from litmus.record.metrics import has_diverged, monitored_in
from litmus.sweep.pool.job import Job, JobResult, Message

STYLES = {"finished": "green", "diverged": "yellow", "pruned": "yellow", "interrupted": "yellow", "failed": "red"}
METRIC = 2  # the table's column
REFRESH_S = 0.25  # between two drawings of the table


@dataclass
class Row:
    """A running job, as the table shows it."""

    job: Job
    started: float = field(default_factory=time.monotonic)
    epoch: int = 0
    epochs: int | None = None
    value: str = ""


class SweepReporter:
    """Shows how many jobs are queued, running, finished and failed, the running ones with their epoch and metric.

    Args:
        total: jobs of the whole sweep.
        console: to draw on; without a terminal, plain lines.
        already_finished: jobs that ended in an earlier session of the sweep.

    Attributes:
        results: of all jobs that have ended.
        counts: how many jobs ended with each status.
    """

    def __init__(self, total: int, console: Console, already_finished: Sequence[tuple[Job, JobResult]] = ()) -> None:
        self.total = total
        self.console = console
        self.results: list[tuple[Job, JobResult]] = []
        self.rows: dict[int, Row] = {}
        self.counts: dict[str, int] = {}
        self.started = time.monotonic()
        self.num_run = 0  # jobs that ended in this session
        self.num_elsewhere = 0  # jobs that other launchers run
        self._num_known = 0  # of `already_finished`
        self._live: Live | None = None
        self._last_drawn = 0.0
        self._first_with: dict[str, Job] = {}  # of this session, by error
        self.report_elsewhere(already_finished, 0)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """In the body, a terminal shows the table."""
        if not self.console.is_terminal or self.console.is_dumb_terminal:
            yield
            return
        with Live(console=self.console, auto_refresh=False, transient=True) as self._live:
            self.refresh()
            yield
        self._live = None

    def add_result(self, job: Job, result: JobResult) -> None:
        """Counts a job that ended, without a line about it."""
        self.counts[result.status] = self.counts.get(result.status, 0) + 1
        self.results.append((job, result))

    def report_elsewhere(self, ended: Sequence[tuple[Job, JobResult]], num_running: int) -> None:
        """Other launchers have ended some jobs, and run some.

        Args:
            ended: all jobs that this launcher need not run, those that were reported before first.
            num_running: elsewhere.
        """
        for job, result in ended[self._num_known :]:
            self.add_result(job, result)
        self._num_known, self.num_elsewhere = len(ended), num_running

    def report_start(self, job: Job) -> None:
        """A job has been sent to the server."""
        self.rows[job.number] = Row(job)

    def report_progress(self, job: Job, message: Message) -> None:
        """A job has finished its first step, or an epoch."""
        row = self.rows[job.number]
        row.epochs = message["epochs"]
        row.epoch = message["epoch"] if "epoch" in message else message["after"]
        if "monitor" in message:
            row.value = f"{message['monitor']} {message['metrics'].get(message['monitor'], float('nan')):.4f}"

    def report_result(self, job: Job, result: JobResult, is_retried: bool) -> None:
        """A job has ended; if it is retried, that was not its last end."""
        self.rows.pop(job.number, None)
        diverged = result.status == "finished" and has_diverged(result.metrics)
        word = f"{result.status}, tried once more" if is_retried else "diverged" if diverged else result.status
        if not is_retried:
            self.add_result(job, result)
            self.num_run += 1
        done = f"[{len(self.results):>{len(str(self.total))}}/{self.total}]"
        line = job_line(f"{done} {word:<11}", job, result, f"{result.seconds:6.1f} s", self.console.width)
        self._print(line, STYLES.get(word, STYLES.get(result.status, "")))
        if result.status == "failed":
            self._print_error(job, str(result.error))

    def _print_error(self, job: Job, error: str) -> None:
        if (first := self._first_with.setdefault(error, job)) is not job:
            self._print(f"        the same error as {first.label}", "red")
            return
        self._print(f"        {error}", "red")
        log = RunDir(job.folder).last_lines()
        sentence = f"failed: {error.partition(chr(10))[0]}"
        explains_itself = "sweep.timeout_s" in error or any(sentence in line for line in log)
        for line in [] if explains_itself else log:
            self._print(f"        | {line}", "dim")
        self._print(f"        {job.folder}", "red")

    def note(self, sentence: str) -> None:
        """Shows a sentence about the sweep."""
        self._print(sentence, "yellow")

    def refresh(self) -> None:
        """Draws the table again, unless it was drawn less than `REFRESH_S` seconds ago."""
        now = time.monotonic()
        if self._live is not None and now - self._last_drawn > REFRESH_S:
            self._last_drawn = now
            self._live.update(self._table(now), refresh=True)

    def _print(self, line: str, style: str) -> None:
        if self.console.is_terminal:
            line = wrapped(line, self.console.width, indent=8)
        self.console.print(Text(readable(line), style=style), soft_wrap=True)

    def _table(self, now: float) -> Group:
        done = len(self.results)
        rows, number = self._rows(now)
        states = [f"{number} {status}" for status, number in self.counts.items()]
        if number < len(self.rows):
            states.append(f"{len(self.rows) - number} more running")
        waiting = self.total - done - len(self.rows) - self.num_elsewhere
        states += [
            f"{number} {word}"
            for number, word in (
                (len(self.rows), "running"),
                (self.num_elsewhere, "running elsewhere"),
                (waiting, "queued"),
            )
            if number
        ]
        bar = ProgressBar(total=self.total, completed=done, width=min(20, self.console.width // 4))
        pieces = [f"{GAP}{state}" for state in [*states, *self._time_left(now, done)] or ["starting"]]
        footer = Table.grid()
        footer.add_row(bar, Text(fitting(["", *pieces], self.console.width - (bar.width or 0)), no_wrap=True))
        return Group(*rows, footer)

    def _rows(self, now: float) -> tuple[list[Text], int]:
        """The running jobs in lines, as many as the screen is high, and how many jobs these are.

        What tells a job apart is broken between its overrides; metric and time are left out where there is no room.
        """
        cells = [["job", "epoch", "metric", "time"]]
        for row in self.rows.values():
            epoch = f"{row.epoch}/{row.epochs}" if row.epochs else "starting"
            cells.append([readable(row.job.label), epoch, row.value, f"{now - row.started:.0f} s"])
        is_number = [False, True, True, True]
        (head, *body), left_out = laid_out(cells, is_number, self.console.width)
        if METRIC in left_out:
            labels = [readable(short_labels(row.job)[0]) for row in self.rows.values()]
            short = [cells[0], *([label, *own[1:]] for label, own in zip(labels, cells[1:], strict=True))]
            (head, *body), _ = laid_out(short, is_number, self.console.width)
        shown: list[Text] = []
        height = 0
        for text in body:
            height += len(text.splitlines())
            if shown and height > self.console.height - 4:
                break
            shown.append(Text(text))
            shown[-1].highlight_regex(r"[^\s=]+(?==)", "cyan")
        return [Text(head, style="dim"), *shown] if shown else [], len(shown)

    def _time_left(self, now: float, done: int) -> list[str]:
        if not self.num_run:
            return []
        seconds = (now - self.started) / self.num_run * (self.total - done)
        hours, minutes = divmod(round(seconds / 60), 60)
        return [f"about {hours} h {minutes} min left" if hours else f"about {max(minutes, 1)} min left"]


def job_line(begin: str, job: Job, result: JobResult, seconds: str, width: int) -> str:
    """A job that ended: its validation metrics that count most, its seconds, and what tells it apart.

    In less width the loss is left out, then the seconds, then sections of keys, then the values of a search's trial,
    from the right: its number tells it apart. What is still longer is for the screen to break.
    """
    names = dict.fromkeys((monitored_in(job.config["task"]["_target_"], result.metrics)[0], "val/loss"))
    metrics = [f"{name} {result.metrics[name]:.4f}" for name in names if name in result.metrics]
    end = [seconds] if seconds else []
    lines = [
        GAP.join([begin, f"{GAP.join(metrics):<31}", *end, job.label]),
        GAP.join([begin, f"{''.join(metrics[:1]):<14}", *end, job.label]),
        GAP.join([begin, *metrics[:1], job.label]),
        *(GAP.join([begin, *metrics[:1], label]) for label in [*short_labels(job), *([] if job.name else [job.label])]),
    ]
    return next((line for line in lines if cell_len(line) <= width), lines[-1])


def short_labels(job: Job) -> list[str]:
    """What tells a job apart, without the keys' sections where the names alone differ: `dropout=0.3 lr=0.01`.

    Of a search's trial, the longest first, which lose values from the right: `trial 3 dropout=0.3 lr=0.01`, `trial 3`.
    """
    pairs = [override.partition("=") for override in job.shown or job.overrides]
    names = [key.rpartition(".")[2] for key, _, _ in pairs]
    if len(set(names)) < len(names):
        names = [key for key, _, _ in pairs]
    values = [f"{name}={value}" for name, (_, _, value) in zip(names, pairs, strict=True)]
    if not job.name:
        return [" ".join(values) or job.label]
    return [" ".join([job.name, *values[:number]]) for number in range(len(values), -1, -1)]
