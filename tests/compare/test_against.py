"""`--against` takes a setting in whatever spelling, and as the messages write it."""

from pathlib import Path

import pytest
from comparing import rank, run_compare, sweep
from made_runs import made

from litmus.errors import UserError


@pytest.mark.parametrize(
    "setting",
    [
        "model.widths=[64,32]",
        "widths=[64, 32]",
        "optimizer.lr=0.01 model.widths=[64, 32]",
        "model.widths=[ 64,32 ]  lr=1e-2",
        "lr=.01 widths=[64,32]",
    ],
)
def test_every_spelling_of_a_value_names_its_setting(tmp_path: Path, setting: str) -> None:
    for number, (widths, lr) in enumerate([([64, 32], 0.01), ([64], 0.01), ([64], 0.1)]):
        made(tmp_path / str(number), "model=fnn", changes={"model": {"widths": widths}, "optimizer": {"lr": lr}})
    ranking, _ = rank(tmp_path, against=setting)
    (reference,) = [row for row in ranking.rows if row.verdict.words == "reference"]
    assert reference.settings["model.widths"] == [64, 32]


def test_whatever_the_refusal_offers_is_accepted(tmp_path: Path) -> None:
    for number, (widths, lr) in enumerate([([64, 32], 0.01), ([64], 0.012345678), ([64, 32], 3e-05)]):
        made(tmp_path / str(number), "model=fnn", changes={"model": {"widths": widths}, "optimizer": {"lr": lr}})
    with pytest.raises(UserError, match="There are: ") as refused:
        rank(tmp_path, against="lr=7")
    offered = str(refused.value).partition("There are: ")[2].removesuffix(".").split("; ")
    assert len(offered) == 3
    for setting in offered:
        ranking, _ = rank(tmp_path, against=setting)
        (reference,) = [row for row in ranking.rows if row.verdict.words == "reference"]
        assert ranking.label(reference) == setting


def test_a_second_one_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep(tmp_path, {0.001: [0.9], 0.01: [0.8]})
    assert run_compare(tmp_path, "--against", "lr=0.001", "--against", "lr=0.01") == 2
    assert "--against names one setting. Put its keys into one:" in capsys.readouterr().err
