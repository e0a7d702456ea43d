"""The detector: its loss is the package's, its weights come from where they are asked for, and nothing else happens."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import IN_SCENES, SCENES, composed

from litmus.config.instantiate import build
from litmus.config.validate import choices, signature
from litmus.errors import UserError
from litmus.inference.load import load_pretrained
from litmus.model import _ultralytics
from litmus.model.yolo import YOLO
from litmus.record.folder import RunDir
from litmus.spec import Boxes, Images, Spec


def make(**changes: object) -> YOLO:
    torch.manual_seed(0)
    return build({**composed("model=yolo")["model"], **changes}, SCENES)


def written(task: str, path: Path, name: str = "yolo11n") -> Path:
    """A .pt as the package writes it, of another task."""
    tasks = _ultralytics.package()
    kinds = {
        "segment": (tasks.SegmentationModel, "-seg"),
        "obb": (tasks.OBBModel, "-obb"),
        "pose": (tasks.PoseModel, "-pose"),
    }
    kind, suffix = kinds[task]
    torch.save({"model": kind(f"{name}{suffix}.yaml", verbose=False), "ema": None, "train_args": {}}, path)
    return path


def test_every_version_and_size_is_known_to_the_package() -> None:
    archs = choices(signature(composed("model=yolo")["model"]["_target_"])["arch"])
    assert len(archs) == 31
    for arch in archs:
        tasks = _ultralytics.package()
        loaded = tasks.yaml_model_load(f"{arch}.yaml")
        assert loaded["scale"] == arch[-1] or "v9" in arch or "v10" in arch, arch


@pytest.mark.parametrize("arch", ["yolo11n", "yolov8n", "yolo26n", "yolov10n", "yolov9t"])
def test_its_loss_is_the_package_s(arch: str) -> None:
    net = make(arch=arch)
    x = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    targets = IN_SCENES.expand(3, -1, -1)
    parts = net.losses(net(x), targets)
    assert list(parts) == ["box", "cls", "dfl"]
    batch = {
        "img": x,
        "batch_idx": torch.arange(3.0).repeat_interleave(2),
        "cls": IN_SCENES[:2, :1].repeat(3, 1),
        "bboxes": IN_SCENES[:2, 1:].repeat(3, 1),
    }
    whole, _ = net.network.loss(batch, net(x))
    assert float(sum(parts.values())) == pytest.approx(float(whole.sum()) / 3, rel=1e-5)


def test_pictures_without_a_box_have_a_loss_too() -> None:
    net = make()
    parts = net.losses(net(torch.rand(2, 3, 64, 64)), torch.full((2, 1, 5), -1.0))
    assert all(part.isfinite() for part in parts.values())
    assert float(parts["box"]) == 0.0
    sum(parts.values()).backward()


def test_two_headed_versions_move_the_weight_between_heads() -> None:
    """The first head's weight falls evenly, from 0.8 to 0.1, so the loss of the same batch changes evenly too."""
    net = make(arch="yolo26n")
    outputs, targets = net(torch.rand(2, 3, 64, 64)), IN_SCENES.expand(2, -1, -1)

    def loss(epoch: int) -> float:
        net.begin_epoch(epoch, 10)
        return float(sum(net.losses(outputs, targets).values()))

    first, third, last = loss(0), loss(3), loss(9)
    assert first != last
    assert (first - third) / (first - last) == pytest.approx(1 / 3, rel=1e-3)
    assert loss(3) == third, "the same after resuming"


def test_sides_must_be_multiples_of_32() -> None:
    spec = Spec("scenes", Images(3, 72, 72, (0.0,) * 3, (1.0,) * 3), Boxes(("cat",)))
    with pytest.raises(UserError, match="multiples of 32, not 72 x 72"):
        build(composed("model=yolo")["model"], spec)


def test_coco_weights_are_loaded_and_what_depends_on_the_classes_is_made_anew(coco: torch.nn.Module) -> None:
    net = make(weights="coco")
    assert torch.equal(net.network.model[0].conv.weight, coco.network.model[0].conv.weight)
    assert "tensors loaded; skipped network.model.23.cv3" in net.provenance
    assert "initialized at random network.model.23.cv3" in net.provenance
    rates = {group["lr_scale"] for group in net.parameter_groups()}
    assert rates == {1.0, 0.5}


def test_published_weights_answer_as_they_are(coco: torch.nn.Module) -> None:
    net = load_pretrained("yolo11n")
    assert net.spec.input.height == 640
    assert net.spec.target.names[3] == "thing 3"
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(net(x), coco.eval()(x), atol=1e-3)


@pytest.mark.parametrize("task", ["segment", "obb", "pose"])
def test_other_tasks_are_refused_by_name(tmp_path: Path, task: str) -> None:
    with pytest.raises(UserError, match=f"is a network for the task {task}; model=yolo supports YOLO's detectors only"):
        make(weights=str(written(task, tmp_path / "other.pt")))


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch harm",)


def test_a_hostile_file_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"model": Hostile()}, tmp_path / "bad.pt")
    with pytest.raises(UserError, match="is not a file of weights written by ultralytics"):
        make(weights=str(tmp_path / "bad.pt"))
    assert not Path("harm").exists()
    (tmp_path / "text.pt").write_text("hello")
    for name, said in (("text.pt", "is not a file of weights"), ("nothing.pt", "no such file or folder")):
        with pytest.raises(UserError, match=said):
            make(weights=str(tmp_path / name))


def test_only_the_last_layer_is_the_head() -> None:
    net = make()
    is_head = _ultralytics.is_head(net.network)
    names = [name for name, _ in net.named_parameters()]
    assert any(".cv3." in name and not is_head(name) for name in names), "blocks of the backbone have one, too"
    assert {name.split(".")[2] for name in names if is_head(name)} == {"23"}


