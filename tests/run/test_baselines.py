"""What needs no network stands beside the network: the right numbers, once for a data set, and said."""

import json
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import lightning.pytorch as lightning
import numpy as np
import pytest
import torch
from faults import Fault, kill
from helpers import ON_PHOTOS, ON_TABLE, ON_WAVE, SMALL, composed
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score

from litmus.config.instantiate import build
from litmus.config.protocols import Data, Task
from litmus.record.baselines import BASELINES, Best, best_baseline
from litmus.record.folder import RunDir
from litmus.run import baselines, fitted
from litmus.run.baselines import Measured, fitted_again, measure
from litmus.run.build import prepare, resolve
from litmus.run.ending import points

pytestmark = pytest.mark.usefixtures("tables", "image_files")

Train = Callable[..., RunDir]
DIGITS = [*SMALL, "model=perceptron", "task.baselines=true"]
LSTM = ["model=lstm", "model.widths=[8]", "model.embedding_size=8", "callback.dashboard.graph=false"]
DATA = {
    "mnist": DIGITS,
    "text_table": [*LSTM, *ON_TABLE],
    "numbers": [*LSTM, *ON_TABLE, "data.label=score"],
    "series": ["model=lstm", *ON_WAVE, "data.window=22", "data.horizon=3"],
    "image_folder": ["model=fnn", *ON_PHOTOS],
}


def prepared(*overrides: str) -> tuple[Data, Task]:
    config = composed(*overrides)
    data = prepare(config)
    net = build(config["model"], data.spec)
    return data, cast(Task, build(resolve(config, data)["task"], net, None, None))


def measured(*overrides: str) -> Measured:
    return measure(*prepared(*overrides), dir=None)


def inputs_of(data: Data, split: str) -> np.ndarray | list[str]:
    return data.flat_inputs(split, torch.arange(data.sizes[split]))


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
@pytest.mark.parametrize("name", ["mnist", "image_folder", "text_table"])
def test_classes_are_those_that_scikit_learn_predicts(name: str) -> None:
    data, task = prepared(*DATA[name])
    inputs = {split: inputs_of(data, split) for split in ("train", "test")}
    if name == "text_table":
        words = TfidfVectorizer().fit(inputs["train"])
        inputs = {split: words.transform(texts) for split, texts in inputs.items()}
    model = LogisticRegression(max_iter=fitted.STEPS).fit(inputs["train"], data.targets("train").numpy())
    targets, predicted = data.targets("test").numpy(), model.predict(inputs["test"])
    own = measure(data, task, None).metrics["test"]["logistic"]
    assert own["acc"] == pytest.approx((predicted == targets).mean())
    assert own["f1"] == pytest.approx(f1_score(targets, predicted, average="macro"))
    assert own["f1_weighted"] == pytest.approx(f1_score(targets, predicted, average="weighted"))


def test_values_are_those_that_scikit_learn_predicts() -> None:
    data, task = prepared(*DATA["numbers"])
    words = TfidfVectorizer().fit(inputs_of(data, "train"))
    model = Ridge().fit(words.transform(inputs_of(data, "train")), data.targets("train").numpy())
    error = model.predict(words.transform(inputs_of(data, "test"))).reshape(-1, 1) - data.targets("test").numpy()
    found = measure(data, task, None).metrics["test"]
    assert found["ridge"] == pytest.approx({"rmse": np.sqrt((error**2).mean()), "mae": np.abs(error).mean()})
    error = np.median(data.targets("train").numpy()) - data.targets("test").numpy()
    assert found["median"]["mae"] == pytest.approx(np.abs(error).mean())


def test_a_series_is_regressed_on_its_lags(tmp_path: Path) -> None:
    data, task = prepared(*DATA["series"])
    sales = np.array([float(line.split(",")[1]) for line in (tmp_path / "wave.csv").read_text().split()[1:]])
    windows = np.lib.stride_tricks.sliding_window_view(sales, 22 + 3)
    scaled = (windows[:, :22] - data.spec.input.mean[0]) / data.spec.input.std[0]
    first, last = 200 - 40 - 30 - 25 + 1, 200 - 40 - 22  # of 200 values 40 test and 30 validate
    model = Ridge().fit(scaled[:first], windows[:first, 22:])
    error = model.predict(scaled[last:]) - windows[last:, 22:]
    found = measure(data, task, None).metrics["test"]
    assert found["ridge"] == pytest.approx({"rmse": np.sqrt((error**2).mean()), "mae": np.abs(error).mean()}, rel=1e-4)
    assert set(found) == {"naive", "seasonal", "ridge"}


