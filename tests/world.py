"""A folder of data, good and bad, and of runs: what commands are tried on."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
import yaml
from files import write_images, write_tables
from helpers import CONF, ON_BOXES, ON_PHOTOS, ON_TABLE, ON_WAVE, SMALL, TINY
from warm import Warm

from litmus.config.fit import fits, kinds_of_data, kinds_of_model
from litmus.config.instantiate import defaults

MODELS = sorted(path.stem for path in (CONF / "model").glob("[!_]*.yaml"))
FEW = ["trainer=cpu", "trainer.max_epochs=1", "trainer.limit_batches=2"]
FEW += ["callback.dashboard.graph=false", "callback.dashboard.pictures=false"]
DATA = {
    "mnist": ["data=mnist", *SMALL, "data.limit=100", "data.limit_eval=100", "data.batch_size=16"],
    "text_table": ON_TABLE,
    "series": ON_WAVE,
    "image_folder": [*ON_PHOTOS, "data.batch_size=8", "data.eval_batch_size=8"],
    "yolo_dataset": [*ON_BOXES, "data.batch_size=4", "data.eval_batch_size=4"],
}
# What `litmus predict` is given, by the dataset of the run.
INPUTS = {
    "mnist": ["photos/red/0.png"],
    "text_table": ["a lovely film"],
    "image_folder": ["photos/red/0.png"],
    "yolo_dataset": ["boxes/images/test/0.png"],
}


def data_for(model: str) -> str:
    """The first dataset here that the network takes."""
    takes = kinds_of_model(defaults("model", model)["_target_"])
    return next(data for data in DATA if fits(takes, kinds_of_data(defaults("data", data)["_target_"])))


def train(warm: Warm, folder: Path, model: str, environment: Mapping[str, str] | None = None) -> Path:
    """A run of a network, of two steps, in `run-MODEL`; trained where it is not there."""
    run = folder / f"run-{model}"
    if not run.exists():
        words = [*DATA[data_for(model)], *TINY.get(model, []), *FEW, f"hydra.run.dir={run.name}"]
        answer = warm("train", f"model={model}", *words, folder=folder, environment=environment)
        assert answer.status == 0, answer.err
    return run


def write_files(folder: Path) -> None:
    """Writes the data, and files that are none."""
    write_tables(folder)
    write_images(folder)
    (folder / "empty.csv").touch()
    (folder / "header.csv").write_text("review,stars\n")
    (folder / "one.csv").write_text("review,stars\n" + "good,1\n" * 20)
    (folder / "ragged.csv").write_text("review,stars\n" + "good,1,2\n" * 20)
    (folder / "quote.csv").write_text('review,stars\n"good,1\n' + "bad,2\n" * 20)
    (folder / "twice.csv").write_text("review,stars,review\n" + "a,1,b\n" * 20)
    (folder / "words.csv").write_text("month,sales\n" + "".join(f"m{i},many\n" for i in range(60)))
    (folder / "two.csv").write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(200)))
    (folder / "short.csv").write_text("month,sales\n" + "".join(f"m{i},{i}\n" for i in range(9)))
    (folder / "latin.csv").write_bytes("größe,stars\ngroß,1\n".encode("cp1252") * 20)
    (folder / "noise.csv").write_bytes(bytes(range(256)) * 9)
    (folder / "noise.parquet").write_bytes(b"PAR1" + bytes(99) + b"PAR1")
    (folder / "book.csv").write_bytes(b"PK\x03\x04" + bytes(99))
    (folder / "lines.jsonl").write_text("[1, 2]\n" * 20)
    (folder / "wide.csv").write_text("review,stars\n" + "".join(f"text {i},{i}c\n" for i in range(30)))
    (folder / "paths.csv").write_text("path,label\n" + "".join(f"nowhere/{i}.png,a\n" for i in range(30)))
    (folder / "lines.txt").write_text("a lovely film\n")
    (folder / "none.txt").touch()
    (folder / "utf16.txt").write_text("a film\n", encoding="utf-16")
    os.mkfifo(folder / "pipe")
    (folder / "bare").mkdir()
    for name, text in {
        "list": "[1, 2]",
        "names": "train: images/train\nval: images/val\n",
        "count": "train: images/train\nval: images/val\nnc: -3\n",
        "images": "train: nowhere\nval: nowhere\nnames: [a]\n",
        "numbers": "train: 3\nval: 4\nnames: [a]\n",
        "tag": "train: !!python/object/apply:os.system ['touch executed']\n",
        "tab": "train:\t- [\n",
    }.items():
        (folder / f"boxes/{name}.yaml").write_text(text)
    (folder / "fruit" / "apple").mkdir(parents=True)
    (folder / "fruit" / "apple" / "0.png").write_bytes(b"no image")
    (folder / "fruit" / "pear").mkdir()
    shutil.copytree(folder / "photos" / "red", folder / "single" / "red")
    torch.save({"weight": torch.zeros(3)}, folder / "other.pth")
    (folder / "text.pth").write_text("weights")
    (folder / "encoder").mkdir()
    (folder / "encoder" / "config.json").write_text("{")


def damage_runs(folder: Path, run: Path) -> None:
    """Writes copies of a run, each with one thing wrong."""

    def copy(name: str) -> Path:
        shutil.copytree(run, folder / name)
        return folder / name

    best, last = "checkpoints/best.ckpt", "checkpoints/last.ckpt"
    (copy("no-config") / "config.yaml").unlink()
    (folder / "no-config" / "requested.yaml").unlink()
    (copy("bad-config") / "config.yaml").write_text("model: [\n")
    (copy("empty-config") / "config.yaml").write_text("")
    (copy("latin-config") / "config.yaml").write_bytes(b"model: \xff\xfe\xfa\n")
    (copy("deep-config") / "config.yaml").write_text("[" * 5000)
    for name in ("unreadable-config", "folder-config"):
        (copy(name) / "config.yaml").unlink()
        (folder / name / "requested.yaml").unlink()
    (folder / "unreadable-config" / "config.yaml").symlink_to("config.yaml")
    (folder / "folder-config" / "config.yaml").mkdir()
    text = (run / "config.yaml").read_text()
    (copy("foreign-config") / "config.yaml").write_text(text.replace("litmus.model.perceptron.Perceptron", "os.system"))
    (copy("old-config") / "config.yaml").write_text(text.replace("dropout: 0.0", "dropuot: 0.0"))
    (copy("wrong-config") / "config.yaml").write_text(text.replace("dropout: 0.0", "dropout: many"))
    (copy("no-best") / best).unlink()
    (copy("cut-best") / best).write_bytes((run / best).read_bytes()[:2000])
    (copy("zero-best") / best).write_bytes(bytes(4000))
    (copy("text-best") / best).write_text("weights")
    torch.save({"weight": torch.zeros(3)}, copy("foreign-best") / best)
    copy("cut-both")
    for path in (best, last):
        (folder / "cut-both" / path).write_bytes(b"PK")
    gone = yaml.safe_load(text) | {"data": {**defaults("data", "series"), "path": "nosuch.csv"}}
    (copy("gone") / "config.yaml").write_text(yaml.safe_dump(gone))
    (copy("bad-result") / "result.json").write_text("{")
    (copy("list-result") / "result.json").write_text("[]")
    (copy("deep-result") / "result.json").write_text("[" * 100_000)
    (folder / "sweep").mkdir()
    (folder / "sweep" / "sweep.yaml").write_text("words: [+hydra.callbacks.x._target_=os.system]")
    result = json.loads((run / "result.json").read_text())
    (copy("no-metrics") / "result.json").write_text(json.dumps({**result, "metrics": None}))
