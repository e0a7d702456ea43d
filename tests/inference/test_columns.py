"""Predictions for rows of a table: those of evaluation, in a file and in a program."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from helpers import MODELS, ON_HOUSES, ROOT

import litmus as package
from litmus.config.fit import kinds_of_model
from litmus.config.instantiate import defaults
from litmus.errors import UserError
from litmus.record.checkpoint import load_checkpoint
from litmus.record.folder import RunDir
from litmus.run.build import prepare
from litmus.spec import Classes, Columns, Values

Train = Callable[..., RunDir]
Litmus = Callable[..., tuple[str, str]]
FEW = ["trainer.max_epochs=1", "trainer.limit_batches=9", "callback.dashboard.graph=false", "task.baselines=false"]
KINDS = {model: kinds_of_model(defaults("model", model)["_target_"]) for model in MODELS}
TARGETS = {"district": Classes, "price": Values, "[price,area]": Values}
CASES = [
    (model, target)
    for model, kinds in sorted(KINDS.items())
    for target, kind in TARGETS.items()
    if Columns in kinds.inputs and kind in kinds.targets
]
EARLIER = ROOT / "tests" / "earlier"
HOUSE = {"area": 80, "rooms": 3, "sold": "2024-05-01", "garden": "yes", "district": "north"}


def test_models_that_read_tables_are_among_the_cases() -> None:
    assert {model for model, _ in CASES} >= {"fnn", "linear", "perceptron", "scratch"}


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(("model", "target"), CASES)
def test_predictions_are_those_of_evaluation(
    model: str, target: str, train: Train, litmus: Litmus, tmp_path: Path
) -> None:
    """Of the test split's rows, from the file as it is: nothing of it is read in another way."""
    lines = (tmp_path / "houses.csv").read_text().splitlines()
    numbered = [f"{line},{i}" for i, line in enumerate(lines[1:])]
    (tmp_path / "houses.csv").write_text("\n".join([f"{lines[0]},number", *numbered]) + "\n")
    run = train(f"model={model}", *FEW, f"data.target={target}", "data.ignore=[number]", small=ON_HOUSES)
    net, data = package.load(run.path), prepare(run.read_config(), load_checkpoint(run.best))
    rows = [int(number) for number in data.splits["test"]["number"]]
    (tmp_path / "test.csv").write_text("\n".join([f"{lines[0]},number", *(numbered[row] for row in rows)]) + "\n")
    out, _ = litmus("predict", str(run.path), "test.csv", "--json")
    predictions = [json.loads(line) for line in out.splitlines()]
    frame = pd.read_csv("test.csv")
    for given in (frame, pl.read_csv("test.csv"), frame.to_dict("records"), data.splits["test"]):
        assert net.predict(given) == predictions
    metrics, targets = run.read_result()["metrics"], data.targets("test")
    if isinstance(net.spec.target, Classes):
        found = torch.tensor([net.names.index(prediction["label"]) for prediction in predictions])
        assert metrics["test/acc"] == pytest.approx(float((found == targets).float().mean()))
        return
    values = np.array([[prediction["values"][name] for name in net.names] for prediction in predictions])
    errors = values - targets.numpy()
    for name, own in zip(net.names, errors.T, strict=True) if len(net.names) > 1 else [("", errors)]:
        measured = metrics[f"test/rmse_{name}" if name else "test/rmse"]
        assert np.sqrt((own**2).mean()) == pytest.approx(measured, rel=1e-4)
    one = net.predict(frame.to_dict("records")[0])
    assert net.predict(frame.iloc[0]) == one
    assert one["values"] == pytest.approx(predictions[0]["values"], rel=1e-5)


