"""Whether two checkouts train the same bits: `python -m bench.bits OLD NEW`, each with an environment in .venv.

Every network is trained by both with the same seeds; of each last checkpoint the weights and the optimizer's state are
hashed, and of metrics.csv everything but times.
"""

import csv
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track

from bench._common import markdown

DIGITS = ["data.source=bundled", "data.limit=600", "trainer=cpu", "trainer.max_epochs=2", "seed=3"]
TEXTS = ["data=text_table", "data.path=reviews.csv", "data.text=review", "data.label=stars", "trainer=cpu", "seed=3"]
WORDS = {"good": "lovely great superb", "bad": "awful boring dire", "fair": "so fine usual"}
RUNS = {
    "perceptron": ["model=perceptron", "model.dropout=0.2", *DIGITS],
    "fnn": ["model=fnn", "model.dropout=0.2", "model.batchnorm=true", "model.l2=1e-4", *DIGITS],
    "scratch": ["model=scratch", "model.dropout=0.2", "model.residual=true", *DIGITS],
    "cnn": ["model=cnn", "model.dropout=0.2", "data.augment=light", "callback.ema.decay=0.9", *DIGITS],
    "lstm, rows": ["model=lstm", "data=mnist", "model.dropout=0.2", *DIGITS],
    "lstm, texts": ["model=lstm", *TEXTS, "model.dropout=0.2", "model.bidirectional=true", "trainer.max_epochs=2"],
    "lstm, series": ["model=lstm", "data=series", "trainer=cpu", "seed=3", "trainer.max_epochs=5"],
    "bert": ["model=bert", *TEXTS, "trainer.max_epochs=1", "data.limit=96"],
    "resnet": ["model=resnet", "model.weights=null", "data=mnist", *DIGITS, "data.limit=200", "trainer.max_epochs=1"],
    "yolo": ["model=yolo", *DIGITS, "data.num_train=64", "data.size=96", "data.max_size=48", "data.mosaic=0.5"],
}


def main() -> None:
    checkouts = [Path(word).resolve() for word in sys.argv[1:]]
    if len(checkouts) != 2:
        sys.exit("usage: python -m bench.bits OLD NEW")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        _write_reviews(Path(folder, "reviews.csv"))
        for name, overrides in track(RUNS.items(), "bits", console=Console(stderr=True)):
            old, new = (_digest(checkout, overrides, Path(folder)) for checkout in checkouts)
            rows.append((name, old, new, "the same" if old == new else "different"))
    print(markdown(("network", *(str(checkout) for checkout in checkouts), ""), rows))
    sys.exit(any(row[3] == "different" for row in rows))


def _write_reviews(path: Path) -> None:
    """A table of texts that anyone could tell apart."""
    labels = [list(WORDS)[i % 3] for i in range(300)]
    lines = [f"{WORDS[label].split()[i // 3 % 3]} film {i} we saw,{label}" for i, label in enumerate(labels)]
    path.write_text("\n".join(["review,stars", *lines]) + "\n")


def _digest(checkout: Path, overrides: list[str], folder: Path) -> str:
    """Trains, and hashes what came of it."""
    run = Path(tempfile.mkdtemp(dir=folder), "run")
    python = str(checkout / ".venv" / "bin" / "python")
    command = [python, str(checkout / "train.py"), *overrides, f"hydra.run.dir={run}"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True, map_location="cpu")
    digest = hashlib.sha256()
    _add(digest, [checkpoint["state_dict"], checkpoint["optimizer_states"]])
    with (run / "metrics.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            _add(digest, {name: value for name, value in row.items() if not name.startswith("time/")})
    return digest.hexdigest()[:16]


def _add(digest: Any, value: Any) -> None:
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            digest.update(str(key).encode())
            _add(digest, value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            _add(digest, item)
    elif isinstance(value, torch.Tensor):
        digest.update(str((value.dtype, value.shape)).encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    else:
        digest.update(repr(value).encode())


if __name__ == "__main__":
    main()
