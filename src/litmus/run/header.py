"""What is said of a run before torch is imported: its choices, and what differs from the defaults."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from litmus import console
from litmus.config.fit import settled_task
from litmus.config.keys import SHOWN_GROUPS, USUAL_LOGGERS, choice, flat, key_of, logger_names, logger_override
from litmus.config.machine import keep_to_quota, let_waiting_threads_sleep, watch
from litmus.config.types import Section
from litmus.config.validate import shown
from litmus.record.folder import RunDir

TORCH = "importing PyTorch"  # takes seconds


@contextmanager
def importing_torch(is_quiet: bool = False) -> Iterator[None]:
    """In the body, torch is imported, for a command that computes: see `keep_to_quota` and `let_waiting_threads_sleep`.

    Args:
        is_quiet: whether standard output is for a program; then nothing is said.
    """
    said = (keep_to_quota(), let_waiting_threads_sleep(watch().held_by_others()))
    if is_quiet:
        yield
        return
    for sentence in filter(None, said):
        console.say(f"  {sentence}", wrap=True)
    with console.doing(TORCH):
        yield


def line(choices: Mapping[str, str], data: Section, was_read: bool) -> str:
    """The choices of the groups; the task is left out where only who reads the data knows it.

    Args:
        choices: by the group.
        data: the section of the configuration.
        was_read: whether the choices are those of a run that has read the data.
    """
    task = choices["task"] if was_read else settled_task(data)
    known = {**choices, "task": task}
    return "  ".join(f"{group}={known[group]}" for group in SHOWN_GROUPS if known[group] is not None)


def chosen(choices: Mapping[str, str], data: Section, was_read: bool) -> None:
    """Shows the choices of the groups; arguments as those of `line`."""
    console.say(line(choices, data, was_read), style="bold", wrap=True)


def sweep(name: str, overrides: Sequence[str]) -> None:
    """A sweep: which, and the overrides of its jobs."""
    words = [each for each in overrides if not each.startswith("sweep=")]
    console.say("  ".join([f"sweep={name}", *words]), style="bold", wrap=True)


def trained(run: RunDir, config: Section) -> None:
    """The run that a verb uses: what was trained, and where it lies."""
    words = "  ".join(f"{group}={choice(config, group)}" for group in ("model", "data"))
    console.say(f"{words}  {run.path}", style="bold", wrap=True)


def configuration(config: Section, defaults: Section, was_read: bool) -> None:
    """The configuration in short: what differs from the defaults, then every key of what is chosen for sure.

    Args:
        config: as it will run.
        defaults: the configuration of its choices alone.
        was_read: see `line`.
    """
    usual = dict(flat(defaults))
    differing = [(key, value) for key, value in flat(config) if value != usual.get(key)]
    loggers = logger_names(config)
    if loggers != USUAL_LOGGERS:
        console.say(f"  {logger_override(loggers)}  (default {', '.join(USUAL_LOGGERS)})")
    for key, value in differing:
        console.say(f"  {key}={shown(value)}  (default {shown(usual.get(key))})")
    if not differing and loggers == USUAL_LOGGERS:
        console.say("  every key has its default value")
    knows_task = was_read or settled_task(config["data"]) == choice(config, "task")
    for group in SHOWN_GROUPS:
        if group == "task" and not knows_task:
            continue
        shown_keys = {k: v for k, v in config[group].items() if key_of(f"{group}.{k}").shown and v is not None}
        keys = "  ".join(f"{key}={shown(value)}" for key, value in shown_keys.items())
        if keys:
            console.say(f"  {group:<9}  {keys}", style="dim", wrap=True)
