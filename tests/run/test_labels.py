"""Several labels from training to prediction: baselines, evaluate, compare, predict and `litmus.load`."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import ON_HOUSES, ON_LISTED, ON_TABLE, TINY, composed
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.multiclass import OneVsRestClassifier

import litmus as package
from litmus.config.instantiate import build
from litmus.record.folder import RunDir
from litmus.run.baselines import measure
from litmus.run.build import prepare, resolve

pytestmark = pytest.mark.usefixtures("tables", "image_files")

Train = Callable[..., RunDir]
Litmus = Callable[..., tuple[str, str]]
SEPARATED = "data.target_separator=|"
TABLE = ["model=fnn", *ON_HOUSES, "data.path=tagged.csv", "data.target=tags", SEPARATED]
TEXTS = ["model=lstm", "model.widths=[8]", "model.embedding_size=8", *ON_TABLE]
TAGS = ["data.path=mails.csv", "data.label=tags", SEPARATED]
IMAGES = ["model=cnn", "model.widths=[4]", *ON_LISTED, "data.label=tags", SEPARATED]
SHORT = ["callback.dashboard.graph=false", "trainer.max_epochs=4"]


def test_baselines_are_one_model_for_each_label() -> None:
    config = composed(*TABLE)
    data = prepare(config)
    task = build(resolve(config, data)["task"], build(config["model"], data.spec), None, None)
    inputs, other = (data.flat_inputs(split, torch.arange(data.sizes[split])) for split in ("train", "test"))
    targets = data.targets("train").numpy()
    model = OneVsRestClassifier(LogisticRegression(max_iter=40)).fit(inputs, targets)
    predicted, test = model.predict(other), data.targets("test").numpy()
    found = measure(data, task, None).metrics["test"]
    assert set(found) == {"majority", "logistic", "trees"}
    assert found["logistic"]["f1_micro"] == pytest.approx(f1_score(test, predicted, average="micro"))
    most = np.broadcast_to(targets.mean(axis=0) > 0.5, test.shape)
    assert found["majority"]["f1_macro"] == pytest.approx(
        np.mean([f1_score(test[:, i], most[:, i], zero_division=0.0) for i in range(2)])
    )
    assert found["majority"]["exact_match"] == pytest.approx((test == most).all(axis=1).mean())


def test_a_run_is_evaluated_compared_and_says_what_it_is(train: Train, litmus: Litmus) -> None:
    run = train(*TABLE, *SHORT, small=[])
    result = run.read_result()
    assert result["metrics"]["val/f1_micro"] > 0.8
    assert {"test/precision_green", "test/recall_large", "test/majority_f1_micro", "test/skill"} <= set(
        result["metrics"]
    )
    assert run.read_config()["task"]["_target_"].endswith("Multilabel")
    again = json.loads(litmus("evaluate", str(run.path), "--json")[0])
    assert again == {name: value for name, value in result["metrics"].items() if name.startswith("test/")}
    out, _ = litmus("compare", str(run.path), "--no-figures")
    assert "val/f1_micro" in out


@pytest.mark.parametrize("kind", ["images", "texts"])
def test_predictions_are_the_labels_above_a_half(kind: str, train: Train, litmus: Litmus) -> None:
    run = train(*(IMAGES if kind == "images" else [*TEXTS, *TAGS]), *SHORT, small=[])
    names = ("blue", "red", "warm") if kind == "images" else ("bad", "good", "long")
    given = ["photos/red/1.png", "photos/blue/2.png"] if kind == "images" else ["a superb film", "boring and awful"]
    net = package.load(run.path)
    assert net.names == names
    predictions, rows = net.predict(given), net.predict_proba(given)
    for row, prediction in zip(rows, predictions, strict=True):
        assert set(prediction["labels"]) == {name for name, p in zip(names, row, strict=True) if p > 0.5}
        assert "label" not in prediction
        assert prediction["probabilities"] == pytest.approx(dict(zip(names, row.tolist(), strict=True)))
    printed = [json.loads(line) for line in litmus("predict", str(run.path), *given, "--json")[0].splitlines()]
    assert printed == predictions
    out, _ = litmus("predict", str(run.path), *given)
    assert all(name in out for name in names)


def test_more_labels_than_are_shown_are_all_said(train: Train) -> None:
    run = train(*IMAGES, *SHORT, small=[])
    shown = package.load(run.path).predict("photos/red/1.png", topk=1)
    assert len(shown["probabilities"]) == 1
    assert shown["labels"] == package.load(run.path).predict("photos/red/1.png")["labels"]


def test_numbers_of_images_and_texts_are_predicted_in_their_unit(train: Train, litmus: Litmus) -> None:
    run = train("model=cnn", "model.widths=[4]", *ON_LISTED, "data.label=[brightness,share]", *SHORT, small=[])
    assert {"test/ridge_rmse", "test/median_mae", "test/skill"} <= set(run.read_result()["metrics"])
    net = package.load(run.path)
    assert set(net.predict("photos/red/1.png")["values"]) == {"brightness", "share"}
    out, _ = litmus("predict", str(run.path), "photos/red/1.png")
    assert "brightness" in out
    run = train(*TEXTS, "data.label=[score]", *SHORT, small=[], folder="texts")
    assert set(package.load(run.path).predict("a film")["values"]) == {"score"}


@pytest.mark.wide
def test_bert_s_folder_for_transformers_says_what_it_predicts(train: Train, litmus: Litmus) -> None:
    run = train("model=bert", *TINY["bert"], "model.pooling=cls", *ON_TABLE, *TAGS, *SHORT, small=[])
    litmus("export", str(run.path), "--to", "huggingface", "--out", "hf")
    assert json.loads(Path("hf/config.json").read_text())["problem_type"] == "multi_label_classification"
