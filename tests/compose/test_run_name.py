"""A run folder's name: sorted by time, told apart by what was typed, and typed without quotes anywhere."""

import re
from datetime import datetime
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from litmus.compose.command_line import run_dir
from litmus.compose.run_name import LONGEST, run_name

MOMENT = datetime(2026, 11, 28, 6, 29, 12, 345_678)
TIME = "2026-11-28_06-29-12-345"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", ""),
        ("model=cnn data=mnist resume=null sweep.name=mine", ""),
        ("optimizer.lr=0.01 model.dropout=0.3", "_dropout-0.3_lr-0.01"),
        ("optimizer=sgd seed=7 model.widths=[32,64]", "_widths-32-64_optimizer-sgd_seed-7"),
        ("data.batch_size=8 data.eval_batch_size=9", "_batch_size-8_eval_batch_size-9"),
        ("callback.meter.every_n_steps=1 callback.dashboard.every_n_steps=2",
         "_callback.dashboard.every_n_steps-2"),
        ("optimizer.lr=1e-3 model.l2=1e+2", "_l2-1e2_lr-1e-3"),
        ("data.path=/home/ada/secret/houses.csv", "_path-houses.csv"),
        ("data.path=[/home/ada/a.csv,C:\\Users\\ada\\b.csv]", "_path-a.csv-b.csv"),
        ("data.path=https://ada:word@host/x/houses.csv?token=abc", "_path-houses.csv"),
        ("data.path='my_houses.csv'", "_path-my_houses.csv"),
        ("data.path=/home/ada/", "_path-ada"),
        ("~callback.ema +model.l2=0.1", "_ema-off_l2-0.1"),
        ("model.dropout=null", "_dropout-null"),
        ("trainer.max_epochs=-1", "_max_epochs--1"),
        ("data.label=größe", "_label-gr-e"),
    ],
)  # fmt: skip
def test_what_was_typed_is_said(typed: str, said: str) -> None:
    assert run_name(MOMENT, typed.split()) == TIME + said


def test_a_long_command_makes_a_short_name() -> None:
    typed = [f"model.key_{i}={'x' * 100}" for i in range(20)] + ["optimizer.lr=0.1", f"data.label={'ä' * 50}b"]
    name = run_name(MOMENT, typed)
    assert name.startswith(TIME)
    assert 60 < len(name) <= LONGEST


def test_names_sort_by_time_whatever_was_typed() -> None:
    later = MOMENT.replace(microsecond=999_000)
    assert run_name(MOMENT, ["seed=9"]) < run_name(later, []) < run_name(MOMENT.replace(second=13), ["seed=1"])


def test_a_name_can_be_typed_after_resume() -> None:
    typed = ["data.path={a: 'x y', b: [1, \"=\"]}", "model.widths=[1,2]", "optimizer.lr=-1e+3", "+a@b=c|d", "seed=%$!"]
    name = run_name(MOMENT, typed)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
    (parsed,) = OverridesParser.create().parse_overrides([f"resume=outputs/cnn-mnist/{name}"])
    assert parsed.value() == f"outputs/cnn-mnist/{name}"


def test_a_resumed_run_stays_where_it_is() -> None:
    assert run_dir("outputs/old", "cnn", "mnist", ["resume=outputs/old", "seed=3"]) == "outputs/old"
    assert Path(run_dir(None, "cnn", "mnist", ["seed=3"])).name.endswith("_seed-3")
