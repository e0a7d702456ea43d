"""Training: reproducible, honest, and the same as by plain torch."""

from collections.abc import Callable

import lightning.pytorch as lightning
import pytest
import torch
from faults import Watch

from litmus.config.instantiate import build
from litmus.record.folder import RunDir
from litmus.spec import Spec

Train = Callable[..., RunDir]


def test_the_same_seed_gives_the_same_numbers_to_the_last_bit(train: Train) -> None:
    changes = ["model=cnn", "model.widths=[8]", "model.dropout=0.3", "model.batchnorm=true", "data.augment=light"]
    a, b = (train(*changes, folder=f) for f in ("a", "b"))
    c = train(*changes, "seed=1", folder="c")
    assert a.read_result()["metrics"] == b.read_result()["metrics"]
    assert a.read_result()["metrics"] != c.read_result()["metrics"]


@pytest.mark.parametrize("name", ["perceptron", "fnn", "scratch", "cnn"])
def test_the_test_accuracy_equals_one_by_plain_torch(name: str, train: Train) -> None:
    run = train(f"model={name}", "trainer.precision=32", "model.dropout=0.2", "model.batchnorm=true")
    config = run.read_config()
    data = build(config["data"], config["seed"])
    data.prepare_data()
    checkpoint = torch.load(run.best, weights_only=True)
    net = build(config["model"], Spec.from_plain(checkpoint["spec"]))
    net.load_state_dict({k.removeprefix("net."): v for k, v in checkpoint["state_dict"].items()})
    net.eval()
    images, labels = data.splits["test"]
    facts = data.spec.input
    with torch.no_grad():
        logits = net((images / 255 - facts.mean[0]) / facts.std[0])
    accuracy = (logits.argmax(dim=1) == labels).float().mean().item()
    assert run.read_result()["metrics"]["test/acc"] == pytest.approx(accuracy, abs=1e-7)


def test_scratch_trains_as_fnn_does(train: Train) -> None:
    changes = ["model.dropout=0.2", "model.batchnorm=true", "model.l2=1e-4"]
    fnn = train("model=fnn", *changes, folder="fnn").read_result()["metrics"]
    scratch = train("model=scratch", *changes, folder="scratch").read_result()["metrics"]
    assert set(scratch) == set(fnn)
    common = [name for name in fnn if name.endswith(("/loss", "/acc", "/f1"))]
    assert [scratch[name] for name in common] == pytest.approx([fnn[name] for name in common], rel=1e-3, abs=0.01)


class Permuted(lightning.Callback):
    """Gives the training images each other's labels."""

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if stage == "fit":
            splits = trainer.datamodule.splits
            images, labels = splits["train"]
            order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
            splits["train"] = images, labels[order]


def test_permuted_labels_teach_nothing(train: Train) -> None:
    changes = ["model=fnn", "data.limit=3000"]
    honest = train(*changes, folder="honest").read_result()["metrics"]["test/acc"]
    chance = train(*changes, folder="chance", watching=[Permuted()]).read_result()["metrics"]["test/acc"]
    assert honest > 0.8
    assert chance < 0.2


@pytest.mark.parametrize("model", ["perceptron", "fnn", "cnn", "scratch"])
@pytest.mark.parametrize("data", ["mnist"])
def test_every_model_trains_on_every_dataset(model: str, data: str, train: Train) -> None:
    run = train(f"model={model}", f"data={data}", "trainer=debug")
    result = run.read_result()
    assert result["status"] == "finished", result["error"]
    assert (result["model"], result["data"]) == (model, data)


def test_the_test_set_is_measured_once(train: Train) -> None:
    watch = Watch()
    run = train("model=fnn", "trainer.max_epochs=3", watching=[watch])
    assert watch.num_tested == run.read_result()["dataset"]["test"]
