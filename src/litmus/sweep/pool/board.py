"""A sweep on the screen: a table that lives in a terminal, a line for everything that happens elsewhere."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from litmus.record.folder import RunDir
from litmus.record.metrics import decisive
from litmus.sweep.pool.job import Ended, Job

STYLES = {"finished": "green", "diverged": "yellow", "pruned": "yellow", "interrupted": "yellow", "failed": "red"}
REFRESH_S = 0.25


@dataclass
class Row:
    """What is known of a running job."""

    job: Job
    began: float = field(default_factory=time.monotonic)
    epoch: int = 0
    epochs: int | None = None
    value: str = ""


class Board:
    """Shows how many jobs are queued, running, done and failed, the running ones with their epoch and metric.

    Args:
        total: jobs of the whole sweep.
        console: to draw on; without a terminal, plain lines.
    """

    def __init__(self, total: int, console: Console) -> None:
        self.total = total
        self.console = console
        self.rows: dict[int, Row] = {}
        self.counts: dict[str, int] = {}
        self.began = time.monotonic()
        self.num_run = 0
        self._live: Live | None = None
        self._drawn = 0.0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """In the body, the table lives."""
        if not self.console.is_terminal:
            yield
            return
        with Live(console=self.console, auto_refresh=False, transient=True) as self._live:
            self.tick()
            yield
        self._live = None

    def known(self, ended: Ended) -> None:
        """Counts a job that had ended before."""
        self.counts[ended.status] = self.counts.get(ended.status, 0) + 1

    def started(self, job: Job) -> None:
        self.rows[job.number] = Row(job)

    def progress(self, job: Job, message: dict[str, Any]) -> None:
        row = self.rows[job.number]
        row.epochs = message["epochs"]
        row.epoch = message.get("epoch", message.get("after", 0))
        if "monitor" in message:
            row.value = f"{message['monitor']} {message['metrics'].get(message['monitor'], float('nan')):.4f}"

    def ended(self, job: Job, ended: Ended, again: bool) -> None:
        self.rows.pop(job.number, None)
        diverged = ended.status == "finished" and not all(map(math.isfinite, ended.metrics.values()))
        word = f"{ended.status}, tried once more" if again else "diverged" if diverged else ended.status
        if not again:
            self.known(ended)
            self.num_run += 1
        done = f"[{sum(self.counts.values()):>{len(str(self.total))}}/{self.total}]"
        line = f"{done} {word:<11}  {values(job, ended):<31}  {ended.seconds:6.1f} s  {' '.join(job.overrides)}"
        self._print(line, STYLES.get(word, STYLES.get(ended.status, "")))
        if ended.status == "failed":
            self._print(f"        {ended.error}", "red")
            tail = RunDir(job.folder).last_lines()
            refused = f"refused: {str(ended.error).partition(chr(10))[0]}"
            known = "sweep.timeout_s" in str(ended.error) or any(refused in line for line in tail)
            for said in [] if known else tail:  # which says nothing that the error does not
                self._print(f"        | {said}", "dim")
            self._print(f"        {job.folder}", "red")

    def note(self, sentence: str) -> None:
        self._print(sentence, "yellow")

    def tick(self) -> None:
        now = time.monotonic()
        if self._live is not None and now - self._drawn > REFRESH_S:
            self._drawn = now
            self._live.update(self._table(now), refresh=True)

    def _print(self, line: str, style: str) -> None:
        self.console.print(Text(line, style=style), soft_wrap=True)

    def _table(self, now: float) -> Group:
        done = sum(self.counts.values())
        table = Table(box=None, pad_edge=False, expand=False)
        for column in ("job", "epoch", "metric", "time"):
            table.add_column(column, header_style="dim", no_wrap=True, overflow="ellipsis")
        most = max(self.console.height - 4, 1)
        for row in list(self.rows.values())[:most]:
            epoch = f"{row.epoch}/{row.epochs}" if row.epochs else "starting"
            table.add_row(Text(" ".join(row.job.overrides), style="cyan"), epoch, row.value, f"{now - row.began:.0f} s")
        said = [f"{number} {status}" for status, number in self.counts.items()]
        if len(self.rows) > most:
            said.append(f"{len(self.rows) - most} more running")
        waiting = self.total - done - len(self.rows)
        said += [f"{number} {word}" for number, word in ((len(self.rows), "running"), (waiting, "queued")) if number]
        line = "  ".join([*said, *self._left(now, done)])
        foot = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=self.total, completed=done, width=min(20, self.console.width // 4))
        foot.add_row(bar, Text(line or "starting", no_wrap=True, overflow="ellipsis"))
        return Group(table, foot) if self.rows else Group(foot)

    def _left(self, now: float, done: int) -> list[str]:
        if not self.num_run:
            return []
        seconds = (now - self.began) / self.num_run * (self.total - done)
        hours, minutes = divmod(round(seconds / 60), 60)
        return [f"about {hours} h {minutes} min left" if hours else f"about {max(minutes, 1)} min left"]


def values(job: Job, ended: Ended) -> str:
    """Of a job's validation metrics the one that decides, and the loss."""
    names = dict.fromkeys((decisive(job.config["task"]["_target_"], ended.metrics)[0], "val/loss"))
    return "  ".join(f"{name} {ended.metrics[name]:.4f}" for name in names if name in ended.metrics)
