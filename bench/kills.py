"""Runs of every network, killed by SIGKILL at random moments and resumed each time, against runs that are not.

`make soak`, or `python -m bench.kills NUMBER`: so many kills, divided among the networks.
"""

import contextlib
import random
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import track

from bench._common import markdown
from litmus.run.verify import train_straight, verify

KILLS = 100
MNIST = ["data.source=bundled"]
LONG = [*MNIST, "data.batch_size=8"]  # epochs of a second, which hold several checkpoints
RUNS = {
    "perceptron": ["model=perceptron", *LONG],
    "scratch, l2": ["model=scratch", *LONG, "model.l2=1e-4"],
    "fnn, dropout, batch norm": ["model=fnn", *LONG, "model.dropout=0.2", "model.batchnorm=true"],
    "fnn, ema, plateau": ["model=fnn", *LONG, "callback.ema.decay=0.99", "scheduler=plateau"],
    "fnn, 3 batches a step": ["model=fnn", *LONG, "model.dropout=0.2", "trainer.accumulate=3"],
    "fnn, 2 processes": ["model=fnn", *LONG, "model.dropout=0.2", "trainer=ddp", "trainer.accelerator=cpu"],
    "cnn, augmentation": ["model=cnn", *MNIST, "data.augment=light", "model.dropout=0.2"],
    "lstm, rows": ["model=lstm", *MNIST, "data=mnist"],
    "lstm, texts": ["model=lstm", "data=text_table", "data.path=texts.csv", "data.text=text", "data.label=label"],
    "lstm, series": ["model=lstm", "data=series", "data.batch_size=4"],
    "bert": ["model=bert", "data=text_table", "data.path=texts.csv", "data.text=text", "data.label=label"],
    "resnet": [
        "model=resnet",
        "data=mnist",
        *MNIST,
        "model.weights=null",
        "data.batch_size=16",
        "trainer.limit_batches=8",
    ],
    "yolo": [
        "model=yolo",
        "data=mnist_boxes",
        *MNIST,
        "data.num_train=256",
        "data.num_val=8",
        "data.num_test=8",
        "data.size=64",
    ],
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
    rows = []
    exact = done = 0
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        _write_texts(Path("texts.csv"))
        left = kills
        for number, (network, words) in enumerate(track(RUNS.items(), "networks", console=Console(stderr=True))):
            share = left // (len(RUNS) - number)
            overrides = [*words, "trainer.max_epochs=6", f"seed={chance.randrange(1000)}"]
            folder = Path(name, str(number))
            straight = train_straight(folder / "straight", overrides)
            verdict = verify(straight, folder, overrides, share, chance)
            left -= share
            done, exact = done + verdict.kills, exact + verdict.kills * verdict.exact
            same = [part for part, equal in verdict.same.items() if equal]
            parts = "all" if len(same) == len(verdict.same) else ", ".join(same) or "nothing"
            rows.append((network, str(verdict.kills), str(verdict.within), parts, str(len(verdict.left))))
    title = f"## {done} times SIGKILL at random moments, resumed each time: {exact} exact"
    return f"{title}\n\n" + markdown(("run", "kills", "within an epoch", "the same to the last bit", "left over"), rows)


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
