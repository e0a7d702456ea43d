"""The transcripts of README.md and docs/: runs the commands that stand there, and writes what they print.

A block that begins with `$ ` is a transcript; `TRANSCRIPTS` says what is run before it, and which part of it is shown.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
OF_CLUSTERS = ("scale.md",)  # whose transcripts take more than one machine
PAGES = (README, *sorted(path for path in (ROOT / "docs").glob("*.md") if path.name not in OF_CLUSTERS))
BLOCK = re.compile(r"^```\n(\$ .*?)^```$", re.MULTILINE | re.DOTALL)
COLUMNS = 100  # of the terminal; wider pages are scrolled on GitHub


@dataclass(frozen=True)
class Transcript:
    """A block.

    Attributes:
        commands: as typed, each shown behind `$ `.
        before: commands that make what those need, and are not shown.
        columns: of the terminal.
        begins: how the first line begins that is shown of the last command; the lines before it are `...`. A pattern.
        ends: how the first line begins that is not shown; empty for the last.
        small: overrides with which trainings take seconds, for a test.
    """

    commands: tuple[str, ...]
    before: tuple[str, ...] = ()
    columns: int = COLUMNS
    begins: str = ""
    ends: str = ""
    small: tuple[str, ...] = field(default=("data.source=bundled", "data.limit=300", "data.limit_eval=300"))


MISTAKES = ("model.dropot=0.5", "model.dropout=1.5", "model=bert data=mnist")
SWEEP = "-m model=fnn,cnn model.dropout=0,0.25,0.5 'seed=range(0,5)' data.source=bundled sweep.name=dropout"
OF_RUNS = r"mnist, val/acc: (\d+ of|These are)"  # what is said of all runs, and commands that are longer than a line
TRANSCRIPTS = (
    Transcript(("python train.py model=fnn",)),
    Transcript(tuple(f"python train.py {words}" for words in MISTAKES)),
    Transcript(("litmus predict outputs/latest three.png --show seen",), ("python train.py model=cnn",)),
    Transcript(
        ("litmus predict outputs/latest --steps 5 --out forecast.csv",),
        ("python train.py model=lstm data=series",),
        small=("trainer.max_epochs=1",),
    ),
    Transcript(("litmus compare outputs/sweeps/dropout",), (f"python train.py {SWEEP}",), columns=150, ends=OF_RUNS),
    Transcript(
        ("python train.py model=fnn optimizer.lr=1 trainer.max_epochs=4",), begins="doctor  ", ends="run folder"
    ),
)


def environment(folder: Path, columns: int) -> dict[str, str]:
    """A terminal without colors, and caches in the folder, so that no path of this machine is printed."""
    cache = folder / ".cache"
    cache.mkdir(exist_ok=True)
    data = os.environ.get("LITMUS_DATA")
    if data and not (cache / "litmus").exists():
        (cache / "litmus").symlink_to(Path(data).resolve())
    kept = {name: value for name, value in os.environ.items() if name not in ("LITMUS_DATA", "COLUMNS")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shown = {"TERM": "dumb", "TTY_COMPATIBLE": "1", "COLUMNS": str(columns)}
    return kept | shown | {"PATH": path, "XDG_CACHE_HOME": str(cache), "PYTHONWARNINGS": "ignore"}


def prepare(folder: Path) -> None:
    """Puts what the commands read into an empty folder: train.py, and a photo of a digit, drawn with a thin pen."""
    from PIL import Image, ImageDraw

    (folder / "train.py").symlink_to(ROOT / "train.py")
    photo = Image.new("L", (160, 200), 240)
    pen = ImageDraw.Draw(photo)
    pen.arc((45, 30, 115, 100), -160, 90, fill=30, width=4)
    pen.arc((40, 98, 120, 170), -90, 160, fill=30, width=4)
    photo.save(folder / "three.png")


def words(command: str) -> list[str]:
    """The words of a command, without a comment."""
    return shlex.split(command, comments=True)


def run(command: str, folder: Path, columns: int) -> str:
    """What a command prints, with its errors, in a terminal."""
    done = subprocess.run(
        words(command),
        cwd=folder,
        env=environment(folder, columns),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.stdout


def made(transcript: Transcript, folder: Path) -> str:
    """The block: every command, and what it prints."""
    for command in transcript.before:
        run(command, folder, transcript.columns)
    return block(transcript, [run(command, folder, transcript.columns) for command in transcript.commands])


def block(transcript: Transcript, outputs: Sequence[str]) -> str:
    """The block of what the commands printed."""
    lines: list[str] = []
    for command, output in zip(transcript.commands, outputs, strict=True):
        printed = [line.rstrip() for line in output.splitlines()]
        if command == transcript.commands[-1]:
            printed = _part(printed, transcript.begins, transcript.ends)
        lines += [f"$ {command}", *printed]
    return "\n".join(lines) + "\n"


def _part(lines: list[str], begins: str, ends: str) -> list[str]:
    """The lines that are shown; `...` stands for others."""
    first = next(i for i, line in enumerate(lines) if re.match(begins, line))
    last = next((i for i, line in enumerate(lines) if i > first and ends and re.match(ends, line)), len(lines))
    return [*["..."] * (first > 0), *lines[first:last], *["..."] * (last < len(lines) and not first)]


def written(text: str) -> dict[str, str]:
    """The transcripts of a page, by their first command."""
    return {found.partition("\n")[0].removeprefix("$ "): found for found in BLOCK.findall(text)}


def write(folder: Path) -> None:
    """Runs all commands in a folder, and writes what they print into the pages."""
    prepare(folder)
    blocks = [made(transcript, folder) for transcript in TRANSCRIPTS]  # before a page changes, which runs would note
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for transcript, new in zip(TRANSCRIPTS, blocks, strict=True):
            if (old := written(text).get(transcript.commands[0])) is not None:
                text = text.replace(old, new)
        page.write_text(text, encoding="utf-8")


def form(text: str) -> list[str]:
    """The different lines of a transcript without what depends on data and machine: numbers, and what labels introduce.

    Lines that continue one are left out, and so are those that only some data have.
    """
    forms: list[str] = []
    for line in text.splitlines():
        if re.match(CONTINUES, line) or re.match(OF_SOME_DATA, line):
            continue
        label = re.match(LABELS, line)
        line = re.sub(r" +[\d,]+ samples/s", "", line)  # which is left out where it is too long
        masked = re.sub(" +", " ", re.sub(r"-?[\d,]*\.?\d+|[▁▂▃▄▅▆▇█]+", "#", line))
        forms.append(label[0].strip() if label else re.sub("(# )+#", "#", masked.strip()))
    return list(dict.fromkeys(forms))


CONTINUES = r" {3,}\S| {2}(python|litmus|outputs) ?|outputs/"
OF_SOME_DATA = r"WARNING|  every key has|  [a-z_.]+=.*\(default|data .*warning above|  Logistic|  try|baseline  "
LABELS = (
    r"(  (model|data|task|optimizer|scheduler|trainer)|run folder|page|look at it|confused|doctor|data|target|precision"
    r"|baselines|model=\S+|Mean over)(?=  | |$)|val/\w+  (?=.*[▁▂▃▄▅▆▇█])"
)