def test_what_is_odd_about_a_row_is_said() -> None:
    net = package.load(EARLIER / "linear-table")
    plain = net.predict(HOUSE)
    assert "note" not in plain
    assert net.predict({**HOUSE, "rooms": "3.0", "area": "80", "more": [1]}) == plain, "text, and a column too many"
    assert net.predict({**HOUSE, "garden": True, "sold": pd.Timestamp("2024-05-01", tz="UTC")}) == plain
    wrong = {"area": None, "rooms": "x", "sold": "May", "garden": "perhaps", "district": "east"}
    assert net.predict(wrong)["note"].split("; ") == [
        *("rooms: 'x' is no number", "garden: 'perhaps' is neither no nor yes", "sold: 'May' is no date"),
        "district: 'east' is unknown",
    ]
    absent = net.predict({**wrong, "rooms": float("nan"), "sold": pd.NaT, "garden": pd.NA, "district": ""})
    assert absent["note"] == "rooms is missing; garden is missing; sold is missing", "training rows lack an area, too"
    assert absent["values"] == net.predict(wrong)["values"], "what cannot be read counts as missing"


@pytest.mark.parametrize("cell", ["inf", " -inf ", "-INF", "+Inf", "Infinity", "1e999", float("inf"), -float("inf")])
def test_an_infinite_cell_is_no_number(cell: str | float) -> None:
    net = package.load(EARLIER / "linear-table")
    for name in ("area", "rooms"):  # the training rows lack areas, but no rooms
        (found,) = net.predict([{**HOUSE, name: cell}])
        assert found["note"] == f"{name}: {str(cell).strip()!r} is no number"
        assert found["values"] == net.predict({**HOUSE, name: None})["values"]


def test_a_row_s_answer_does_not_depend_on_the_rows_beside_it() -> None:
    net = package.load(EARLIER / "linear-table")
    alone = net.predict(HOUSE)["values"]["price"]
    assert net.predict([HOUSE, {**HOUSE, "rooms": "many", "area": "large"}])[0]["values"]["price"] == alone


def test_dtypes_of_pandas_and_an_empty_table() -> None:
    net = package.load(EARLIER / "linear-table")
    frame = pd.DataFrame([HOUSE, HOUSE])
    typed = frame.astype({"rooms": "Int64", "area": "float32", "district": "category", "garden": "string"})
    typed["sold"] = pd.to_datetime(typed["sold"])
    assert net.predict(typed) == net.predict(frame)
    assert net.predict(frame.head(0)) == net.predict(pl.DataFrame(frame.head(0).to_dict("list"))) == []
    assert net.predict([]) == []


def test_what_cannot_be_predicted_is_said() -> None:
    net = package.load(EARLIER / "linear-table")
    with pytest.raises(UserError, match=r"has no columns garden, sold, which the network takes. It has: .*"):
        net.predict({name: HOUSE[name] for name in ("area", "rooms", "district")})
    with pytest.raises(UserError, match=r"no column rooms, which the network takes. Did you mean roomz\?"):
        net.predict(pd.DataFrame([HOUSE]).rename(columns={"rooms": "roomz"}))
    doubled = pd.concat([pd.DataFrame([HOUSE]), pd.DataFrame([{"area": 1}])], axis=1)
    with pytest.raises(UserError, match="more than one column named area"):
        net.predict(doubled)
    for given in ("houses.csv", [3], 3):
        with pytest.raises(UserError, match="takes rows of a table: a table of pandas or polars, or dictionaries"):
            net.predict(given)
    with pytest.raises(UserError, match="takes images, not pandas.*DataFrame. Give it a list of them"):
        package.load(EARLIER / "cnn-mnist").predict(pd.DataFrame([HOUSE]))


@pytest.mark.usefixtures("tables")
def test_probabilities_of_rows(train: Train) -> None:
    net = package.load(train("model=fnn", *FEW, small=ON_HOUSES).path)
    frame = pl.read_csv("houses.csv").head(5)
    rows = net.predict_proba(frame)
    assert rows.shape == (5, 3)
    assert rows.sum(axis=1) == pytest.approx(np.ones(5))
    best = [prediction["label"] for prediction in net.predict(frame, topk=1)]
    assert [net.names[i] for i in rows.argmax(axis=1)] == best
    assert net.predict_proba(frame.row(0, named=True)) == pytest.approx(rows[0], abs=1e-6)
