"""Runs of every network, killed by SIGKILL at random moments and resumed each time, against runs that are not.

`make soak`, or `python -m bench.kills NUMBER`: so many kills, divided among the networks.
"""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import track

from bench._common import ROOT, markdown
from litmus.record.folder import RunDir
from litmus.run.ending import ending

KILLS = 100
LONGEST_S = 1.5  # after a process has kept its first checkpoint
MNIST = ["data.source=bundled"]
RUNS = {
    "perceptron": ["model=perceptron", *MNIST],
    "scratch, l2": ["model=scratch", *MNIST, "model.l2=1e-4", "data.batch_size=16"],
    "fnn, dropout, batch norm": ["model=fnn", *MNIST, "model.dropout=0.2", "model.batchnorm=true"],
    "fnn, ema, plateau": ["model=fnn", *MNIST, "callback.ema.decay=0.99", "scheduler=plateau"],
    "fnn, 2 processes": ["model=fnn", *MNIST, "model.dropout=0.2", "trainer=ddp", "trainer.accelerator=cpu"],
    "cnn, augmentation": ["model=cnn", *MNIST, "data.augment=true", "model.dropout=0.2"],
    "lstm, rows": ["model=lstm", *MNIST, "data=mnist"],
    "lstm, texts": ["model=lstm", "data=text_table", "data.path=texts.csv", "data.text=text", "data.label=label"],
    "lstm, series": ["model=lstm", "data=series"],
    "bert": ["model=bert", "data=text_table", "data.path=texts.csv", "data.text=text", "data.label=label"],
    "resnet": ["model=resnet", *MNIST, "model.weights=null", "data.batch_size=16", "trainer.limit_batches=8"],
    "yolo": ["model=yolo", *MNIST, "data.num_train=64", "data.num_val=8", "data.num_test=8", "data.size=64"],
}
SMALL_BERT = [
    "model.weights=null",
    "model.config={vocab_size:300,hidden_size:32,num_hidden_layers:2,num_attention_heads:2,intermediate_size:64,"
    "max_position_embeddings:32}",
    "model.max_length=32",
]
RUNS["bert"] += SMALL_BERT


def measure(kills: int = KILLS) -> str:
    chance = random.Random(0)
    each = -(-kills // len(RUNS))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        _write_texts(where / "texts.csv")
        for name, words in track(RUNS.items(), "networks", console=Console(stderr=True)):
            rows.append((name, *_compare(where, words, each, chance)))
    exact = sum(row[3] == "all" for row in rows)
    total = sum(int(row[1]) for row in rows)
    title = f"## {total} times SIGKILL at random moments, resumed each time: {exact} of {len(rows)} runs the same"
    return f"{title}\n\n" + markdown(("run", "kills", "within an epoch", "the same to the last bit", "left over"), rows)


def _compare(where: Path, words: list[str], kills: int, chance: random.Random) -> tuple[str, str, str, str]:
    """Kills, kills within an epoch, the parts of the end that are the same, and files that were left over."""
    words = [*words, "trainer.max_epochs=6", "callback.checkpoint.every_s=0.2", f"seed={chance.randrange(1000)}"]
    number = len(list(where.glob("*-whole")))
    whole, run = RunDir(where / f"{number}-whole"), RunDir(where / f"{number}-killed")
    assert _start(where, [*words, f"hydra.run.dir={whole.path.name}"]).wait() == 0
    arguments = [*words, f"hydra.run.dir={run.path.name}"]
    done = within = 0
    while done < kills:
        process = _start(where, arguments)
        before = _kept(run)
        while process.poll() is None and _kept(run) == before:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, LONGEST_S))
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        done += 1
        rows = run.read_metrics()
        within += _step(run) > (rows[-1]["step"] if rows else 0)
        arguments = [f"resume={run.path.name}"]
    assert run.read_result() or _start(where, arguments).wait() == 0
    expected, got = ending(whole), ending(run)
    same = [part for part in expected if expected[part] == got[part]]
    left = [path.name for path in run.path.rglob(".*") if path.is_file()]
    return str(done), str(within), "all" if len(same) == len(expected) else ", ".join(same) or "nothing", str(len(left))


def _start(where: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(ROOT / "train.py"), *arguments]
    return subprocess.Popen(command, cwd=where, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _kept(run: RunDir) -> int:
    return run.last.stat().st_mtime_ns if run.last.is_file() else 0


def _step(run: RunDir) -> int:
    from litmus.record.checkpoint import load_checkpoint

    return load_checkpoint(run.last).step if run.last.is_file() else 0


def _write_texts(path: Path) -> None:
    chance = random.Random(1)
    words = {"good": ["superb", "warm", "clever"], "bad": ["dull", "cold", "loud"]}
    filler = ["film", "plot", "actor", "scene", "the", "a", "in", "of"]
    lines = ["text,label"]
    for number in range(1500):
        label = "good" if number % 2 else "bad"
        text = " ".join(chance.choices([*words[label], *filler], k=chance.randint(3, 24)))
        lines.append(f"{text} {number},{label}")
    path.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    print(measure(*(int(each) for each in sys.argv[1:])))