def test_a_model_fitted_again_forecasts_what_was_measured() -> None:
    data, task = prepared(*DATA["series"])
    again = fitted_again(data, "ridge")
    assert again is not None
    measured_before = measure(data, task, None).metrics["test"]["ridge"]["rmse"]
    assert np.sqrt(np.mean((again - data.targets("test").numpy()) ** 2)) == pytest.approx(measured_before, rel=1e-4)
    assert fitted_again(data, "trees") is None, "which no series has"


def test_a_model_fitted_again_is_nothing_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "_sklearn", lambda: None)
    assert fitted_again(prepared(*DATA["series"])[0], "ridge") is None


@pytest.mark.parametrize("name", ["image_folder", "series"])
def test_columns_have_boosted_trees(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table is not here yet: other inputs are taken for columns."""
    data, task = prepared(*DATA[name], *(["data.size=2"] if name == "image_folder" else []))
    monkeypatch.setattr(type(data), "is_tabular", True)
    found = measure(data, task, None)
    inputs, targets = (
        [of(split) for split in ("train", "test")] for of in (lambda s: inputs_of(data, s), data.targets)
    )
    if name == "series":
        settings = {"max_iter": 30, "learning_rate": 1 / 3, "random_state": 0}
        models = [
            HistGradientBoostingRegressor(**settings).fit(inputs[0], targets[0][:, step].numpy()) for step in range(3)
        ]
        errors = np.stack([model.predict(inputs[1]) for model in models], axis=1) - targets[1].numpy()
        assert found.metrics["test"]["trees"]["mae"] == pytest.approx(np.abs(errors).mean(), rel=1e-4)
        assert found.notes[1] == "Boosted trees: the 22 values before; 30 rounds in place of 100, of larger steps."
    else:
        model = HistGradientBoostingClassifier(max_iter=55, learning_rate=10 / 55, random_state=0)
        predicted = model.fit(inputs[0], targets[0].numpy()).predict(inputs[1])
        assert found.metrics["test"]["trees"]["acc"] == pytest.approx((predicted == targets[1].numpy()).mean())


@pytest.mark.filterwarnings("ignore:.*physical cores")
def test_many_columns_and_classes_are_no_straw_man() -> None:
    """Of rows about 30 centers, boosted trees get about as many right as without a limit of time."""
    generator = np.random.default_rng(0)
    targets = generator.integers(0, 20, 1500)
    inputs = generator.normal(size=(20, 50))[targets] + generator.normal(size=(1500, 50))
    boosting = fitted._boosting(50, 20)
    model = HistGradientBoostingClassifier(random_state=0, early_stopping=False, **boosting.settings)
    assert boosting.most >= 1000
    assert boosting.said == ("30 rounds in place of 100, of larger steps and small trees",)
    assert model.fit(inputs[:1000], targets[:1000]).score(inputs[1000:], targets[1000:]) > 0.95


@pytest.mark.parametrize(
    ("columns", "outputs", "rounds"), [(20, 1, 100), (33, 2, 30), (34, 2, 30), (1000, 1, 30), (2, 60, 10)]
)
def test_rounds_of_boosting(columns: int, outputs: int, rounds: int) -> None:
    found = fitted._boosting(columns, outputs)
    assert found.settings["max_iter"] == rounds
    assert any(text.startswith("few rounds") for text in found.said) == (rounds < 30)


def test_too_many_classes_have_no_boosted_trees() -> None:
    assert fitted._boosting(2, 61).most == 0


def test_the_number_of_threads_stays_and_does_not_matter() -> None:
    before, found = torch.get_num_threads(), []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            data, task = prepared(*DIGITS)
            found.append(measure(data, task, f"cache-{number}"))
            assert torch.get_num_threads() == number
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


def test_too_many_classes_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitted, "MOST_PRODUCTS", 16 * 16 * 10 * fitted.STEPS * 9)
    found = measured(*DIGITS)
    assert found.notes == ["Logistic regression: too many classes."]
    assert set(found.metrics["test"]) == {"majority"}


def test_the_majority_is_that_of_the_training_split() -> None:
    data, task = prepared(*DIGITS)
    most = data.targets("train").bincount().argmax()
    share = float((data.targets("test") == most).float().mean())
    assert measure(data, task, None).metrics["test"]["majority"]["acc"] == pytest.approx(share)


@pytest.mark.parametrize("name", DATA)
def test_they_are_computed_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = measured(*DATA[name])
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)  # importing it fails
    assert measured(*DATA[name], "data.batch_size=7", "optimizer.lr=0.1") == first
    with pytest.raises(ImportError):
        measured(*DATA[name], "data.limit=90")
    if name != "series":
        assert measured(*DATA[name], "data.split_seed=0", "seed=0") == first
        with pytest.raises(ImportError):
            measured(*DATA[name], "seed=1")  # of the split


def test_jobs_that_start_together_compute_them_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Threads stand for processes: each opens the lock's file by itself."""
    computed, made = [], prepared(*DIGITS)

    def compute(*_: object) -> Measured:
        computed.append(1)
        time.sleep(0.3)
        return Measured(notes=["slow"])

    monkeypatch.setattr(baselines, "_computed", compute)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: measure(*made, dir="together"), range(3)))
    assert found == [Measured(notes=["slow"])] * 3
    assert len(computed) == 1
    assert not list(tmp_path.rglob(".*.lock"))


