"""Texts and series from a table to a result, an answer, and a measurement on other data."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import ON_TABLE, ON_WAVE, TINY

from litmus.cli import evaluate
from litmus.cli.main import main
from litmus.errors import UserError
from litmus.fetch import hub
from litmus.inference.load import load_run
from litmus.record.checkpoint import load_checkpoint
from litmus.record.folder import RunDir
from litmus.run.build import prepare
from litmus.run.evaluate import evaluate as evaluate_run

Train = Callable[..., RunDir]
Litmus = Callable[..., tuple[str, str]]
LSTM = ["model=lstm", "model.widths=[16]", "model.pooling=max", "optimizer.lr=0.03", "data.batch_size=16"]
BERT = [
    "model=bert",
    *TINY["bert"],
    "model.pooling=mean",
    "model.dropout=0",
    "model.config.hidden_size=32",
    "optimizer.lr=0.005",
    "data.batch_size=2",
]

pytestmark = pytest.mark.usefixtures("tables")


@pytest.mark.wide
@pytest.mark.parametrize("model", [LSTM, BERT], ids=["lstm", "bert"])
def test_two_epochs_tell_separable_texts_apart(train: Train, model: list[str]) -> None:
    run = train(*model, "trainer.max_epochs=2", small=ON_TABLE)
    result = run.read_result()
    assert result["status"] == "finished", result["error"]
    assert result["metrics"]["test/acc"] > 0.9
    assert result["metrics"]["test/f1"] > 0.9
    assert {f"test/{what}_{name}" for what in ("precision", "recall") for name in ("good", "bad", "fair")} <= set(
        result["metrics"]
    )
    assert (result["dataset"]["train"], result["dataset"]["val"], result["dataset"]["test"]) == (240, 30, 30)


@pytest.mark.wide
@pytest.mark.parametrize("model", [LSTM, BERT], ids=["lstm", "bert"])
def test_numbers_are_a_regression_without_being_told(train: Train, model: list[str]) -> None:
    run = train(*model, "data.label=score", "trainer.max_epochs=4", small=ON_TABLE)
    result = run.read_result()
    assert result["status"] == "finished", result["error"]
    assert run.read_config()["task"]["_target_"].endswith("Regression")
    assert result["metrics"]["test/r"] > 0.8
    assert result["metrics"]["test/rmse"] < 0.6
    assert {"test/mae", "val/rmse", "train/r"} <= set(result["metrics"])


def test_no_word_of_the_validation_or_test_texts_is_in_the_vocabulary(train: Train) -> None:
    run = train(*LSTM, "model.min_count=1", "trainer.max_epochs=1", small=ON_TABLE)
    config = run.read_config()
    data = prepare(config, load_checkpoint(run.best))
    vocabulary = json.loads(data.spec.input.tokenizer)["model"]["vocab"]
    training = {word for text in data.splits["train"].texts for word in text.split()}
    assert set(vocabulary) == training | {"[PAD]", "[UNK]"}, "each text's own number tells the parts apart"


@pytest.mark.slow
def test_a_wave_is_forecast_better_than_by_naive_forecasts(train: Train, tmp_path: Path) -> None:
    run = train("model=lstm", "trainer.max_epochs=20", small=ON_WAVE)
    metrics = run.read_result()["metrics"]
    assert metrics["test/rmse"] < 0.7 * min(metrics["test/naive_rmse"], metrics["test/seasonal_rmse"])
    others = [value for name, value in metrics.items() if name.startswith("test/") and name.endswith("_rmse")]
    assert metrics["test/skill"] == pytest.approx(1 - metrics["test/rmse"] / min(others))
    net = load_run(run)
    sales = [float(row["sales"]) for row in csv.DictReader((tmp_path / "wave.csv").open())]
    first = len(sales) - round(0.2 * len(sales))  # data.test_share
    length = net.spec.input.length
    windows = torch.tensor([sales[i - length : i] for i in range(first, len(sales))], dtype=torch.float64)
    scaled = ((windows - net.spec.input.mean[0]) / net.spec.input.std[0]).float()
    with torch.no_grad():
        forecast = net(scaled[:, :, None])[:, 0].double()
    error = forecast * net.spec.target.std[0] + net.spec.target.mean[0] - torch.tensor(sales[first:]).double()
    error = error.square().mean().sqrt()
    assert metrics["test/rmse"] == pytest.approx(float(error), rel=1e-2)  # so small that float32 shows


def test_a_network_that_does_not_beat_the_naive_forecasts_is_told(
    train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    train("model=lstm", "trainer.max_epochs=1", "trainer.limit_batches=1", small=ON_WAVE)
    out = " ".join(capsys.readouterr().out.split())
    assert "The network does not beat ridge regression" in out
    assert "test, naive forecast" in out


def test_predict_answers_in_order_whatever_the_batch(train: Train, litmus: Litmus) -> None:
    run = train(*LSTM, "model.max_length=12", "trainer.max_epochs=2", small=ON_TABLE)
    lines = ["a superb film", "", "dire dire dire", "word " * 40, "so usual"]
    (run.path / "lines.txt").write_text("\n".join(lines) + "\n")
    answers = {}
    for size in ("1", "64"):
        out, _ = litmus("predict", str(run.path), "--file", str(run.path / "lines.txt"), "--json", "--batch-size", size)
        answers[size] = [json.loads(line) for line in out.splitlines()]
    first = answers["64"]
    assert [answer["text"] for answer in first] == [line.rstrip("\n") for line in lines]
    assert [first[i].get("label") for i in (0, 1, 2, 4)] == ["good", None, "bad", "fair"]
    assert first[1]["note"].startswith("empty")
    assert first[3]["note"] == "cut to its first 12 tokens; none of its words are in the vocabulary"
    assert [first[i].get("note") for i in (0, 2, 4)] == [None] * 3
    assert sum(first[0]["probabilities"].values()) == pytest.approx(1.0)
    for a, b in zip(answers["1"], first, strict=True):
        assert a.get("probabilities") == pytest.approx(b.get("probabilities", None))
    table, _ = litmus("predict", str(run.path), "a superb film", "what a dire thing")
    assert "good" in table
    assert "bad" in table


def test_predict_gives_numbers_in_the_data_s_unit(train: Train, litmus: Litmus) -> None:
    run = train(*LSTM, "data.label=score", "trainer.max_epochs=4", small=ON_TABLE)
    (line,) = litmus("predict", str(run.path), "so usual fine film", "--json")[0].splitlines()
    assert json.loads(line)["values"]["score"] == pytest.approx(2.15, abs=0.7)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict", "nowhere", "text"], "There is no folder nowhere"),
        (["predict", ".", "text"], "is not a run folder"),
        (["export", "nowhere", "--to", "onnx"], "There is no folder nowhere"),
    ],
)
def test_what_cannot_be_asked(words: list[str], said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        main(words)


def test_evaluate_measures_on_another_table(train: Train) -> None:
    run = train(*LSTM, "trainer.max_epochs=2", small=ON_TABLE)
    text = (run.path.parent / "reviews.csv").read_text().splitlines()
    (run.path.parent / "other.csv").write_text(
        "\n".join([text[0], *[line for line in text[1:] if ",fair," not in line]])
    )

    def measured(*changes: str) -> dict[str, float]:
        return evaluate_run(run, evaluate.changed(run.read_config(), list(changes)), list(changes))

    same = measured()
    before = run.read_result()["metrics"]
    assert same == {name: before[name] for name in same}, "to the last digit"
    other = measured("data.path=other.csv")
    assert "test/recall_fair" not in other, "nothing was measured of a class that the table lacks"
    assert other["test/acc"] > 0.8, "the other classes keep their places"
    (run.path.parent / "more.csv").write_text(
        "\n".join([text[0], *[line.replace(",fair,", ",odd,") for line in text[1:]]])
    )
    with pytest.raises(UserError, match="has classes that the network was not trained on: odd"):
        measured("data.path=more.csv")
    with pytest.raises(UserError, match="trained on tokens to predict classes; this data provides tokens and values"):
        measured("data.label=score")


@pytest.mark.parametrize("change", ["seed=5", "data.val_share=0.3"])
def test_what_was_trained_on_is_never_measured_as_a_test(train: Train, tmp_path: Path, change: str) -> None:
    """Its texts get labels that are wrong now: only a test without them has few errors."""
    run = train(*LSTM, "trainer.max_epochs=2", small=ON_TABLE)
    splits = prepare(run.read_config()).splits
    trained = {*splits["train"].texts, *splits["val"].texts}
    wrong = {"good": "bad", "bad": "fair", "fair": "good"}
    first, *rows = (line.split(",") for line in (tmp_path / "reviews.csv").read_text().splitlines())
    rows = [[text, wrong[label] if text in trained else label, score] for text, label, score in rows]
    (tmp_path / "reviews.csv").write_text("\n".join(map(",".join, [first, *rows])))
    tested = set(prepare(evaluate.changed(run.read_config(), [change])).splits["test"].texts)
    assert tested & trained, "or there is nothing to leave out"
    assert tested - trained
    assert evaluate_run(run, evaluate.changed(run.read_config(), [change]), [change])["test/acc"] > 0.9


def test_a_run_is_not_resumed_on_other_data(
    train: Train, resume: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(*LSTM, "trainer.max_epochs=1", small=ON_TABLE)
    before = run.read_result()
    with (tmp_path / "reviews.csv").open("a") as file:
        file.write("another row,good,1.5\n")
    resume(run, "trainer.max_epochs=2")
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(r"is not what .* was trained on: reviews.csv changed since", said)
    assert run.read_result() == before


@pytest.mark.parametrize("change", ["data.horizon=3", "data.window=30"])
def test_a_forecast_of_another_shape_is_refused(train: Train, change: str) -> None:
    run = train("model=lstm", "trainer.max_epochs=1", small=ON_WAVE)
    with pytest.raises(UserError, match="data.window and data.horizon cannot change after training"):
        evaluate_run(run, evaluate.changed(run.read_config(), [change]), [change])


@pytest.mark.slow
def test_two_processes_train_as_one_even_where_a_share_is_empty(train: Train) -> None:
    small = [*LSTM, "trainer.max_epochs=1", "data.eval_batch_size=29"]  # of 30 texts, one is left for two processes
    one = train(*small, small=ON_TABLE, folder="one").read_result()
    run = train(*small, "trainer=ddp", "trainer.accelerator=cpu", small=ON_TABLE, folder="two")
    two = run.read_result()
    assert two["status"] == "finished", f"{two['error']}\n{run.log.read_text()}"
    for name in ("train/loss", "val/loss", "test/loss", "test/acc", "val/f1"):
        assert two["metrics"][name] == pytest.approx(one["metrics"][name], rel=1e-3), name


def test_a_pipeline_out_of_an_exported_folder(train: Train, litmus: Litmus) -> None:
    run = train("model=bert", *TINY["bert"], "trainer.max_epochs=1", small=ON_TABLE)
    litmus("export", str(run.path), "--to", "huggingface", "--out", "folder")
    texts = ["a superb film", " ", "word " * 60]
    pipeline = ["--pipeline", "sentiment-analysis", "--weights", "folder"]
    lines = litmus("predict", *pipeline, *texts, "--json")[0].splitlines()
    own = litmus("predict", str(run.path), *texts, "--json")[0].splitlines()
    for line, expected in zip(map(json.loads, lines), map(json.loads, own), strict=True):
        assert line.get("label") == expected.get("label")
        assert line.get("note") == expected.get("note")
        assert line.get("probabilities") == pytest.approx(expected.get("probabilities"), abs=1e-4)


def test_a_pipeline_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "reachable", lambda: False)
    with pytest.raises(SystemExit, match="its default model is neither a local folder nor available"):
        main(["predict", "--pipeline", "sentiment-analysis", "text"])
    with pytest.raises(SystemExit, match="image-classification is not supported"):
        main(["predict", "--pipeline", "image-classification", "text"])


def test_bytes_that_are_no_letters_and_a_line_without_an_end(
    train: Train, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, litmus: Litmus
) -> None:
    run = train(*LSTM, "trainer.max_epochs=1", small=ON_TABLE)
    (run.path / "lines.txt").write_bytes(b"\xef\xbb\xbfgood\n\xff film\n" + b"x " * 500 + b"\nlast")
    monkeypatch.setattr("litmus.inference.inputs.LONGEST", 100)
    out, _ = litmus("predict", str(run.path), "--file", str(run.path / "lines.txt"), "--json")
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["text"][:6] for answer in answers] == ["good", "\ufffd film", "x x x ", "last"]
    assert answers[1]["note"] == "bytes that are not UTF-8 were replaced"
    assert answers[2]["note"].startswith("only its first 100 bytes were read")
    between, _ = litmus("predict", str(run.path), "--json", "good film")
    assert json.loads(between)["text"] == "good film", "options may stand between a run and its texts"


def test_a_bert_s_run_folder_needs_nothing_else(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(*BERT, "trainer.max_epochs=1", small=ON_TABLE)
    before = run.read_result()["metrics"]
    config = run.read_config()
    config["model"]["weights"] = "a/folder/that/is/gone"
    again = evaluate_run(run, config, [])
    assert again == {name: before[name] for name in again}


def test_labels_smoothed_for_a_regression_are_refused(train: Train) -> None:
    run = train(*LSTM, "data.label=score", "task.label_smoothing=0.1", small=ON_TABLE)
    assert "task.label_smoothing is a key of task=classification" in run.read_result()["error"]


def test_a_misspelled_verb(litmus: Litmus) -> None:
    _, err = litmus("evalute", "run", status=2)
    assert "there is no verb evalute. Did you mean evaluate?" in err
    assert "export" in litmus("--help")[0]
