"""From Hydra's grammar to Optuna's distributions, and back to the words of a job."""

import math
import random
import warnings

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from litmus.errors import UserError
from litmus.sweep.search.space import (
    count_points,
    describe,
    extremes,
    integer_hint,
    list_values,
    search_space,
    to_override,
)

PARSER = OverridesParser.create()


def searched(*words: str):
    return search_space(words)


@pytest.mark.parametrize(
    ("word", "distribution"),
    [
        ("a=interval(0,0.6)", FloatDistribution(0.0, 0.6)),
        ("a=interval(1,8)", FloatDistribution(1.0, 8.0)),
        ("a=int(interval(1,8))", IntDistribution(1, 8)),
        ("a=tag(int,interval(1,8))", IntDistribution(1, 8)),
        ("a=tag(log,interval(1e-4,1e-1))", FloatDistribution(1e-4, 1e-1, log=True)),
        ("a=tag(log,int(interval(1,1024)))", IntDistribution(1, 1024, log=True)),
        ("a=range(1,9)", IntDistribution(1, 8)),
        ("a=range(1,9,3)", IntDistribution(1, 7, step=3)),
        ("a=range(9,1,-3)", IntDistribution(3, 9, step=3)),
        ("a=shuffle(range(1,9))", IntDistribution(1, 8)),
        ("a=sort(range(1,9),reverse=true)", IntDistribution(1, 8)),
        ("a=tag(log,range(1,100))", IntDistribution(1, 99, log=True)),
        ("a=range(0,0.5,0.1)", FloatDistribution(0.0, 0.4, step=0.1)),
        ("a=float(range(1,4))", FloatDistribution(1.0, 3.0, step=1.0)),
        ("a=range(5,6)", IntDistribution(5, 5)),
        ("a=choice([64],[128,64])", CategoricalDistribution(["[64]", "[128,64]"])),
        ("model=choice(fnn,cnn)", CategoricalDistribution(["fnn", "cnn"])),
        ("model=fnn,cnn", CategoricalDistribution(["fnn", "cnn"])),
        ("a=shuffle(3,1,2)", CategoricalDistribution(["3", "1", "2"])),
        ("a='x y','z'", CategoricalDistribution(["'x y'", "'z'"])),
        ("a=choice('x y','z')", CategoricalDistribution([r"x\ y", "z"])),  # Hydra takes the quotes off
        ("a=null,1", CategoricalDistribution(["null", "1"])),
        ("+a={b:1},{b:2}", CategoricalDistribution(["{b:1}", "{b:2}"])),
    ],
)
def test_what_is_typed_is_what_is_searched(word: str, distribution: object) -> None:
    found, constant = searched(word)
    assert found == {word.partition("=")[0]: distribution}
    assert constant == []


def test_words_with_one_value_stay_as_typed_and_those_of_the_sweep_go() -> None:
    words = [
        "model=fnn",
        "a=1,2",
        "~callback.ema",
        "+b='x y'",
        "sweep=optuna",
        "sweep.metric=[a,b]",
        "hydra.sweep.dir=x",
    ]
    found, constant = searched(*words)
    assert list(found) == ["a"]
    assert constant == ["model=fnn", "~callback.ema", "+b='x y'"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model=fnn"], "sweep=optuna has nothing to search"),
        (["a=tag(log,interval(0,1))"], "a: tag(log,...) needs numbers above 0; this starts at 0."),
        (["a=tag(log,range(0,9))"], "a: tag(log,...) needs numbers above 0"),
        (["a=tag(log,range(1,9,2))"], "steps of 1"),
        (["a=tag(log,range(1,3,0.5))"], "steps of 1"),
        (["a=tag(log,choice(1,2))"], "a: tag(log,...) is not supported"),
        (["a=tag(even,interval(1,2))"], "a: tag(even,...) is not supported"),
        (["a=tag(int,interval(0.5,2))"], "a: the bounds"),
        (["a=interval(2,1)"], "a=interval(2,1) is empty"),
        (["a=interval(1,1)"], "a=interval(1,1) is empty"),
        (["a=interval(0,inf)"], "a=interval(0,inf) is empty"),
        (["a=interval(nan,1)"], "a=interval(nan,1) is empty"),
        (["a=range(3,1)"], "a=range(3,1,1) is empty"),
        (["a=range(1,3,0)"], "a=range(1,3,0) is empty"),
        (["a=1,1.0,1"], "a: 1 is listed twice"),
        (["model=glob(*)"], "model: glob(...)"),
        (["seed=0,1"], "seed cannot be searched"),
        (["+seed=range(3)"], "seed cannot be searched"),
        (["data.fold=range(0,5)"], "data.fold cannot be searched: the best trial would be the luckiest one"),
        (["data.split_seed=0,1"], "data.split_seed cannot be searched"),
        (["a=1,2", "a=3,4"], "a is given twice"),
        (["a=1,2", "a=3"], "a is given twice"),
        (["a=1,2", "sweep.trials=10,20"], "sweep.trials is about the whole sweep"),
        (["a=1,2", "hydra/launcher=a,b"], "hydra/launcher is about the whole sweep"),
    ],
)
def test_what_cannot_be_searched_is_refused_by_name(words: list[str], said: str) -> None:
    with pytest.raises(UserError) as refused:
        searched(*words)
    assert str(refused.value).startswith(said) or said in str(refused.value)


