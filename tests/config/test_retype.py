"""What is typed again composes what was composed before."""

from itertools import zip_longest

import pytest
import yaml
from helpers import CONF, ROOT, composed

from litmus.config.retype import ORDER, overrides_of
from litmus.errors import UserError


def every(group: str) -> list[str]:
    return [f"{group}={path.stem}" for path in sorted((CONF / group).glob("[!_]*.yaml"))]


# Every choice once; the groups beside each other, which is faster.
OTHERS = zip_longest(*map(every, ("data", "optimizer", "scheduler", "trainer")))
CHOICES = [[each] for each in (*every("model"), *every("experiment"))]
CHOICES += [[each for each in choices if each] for choices in OTHERS]
VALUES = [
    ["model=bert", "optimizer.lr=1e-3", "model.config={hidden_size:8,initializer_range:0.5}"],
    ["model=fnn", "model.widths=[7]", "model.dropout=0.25", "data.augment=light", "callback.ema.decay=0.99"],
    ["model=cnn", "callback.progress=null", "logger=none", "data.split_seed=3", "task.balanced=true"],
    ["model=lstm", "data=text_table", "data.path='a b/it\\'s, 1=x.csv'", "data.text=null", "data.label='7'"],
    ["model=fnn", "optimizer=sgd", "optimizer.lr=0.1", "scheduler=cosine", "trainer.precision=32"],
    ["model=fnn", "logger=[csv,mlflow]", "logger.mlflow.tracking_uri='http://a:5000'", "logger.mlflow.experiment=a"],
    *([each] for each in every("logger")),
]


@pytest.mark.wide
@pytest.mark.parametrize("words", CHOICES + VALUES)
def test_it_composes_the_same(words: list[str]) -> None:
    config = composed(*words)
    assert composed(*overrides_of(config)) == config


def test_what_is_usual_is_not_typed() -> None:
    typed = overrides_of(composed("model=fnn", "optimizer.lr=0.1", "data.dir=null", "seed=7"))
    choices = ["model=fnn", "task=classification", "data=mnist", "optimizer=adam", "scheduler=one_cycle"]
    assert typed == [*choices, "optimizer.lr=0.1"]


@pytest.mark.parametrize(
    ("group", "key", "value"),
    [
        ("model", "_target_", "litmus.model.own.Own"),
        ("task", "_target_", "a.b./etc/passwd"),
        ("data", "dir", "${oc.env:HOME}"),
    ],
)
def test_what_is_not_litmus_own_is_not_typed(group: str, key: str, value: str) -> None:
    config = composed("model=fnn")
    config[group][key] = value
    with pytest.raises(UserError):
        overrides_of(config)


def test_the_order_is_that_of_the_configuration() -> None:
    groups = [next(iter(each)) for each in yaml.safe_load((ROOT / "conf" / "train.yaml").read_text())["defaults"][1:]]
    assert [group for group in groups if group in ORDER] == list(ORDER)
