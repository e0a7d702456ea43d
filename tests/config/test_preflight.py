"""What the configuration and the file system show is said before torch is imported, and leaves no folder."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import (
    COLUMNS,
    CONF,
    DIGITS,
    MODELS,
    ON_BOXES,
    ON_HOUSES,
    ON_PHOTOS,
    ON_SCENES,
    ON_TABLE,
    ON_WAVE,
    ROOT,
    SCENES,
    TEXTS,
    WINDOWS,
    composed,
)

from litmus.config import fit
from litmus.config.instantiate import defaults, target
from litmus.config.preflight import data_mistakes, preflight
from litmus.config.types import Column, File, PhotoPath
from litmus.config.validate import mistakes, signature
from litmus.data import _preflight as of_data
from litmus.errors import UserError
from litmus.model import _preflight as of_models
from litmus.spec import Columns, Images, Series, Tokens

DATASETS = sorted(path.stem for path in (CONF / "data").glob("*.yaml"))
GIVEN = {Images: DIGITS, Tokens: TEXTS, Series: WINDOWS, Columns: COLUMNS}

with_files = pytest.mark.usefixtures("tables", "image_files")


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_that_reads_the_user_s_files_says_how_they_are_checked(name: str) -> None:
    keys = signature(defaults("data", name)["_target_"])
    reads = {key for key, kind in keys.items() if any(str(own) in str(kind) for own in (File, PhotoPath, Column))}
    assert name in vars(of_data) or not reads | ({"source"} & set(keys)), f"{name} reads {reads}"


@pytest.mark.parametrize("name", MODELS)
def test_every_network_that_reads_weights_says_how_they_are_checked(name: str) -> None:
    assert (name in vars(of_models)) == ("weights" in signature(defaults("model", name)["_target_"]))


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("model", MODELS)
def test_a_network_that_does_not_take_the_data_is_refused_as_by_itself(model: str, name: str) -> None:
    given = {"path": "x", "name": "imdb", "dir": None}
    config = {"model": defaults("model", model), "data": {**defaults("data", name), **given}}
    config["optimizer"] = defaults("optimizer", "adam")
    own, kinds = fit.kinds_of_model(config["model"]["_target_"]), fit.kinds_of_data(config["data"]["_target_"])
    net, data = target(config["model"]), target(config["data"])
    assert own == fit.Kinds(net.input_kinds, net.target_kinds)
    assert kinds == fit.Kinds(data.input_kinds, data.target_kinds)
    refused = [sentence for sentence in data_mistakes(config) if sentence.startswith(f"model={model} ")]
    assert bool(refused) != fit.fits(own, kinds)
    spec = SCENES if name in ("mnist_boxes", "yolo_dataset") else GIVEN[kinds.inputs[0]]
    if refused and len(kinds.targets) == 1:
        with pytest.raises(UserError) as said:
            net.check_fits(spec)
        assert refused == [str(said.value).replace(f"data={spec.data} ", f"data={name} ")]


RIGHT = {
    "mnist": ["model=cnn"],
    "text_table": ["model=lstm", *ON_TABLE, "data.group=score"],
    "text_table, tables apart": ["model=lstm", *ON_TABLE, "data.val_path=reviews.csv"],
    "series": ["model=lstm", *ON_WAVE],
    "table": ["model=fnn", *ON_HOUSES, "data.group=rooms"],
    "image_folder": ["model=cnn", *ON_PHOTOS],
    "mnist_boxes": ["model=yolo", *ON_SCENES],
    "yolo_dataset": ["model=yolo", *ON_BOXES],
    "bert": ["model=bert", "model.weights=prajjwal1/bert-tiny"],
    "bert, bundled": ["model=bert"],
    "resnet": ["model=resnet", *ON_PHOTOS],
}


@with_files
@pytest.mark.usefixtures("imagenet")
@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(name: str) -> None:
    config = composed("trainer=cpu", *RIGHT[name])
    assert mistakes(config) == preflight(config) == []


WRONG = [
    (["model=lstm", *ON_TABLE, "data.path=revews.csv"], "There is no file revews.csv. Did you mean reviews.csv?"),
    (["model=lstm", *ON_TABLE, "data.test_path=none.csv"], "There is no file none.csv."),
    (["model=lstm", *ON_TABLE, "data.label=star"], "has no column star. Did you mean stars?"),
    (["model=lstm", *ON_TABLE, "data.group=user"], "has no column user."),
    (["model=lstm", *ON_TABLE, "data.encoding=klingon"], "data.encoding=klingon is unknown"),
    (["model=lstm", *ON_TABLE, "data.path=photos"], "photos is a folder, not a file."),
    (["model=lstm", *ON_TABLE, "data.val_share=0.5", "data.test_share=0.5"], "they sum to 1."),
    (["model=fnn", *ON_HOUSES, "data.path=house.csv"], "There is no file house.csv. Did you mean houses.csv?"),
    (["model=fnn", *ON_HOUSES, "data.target=prize"], "has no column prize. Did you mean price?"),
    (["model=fnn", *ON_HOUSES, "data.numeric=[room]"], "has no column room. Did you mean rooms?"),
    (["model=fnn", *ON_HOUSES, "data.time=day"], "has no column day."),
    (["model=fnn", *ON_HOUSES, "data.ignore=[district]"], "data.target and data.ignore both name district."),
    (["model=fnn", *ON_HOUSES, "data.group=rooms", "data.time=sold"], "set one of them."),
    (["model=fnn", *ON_HOUSES, "data.test_share=0.9"], "they sum to 1.05."),
    (["model=cnn", *ON_HOUSES], "Try model=fnn or model=linear or model=perceptron or model=scratch."),
    (["model=lstm", *ON_WAVE, "data.column=sale"], "has no column sale. Did you mean sales?"),
    (["model=lstm", *ON_WAVE, "data.path=/dev/zero"], "/dev/zero is a pipe or a device, not a file."),
    (["model=lstm", *ON_WAVE, "data.val_share=0.9"], "they sum to 1.1."),
    (["model=cnn", *ON_PHOTOS, "data.path=photo"], "data.path=photo does not exist."),
    (["model=cnn", *ON_PHOTOS, "data.path=reviews.csv"], "has no column path."),
    (["model=yolo", *ON_BOXES, "data.path=boxes"], "Did you mean boxes/data.yaml?"),
    (["model=yolo", *ON_BOXES, "data.path=reviews.csv"], "should have the keys train, val and names."),
    (["model=yolo", *ON_SCENES, "data.max_size=300"], "data.max_size=300"),
    (["model=cnn", "data.source=disk", "data.dir=nowhere"], "there is no folder nowhere/mnist"),
    (["model=lstm", "data.source=disk", "data.dir=nowhere"], "there is no folder nowhere/sentiment"),
    (["model=bert", "data=mnist"], "model=bert takes tokens, but data=mnist provides images."),
    (["model=fnn", *ON_TABLE], "Try model=bert or model=lstm."),
    (["model=yolo", "data=mnist"], "model=yolo predicts boxes, but the targets of data=mnist are classes."),
    (["model=bert", "model.weights=./none"], "model.weights=./none: there is no such folder"),
    (["model=bert", "model.config={a:1}"], "model.config requires model.weights=null"),
    (
        ["model=resnet", *ON_PHOTOS, "model.weights=none.pth"],
        "none.pth: there is no such file or folder.",
    ),
    (["model=resnet", *ON_PHOTOS, "model.weights=photos"], "is not a run folder with a checkpoint best.ckpt"),
    (["model=resnet", *ON_PHOTOS, "model.weights=null", "model.train=head"], "would freeze random weights"),
    (["model=yolo", *ON_SCENES, "model.weights=none.pt"], "model.weights=none.pt: there is no such file or folder."),
    (["model=cnn", "trainer=cpu", "trainer.precision=16-mixed"], "trainer.precision=16-mixed needs a GPU"),
]


@with_files
@pytest.mark.parametrize(("words", "said"), WRONG)
def test_what_is_wrong_is_a_sentence(words: list[str], said: str) -> None:
    config = composed("trainer=cpu", *words)
    assert mistakes(config) == []
    (sentence,) = preflight(config)
    assert said in sentence


def test_names_that_are_not_utf_8_and_of_300_letters() -> None:
    config = composed("trainer=cpu", "model=lstm", *ON_TABLE)
    config["data"]["path"] = os.fsdecode(b"caf\xe9.csv")
    assert preflight(config) == ["data.path: a name has to be UTF-8."]
    config["data"]["path"] = "n" * 300
    assert preflight(config) == [f"{'n' * 300} cannot be read: File name too long."]


def test_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    config = composed("trainer=gpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert preflight(config) == ["trainer.accelerator=gpu, but there is no GPU here. Use trainer=auto or trainer=cpu."]
    assert data_mistakes(config) == [], "a sweep's jobs may run elsewhere"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter([self / "nvidia0"] if pattern == "nvidia*" else []))
    assert preflight(config) == []


@pytest.mark.wide
# Each in a process of its own.
@with_files
@pytest.mark.parametrize(
    "words",
    [
        ["model=lstm", *ON_TABLE, "data.label=star"],
        ["model=lstm", *ON_TABLE, "data.path=missing.parquet"],
        ["model=cnn", *ON_PHOTOS, "data.path=photo"],
        ["model=yolo", *ON_BOXES, "data.path=boxes"],
        ["-m", "model=bert", "data=mnist", "seed=0,1"],
        ["-m", "model=resnet", *ON_PHOTOS, "model.weights=none.pth,other.pth"],
        ["trainer=gpu", "data.source=bundled"],
    ],
)
def test_torch_is_not_imported_and_no_folder_is_left(words: list[str], tmp_path: Path) -> None:
    spy = (
        "import atexit, json, runpy, sys\n"
        "atexit.register(lambda: print('HEAVY', [m for m in ('torch', 'lightning', 'numpy') if m in sys.modules]))\n"
        f"sys.argv = ['train.py', *{words!r}]\n"
        f"runpy.run_path({str(ROOT / 'train.py')!r}, run_name='__main__')\n"
    )
    before = sorted(path.name for path in tmp_path.iterdir())
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", spy], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "HEAVY []" in done.stdout
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_the_checks_import_no_torch(tmp_path: Path) -> None:
    """Nor does any of them read more than the beginning of a long table."""
    lines = "\n".join(f"a text of some words {i},{i % 3}" for i in range(1_000_000))
    (tmp_path / "long.csv").write_text(f"text,label\n{lines}\n")
    config = composed("trainer=cpu", "model=lstm", "data=text_table", "data.path=long.csv")
    began = time.perf_counter()
    assert preflight(config) == []
    assert time.perf_counter() - began < 0.5
    code = "import sys, litmus.data._preflight, litmus.model._preflight; print({'torch', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