def test_what_is_damaged_is_computed_again(tmp_path: Path) -> None:
    first = measured(*DIGITS)
    (kept,) = (tmp_path / "data" / "baselines").glob("*.json")
    kept.write_text(kept.read_text()[:40])
    assert measured(*DIGITS) == first
    assert json.loads(kept.read_text())["metrics"] == first.metrics


def test_where_nothing_can_be_kept_they_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "baselines").write_text("in the way")
    assert set(measured(*DIGITS).metrics["test"]) == {"majority", "logistic"}


class Steps(lightning.Callback):
    """Counts them."""

    made = 0

    def on_train_batch_end(self, *_: object) -> None:
        self.made += 1


def test_a_training_does_not_wait_for_them(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    steps, before = Steps(), list[int]()

    def compute(*_: object) -> Measured:
        before.append(steps.made)
        time.sleep(1.0)
        return Measured({split: {"majority": {"acc": 0.5}} for split in ("val", "test")})

    monkeypatch.setattr(baselines, "_computed", compute)
    run = train(*DIGITS, "trainer.max_epochs=2", "trainer.max_time=1.0", watching=[steps])
    result = run.read_result()
    assert before == [steps.made // 2]
    assert result["epochs"] == 2  # what they take is not the training's
    assert result["seconds"]["baselines"] >= 1.0 > result["seconds"]["fit"]
    assert [value for _, value in points(run.path)["val/majority_acc"]] == [0.5, 0.5]


def test_a_training_outlives_baselines_that_fail(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Measured:
        raise MemoryError("too much")

    monkeypatch.setattr(baselines, "_computed", fail)
    result = train(*DIGITS).read_result()
    assert result["status"] == "finished"
    assert result["baselines"]["notes"] == ["There are no baselines: MemoryError: too much"]


@pytest.mark.parametrize("done", ["finished", "within an epoch"])
def test_a_run_that_is_resumed_has_them(done: str, train: Train, resume: Train) -> None:
    if done == "finished":
        run = train(*DIGITS)
        run.remove_result()
    else:
        run = train(*DIGITS, "trainer.max_epochs=2", watching=[Fault(kill(signal.SIGINT), epoch=0, batch=1)])
    assert "test/logistic_acc" in resume(run).read_result()["metrics"]


@pytest.mark.parametrize("name", ["mnist", "series"])
def test_a_sample_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data, task = prepared(*DATA[name])
    whole = measure(data, task, None)
    assert " of " not in whole.notes[0]
    monkeypatch.setattr(fitted, "MOST_PRODUCTS", 50 * fitted.MOST_PRODUCTS // fitted.methods(data)[0].most)
    monkeypatch.setattr(type(data), "most_flat", 60)
    (note,) = measure(data, task, None).notes
    sizes = [f"{done} on {number} of {data.sizes[split]} {noun} samples" for split, done, number, noun in SAMPLED[name]]
    assert note == f"{whole.notes[0].removesuffix('.')}; {'; '.join(sizes)}."
    assert measure(data, task, None).metrics["test"] != whole.metrics["test"]


SAMPLED = {
    "mnist": [
        ("train", "fitted", 50, "training"),
        ("val", "measured", 60, "validation"),
        ("test", "measured", 60, "test"),
    ],
    "series": [("train", "fitted", 50, "training")],
}


def test_without_scikit_learn_the_others_stand(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "_sklearn", lambda: None)
    result = train(*DIGITS).read_result()
    assert result["baselines"]["best"] == "majority"
    assert result["baselines"]["notes"] == [
        "No model is fitted: that needs scikit-learn (pip install 'litmus[baselines]')."
    ]
    assert not any("logistic" in name for name in result["metrics"])


@pytest.mark.parametrize("name", ["text_table", "series"])
def test_a_network_that_is_no_better_is_told(name: str, train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(*DATA[name], "trainer.max_epochs=1", "trainer.limit_batches=1", small=[])
    out, result = " ".join(capsys.readouterr().out.split()), run.read_result()
    best = best_baseline(result["metrics"])
    assert result["baselines"]["beaten"] is False
    if name == "text_table":  # where a word tells the class
        assert best.value == 1.0
        assert "There is no skill: logistic regression makes no mistake in the test." in result["baselines"]["notes"]
    else:
        assert result["metrics"]["test/skill"] < 0
    assert result["baselines"]["notes"][0] == best.sentence
    assert best.sentence in out
    assert f"test, {BASELINES[best.name][0]}" in out


def test_what_rounding_tells_apart_is_as_good() -> None:
    """A network that forecasts the last value computes it in float32."""
    for network in (37.093, 37.0930001, 37.0929999):
        best = Best("naive", "test/rmse", 37.093, network)
        assert not best.is_beaten
        assert best.sentence.endswith("a method without a network does as well.")
    assert Best("naive", "test/rmse", 37.093, 37.09).is_beaten
    assert Best("naive", "test/rmse", 37.093, 37.10).sentence.endswith("does better.")


@pytest.mark.wide
def test_one_that_is_better_is_not(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    run = train(*DIGITS, "model=fnn", "trainer.max_epochs=12", "data.limit=2000", "data.batch_size=64", small=[])
    result = run.read_result()
    best = best_baseline(result["metrics"])
    assert result["baselines"]["beaten"] is True
    acc, other = result["metrics"]["test/acc"], result["metrics"]["test/logistic_acc"]
    assert result["metrics"]["test/skill"] == pytest.approx(1 - (1 - acc) / (1 - other))
    assert (best.name, best.value, best.network) == ("logistic", other, acc)
    assert {value for _, value in points(run.path)["val/logistic_acc"]} == {result["metrics"]["val/logistic_acc"]}
    assert "does not beat" not in capsys.readouterr().out


@pytest.mark.parametrize("name", DATA)
def test_they_change_no_weight(name: str, train: Train) -> None:
    """They are measured within the training, when its first epoch ends."""
    words, threads = [*DATA[name], "trainer.max_epochs=3"], torch.get_num_threads()
    runs = [train(*words, f"task.baselines={on}", folder=on, small=[]) for on in ("true", "false")]
    assert torch.get_num_threads() == threads
    weights = [torch.load(run.last, weights_only=True)["state_dict"] for run in runs]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())
    result = runs[1].read_result()
    assert result["baselines"]["notes"] == ["There are no baselines: task.baselines=false."]
    assert not any(name.partition("/")[2].partition("_")[0] in (*BASELINES, "skill") for name in result["metrics"])


def test_a_test_again_gives_the_same(train: Train, litmus: Callable[..., tuple[str, str]]) -> None:
    run = train(*DIGITS)
    out, _ = litmus("evaluate", str(run.path), "--json")
    result = run.read_result()["metrics"]
    assert json.loads(out) == {name: value for name, value in result.items() if name.startswith("test/")}
    assert {"test/skill", "test/majority_acc", "test/logistic_f1"} <= set(result)