def test_validation_s_loss_does_not_depend_on_the_epoch() -> None:
    net = make(arch="yolo26n")
    x, targets = torch.rand(2, 3, 64, 64), IN_SCENES.expand(2, -1, -1)
    losses = []
    for epoch in (0, 9):
        net.train().begin_epoch(epoch, 10)
        with torch.no_grad():
            _, raw = net.eval().predict_and_raw(x)
            losses.append(sum(float(part) for part in net.losses(raw, targets).values()))
    assert losses[0] == losses[1]


def test_boxes_are_decoded_in_float32_whatever_the_arithmetic() -> None:
    net = make().eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        answer, raw = net.predict_and_raw(torch.rand(2, 3, 64, 64))
    assert answer.dtype == torch.float32
    assert torch.equal(answer, _ultralytics.decode(net.network, raw))


def test_weights_that_are_nowhere_are_refused_before_anything_is_read() -> None:
    for weights in ("checkpoint", "nowhere.pt"):
        with pytest.raises(UserError, match="there is no such file or folder"):
            YOLO.image_spec({"arch": "yolo11n", "weights": weights}, SCENES.input)


def test_another_size_s_weights_are_refused(tmp_path: Path) -> None:
    _ultralytics.save(make(arch="yolo11s").network, tmp_path / "s.pt", 64)
    with pytest.raises(UserError, match="does not match the settings of model=yolo; .*of another shape"):
        make(weights=str(tmp_path / "s.pt"))


FEW = [
    "data.num_train=24",
    "data.num_val=8",
    "data.num_test=8",
    "data.size=64",
    "data.max_digits=2",
    "data.max_size=40",
]
SMALL = ["model=yolo", "data.source=bundled", *FEW, "data.batch_size=8", "trainer=cpu", "trainer.max_epochs=2"]


@pytest.mark.slow
def test_resuming_is_exact_with_the_average_of_the_weights(train: Callable[..., RunDir], tmp_path: Path) -> None:
    import time

    from litmus import console
    from litmus.run import train as running

    whole = train(folder="whole", small=SMALL)
    _check_average(whole)
    # The schedule is over all epochs: what was begun for one is not the same training. So it is stopped instead.
    stopped = RunDir(tmp_path / "stopped")
    config = composed(*SMALL)
    stopped.claim(config)
    stopped.write_config(config)
    from litmus.callback.history import History

    before = History.on_train_epoch_end

    def stop(self: History, trainer: object, module: object) -> None:
        before(self, trainer, module)
        if trainer.current_epoch == 0:
            trainer.should_stop = True

    History.on_train_epoch_end = stop
    try:
        with console.log_to(stopped.log):
            running.train(stopped, config, time.perf_counter())
    finally:
        History.on_train_epoch_end = before
    assert len(stopped.read_metrics()) == 1
    with console.log_to(stopped.log):
        running.train(stopped, stopped.read_config(), time.perf_counter())
    for name in ("val/loss", "val/map50", "train/loss"):
        assert stopped.read_result()["metrics"][name] == whole.read_result()["metrics"][name]


def _check_average(run: RunDir) -> None:
    """It is what is measured and kept."""
    result = run.read_result()
    assert result["status"] == "finished", result["error"]
    assert {
        "val/box_loss",
        "val/cls_loss",
        "val/dfl_loss",
        "test/map",
        "test/map50",
        "test/precision",
        "test/recall",
    } <= set(result["metrics"])
    kept = torch.load(run.last, weights_only=True)
    name = "net.network.model.0.conv.weight"
    assert not torch.equal(kept["state_dict"][name], kept["current_model_state"][name])


@pytest.mark.wide
def test_a_damaged_file_of_a_known_name_stays_and_no_network_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package deletes what it takes for its own, and downloads it again; quotes it drops from a name."""
    requested = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *words, **_: requested.append(words) or [])
    whole = tmp_path / "whole.pt"
    _ultralytics.save(make().network, whole, 96)
    for name in ("yolo11n.pt", "yolov5n.pt"):
        half = Path(name)  # in the working folder, as the package knows its own
        half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        with pytest.raises(UserError, match=f"model.weights={name} is not a file of weights"):
            make(weights=name)
        assert half.is_file()
    assert requested == []
    (tmp_path / "o'brien").mkdir()
    whole.rename(tmp_path / "o'brien" / "yolo11n.pt")
    assert "tensors loaded" in make(weights=str(tmp_path / "o'brien" / "yolo11n.pt")).provenance


@pytest.mark.wide
def test_the_size_that_a_file_was_trained_on_is_taken(tmp_path: Path) -> None:
    settings = {**composed("model=yolo")["model"], "weights": str(tmp_path / "own.pt")}
    _ultralytics.save(make().network, tmp_path / "own.pt", 96)
    assert YOLO.image_spec(settings, Images(3, 0, 0, (), ())).height == 96
    assert YOLO.image_spec(settings, Images(3, 160, 160, (), ())).height == 160
    _ultralytics.save(make().network, tmp_path / "own.pt", 100)
    assert YOLO.image_spec(settings, Images(3, 0, 0, (), ())).height == 128


def test_places_and_scores_are_compared_apart() -> None:
    net, answer = make(), torch.rand(2, 6, 84)
    answer[:, :4] *= 640
    other = answer.clone()
    other[0, 5, 3] += 0.004
    (places, largest), (scores, one) = net.max_differences(answer, other)
    assert (places, scores) == (0.0, pytest.approx(0.004, rel=1e-3))
    assert largest > 600 > 1 >= one