def test_a_number_comes_back_to_the_last_bit() -> None:
    generator = random.Random(0)
    interval = FloatDistribution(1e-300, 1e300, log=True)
    for _ in range(200):
        value = generator.uniform(1, 10) * 10.0 ** generator.randint(-300, 299)
        (parsed,) = PARSER.parse_overrides([to_override("a", value, interval)])
        assert parsed.value() == value
        assert isinstance(parsed.value(), float)
    assert to_override("a", 1.0, interval) == "a=1.0"
    assert to_override("a", 3, IntDistribution(1, 8)) == "a=3"
    assert to_override("+a", "[128,64]", CategoricalDistribution(["[128,64]"])) == "+a=[128,64]"


def test_steps_are_the_decimals_that_were_typed() -> None:
    found, _ = searched("a=range(0.1,1,0.1)")
    values = list_values(found["a"])
    assert [to_override("a", value, found["a"]) for value in values] == [f"a=0.{i}" for i in range(1, 10)]
    study = optuna.create_study()
    with warnings.catch_warnings(action="error"):  # a value outside of the interval is only warned of
        for value in values:
            study.enqueue_trial({"a": value})
            assert study.ask(found).params == {"a": value}


def test_values_are_all_there_are_or_none() -> None:
    assert list_values(IntDistribution(1, 7, step=3)) == [1, 4, 7]
    assert list_values(CategoricalDistribution(["x", "y"])) == ["x", "y"]
    assert list_values(FloatDistribution(0, 1)) is None
    assert extremes(FloatDistribution(0.5, 1)) == [0.5, 1.0]
    assert extremes(CategoricalDistribution(["x", "y", "z"])) == ["x", "y", "z"]
    whole, words = IntDistribution(1, 7, step=3), CategoricalDistribution(["x", "y"])
    assert count_points({"a": whole, "b": words}) == 6
    assert count_points({"a": whole, "b": FloatDistribution(0, 1)}) == math.inf


def test_spaces_that_differ_are_described_differently() -> None:
    words = ["a=interval(1,8)", "a=int(interval(1,8))", "a=range(1,9,7)", "a=tag(log,interval(1,8))", "a=1,8", "a=8,1"]
    texts = [describe(searched(word)[0]["a"]) for word in words]
    assert len(set(texts)) == len(words)
    assert texts[3] == "tag(log,interval(1.0,8.0))"
    assert describe(searched("a=int(interval(1,8))")[0]["a"]) == describe(searched("a=range(1,9)")[0]["a"])


def test_an_interval_where_whole_numbers_are_wanted_gets_a_hint() -> None:
    found, _ = searched("data.batch_size=interval(8,64)", "model.dropout=interval(0,1)")
    wrong = "data.batch_size=8.0 is not allowed. data.batch_size is a whole number, at least 1 and below 2**31."
    assert integer_hint(wrong, found) == " To search whole numbers: data.batch_size=int(interval(a,b))."
    assert integer_hint("model.dropout=1.0 is not allowed. model.dropout is a probability in [0, 1).", found) == ""
