"""Where a ResNet's weights come from, what of it learns, and that cached features change nothing."""

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import DIGITS, SMALL, composed

from litmus.config.instantiate import build
from litmus.errors import UserError
from litmus.inference.load import load_pretrained, load_run
from litmus.model import _weights
from litmus.model._weights import pretrained_file
from litmus.model.resnet import ResNet
from litmus.record.folder import RunDir
from litmus.spec import Classes, Images, Spec

PHOTOS = Spec("image_folder", Images(3, 64, 64, (0.5,) * 3, (0.2,) * 3, 73), Classes(("cat", "dog")))


def make(spec: Spec = PHOTOS, **changes: object) -> ResNet:
    return build({**composed("model=resnet", "data.path=x")["model"], "weights": None, **changes}, spec)


@pytest.mark.parametrize(
    ("arch", "parameters"), [("resnet18", 11_689_512), ("resnet34", 21_797_672), ("resnet50", 25_557_032)]
)
def test_parameters_as_published(arch: str, parameters: int) -> None:
    """Torchvision's documentation gives these numbers, for 1,000 classes."""
    spec = Spec("x", Images(3, 224, 224, (0.5,) * 3, (0.2,) * 3, 256), Classes(tuple(map(str, range(1000)))))
    assert sum(p.numel() for p in make(spec, arch=arch).parameters()) == parameters


def test_the_stem_fits_the_pictures() -> None:
    assert make().body.conv1.kernel_size == (3, 3)
    assert make(DIGITS).body.conv1.in_channels == 1
    large = Spec("x", Images(3, 96, 96, (0.5,) * 3, (0.2,) * 3, 110), PHOTOS.target)
    assert make(large).body.conv1.kernel_size == (7, 7)
    assert make(large, stem="small").body.conv1.kernel_size == (3, 3)


def test_imagenet_weights_answer_as_torchvision_s_network(imagenet: dict[str, torch.Tensor]) -> None:
    from torchvision.models import resnet18

    net = load_pretrained("resnet18")
    assert len(net.spec.target.names) == 1000
    assert net.spec.target.names[281] == "tabby"
    assert (net.spec.input.height, net.spec.input.resized) == (224, 256)
    theirs = resnet18(weights=None)
    theirs.load_state_dict(imagenet)
    x = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        assert torch.allclose(net(x), theirs.eval()(x), atol=1e-4)


@pytest.mark.usefixtures("imagenet")
def test_another_head_is_newly_made_and_all_of_it_is_listed() -> None:
    net = make(weights="imagenet")
    said = net.provenance
    assert "model.weights=imagenet: 100 tensors loaded" in said
    assert "skipped head.weight (1000 x 512), head.bias (1000)" in said
    assert "initialized at random head.weight (2 x 512), head.bias (2)" in said


def test_weights_that_cannot_be_had_are_said_with_three_ways_out(hub_folder: Path) -> None:
    with pytest.raises(UserError) as refused:
        ResNet.image_spec({"arch": "resnet50", "weights": "imagenet", "train": "all"}, PHOTOS.input)
    said = str(refused.value)
    assert str(hub_folder) in said
    for way in ("Put the file there", "set model.weights to a file of yours", "model.weights=null"):
        assert way in said


def test_weights_in_the_cache_that_are_not_the_published_ones_are_never_used(hub_folder: Path) -> None:
    path = hub_folder / "resnet18-f37072fd.pth"
    path.write_bytes(b"others")
    with pytest.raises(UserError, match=r"lacks resnet18-f37072fd.pth.*no connection"):
        make(weights="imagenet")
    assert not path.exists()
    assert [other.read_bytes() for other in hub_folder.iterdir()] == [b"others"], "kept, under another name"


def test_weights_that_are_not_the_published_ones_are_fetched_again(
    hub_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = b"the published ones"
    digits = hashlib.sha256(published).hexdigest()[:8]
    monkeypatch.setattr("litmus.fetch.hub.connects", lambda url: True)
    monkeypatch.setattr("torch.hub.download_url_to_file", lambda url, to: Path(to).write_bytes(published))
    path = hub_folder / "weights.pth"
    path.write_bytes(b"others")
    assert pretrained_file("https://there/weights.pth", "imagenet", digits) == path
    assert path.read_bytes() == published
    path.write_bytes(b"others")
    with pytest.raises(UserError, match=r"the sha256 of its weights.pth is wrong"):
        pretrained_file("https://there/weights.pth", "imagenet", "00000000")


def test_a_file_that_does_not_fit_is_refused_with_its_keys(tmp_path: Path) -> None:
    from torchvision.models import resnet34

    weights = resnet34(weights=None).state_dict()
    del weights["bn1.weight"]
    torch.save(weights, tmp_path / "w.pth")
    with pytest.raises(UserError) as refused:
        make(weights=str(tmp_path / "w.pth"))
    said = str(refused.value)
    assert "does not match the settings of model=resnet" in said
    assert "missing: body.bn1.weight" in said
    assert "unexpected: body.layer1.2" in said


def test_a_file_with_a_prefix_and_a_wrapping_is_read(tmp_path: Path) -> None:
    from torchvision.models import resnet18

    weights = {f"module.{name}": w for name, w in resnet18(weights=None).state_dict().items()}
    torch.save({"model": weights, "epoch": 3}, tmp_path / "w.pth")
    assert "100 tensors loaded" in make(weights=str(tmp_path / "w.pth"), stem="large").provenance


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch harm",)


def test_a_hostile_file_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"conv1.weight": Hostile()}, tmp_path / "w.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Hostile()))
    for name in ("w.pth", "plain.pth"):
        with pytest.raises(UserError, match="is not a file of weights alone"):
            make(weights=str(tmp_path / name))
    assert not Path("harm").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "cannot be read|not a file"), (b"hello", "not a file|cannot be"), (bytes(range(256)), "not a file|cannot")],
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(UserError, match=said):
        make(weights=str(tmp_path / "w.pth"))
    with pytest.raises(UserError, match="no such file or folder"):
        make(weights=str(tmp_path / "nothing.pth"))


@pytest.mark.usefixtures("imagenet")
@pytest.mark.parametrize(("train", "learning"), [("all", 62), ("last_stage", 17), ("head", 2)])
def test_what_learns(train: str, learning: int) -> None:
    net = make(weights="imagenet", train=train)
    assert sum(p.requires_grad for p in net.parameters()) == learning
    before = {n: b.clone() for n, b in net.named_buffers() if "running_mean" in n}
    net(torch.randn(4, 3, 64, 64))
    moved = {n for n, b in net.named_buffers() if n in before and not torch.equal(b, before[n])}
    stages = {"all": {"bn1", "layer1", "layer2", "layer3", "layer4"}, "last_stage": {"layer4"}, "head": set()}
    assert {name.split(".")[1] for name in moved} == stages[train]


@pytest.mark.usefixtures("imagenet")
def test_batchnorm_false_freezes_statistics_as_they_were_loaded() -> None:
    net = make(weights="imagenet", batchnorm=False)
    before = {n: b.clone() for n, b in net.named_buffers()}
    net.train()(torch.randn(4, 3, 64, 64))
    assert all(torch.equal(b, before[n]) for n, b in net.named_buffers())


@pytest.mark.usefixtures("imagenet")
def test_loaded_stages_learn_more_slowly_the_deeper() -> None:
    net = make(weights="imagenet", lr_decay=0.5, l2=0.1)
    rates = {id(p): group["lr_scale"] for group in net.parameter_groups() for p in group["params"]}
    assert rates[id(net.head.weight)] == 1.0
    assert rates[id(net.body.layer4[0].conv1.weight)] == 0.5
    assert rates[id(net.body.conv1.weight)] == 0.5**5
    assert {g["lr_scale"] for g in make(lr_decay=0.5).parameter_groups()} == {1.0}, "nothing was learned before"


def test_random_weights_must_learn() -> None:
    with pytest.raises(UserError, match="would freeze random weights"):
        ResNet.image_spec({"arch": "resnet18", "weights": None, "train": "head"}, PHOTOS.input)


HEAD = ["model=resnet", "data=mnist", "model.train=head", "model.dropout=0.1", "optimizer.lr=1e-2", "seed=3"]


@pytest.fixture
def begun(narrow_resnet: None, train: Callable[..., RunDir]) -> RunDir:
    """A run to begin with: a network that was trained on digits for a moment."""
    few = [*SMALL, "data.limit=60", "data.limit_eval=60", "trainer.max_epochs=1", "trainer.precision=32"]
    return train("model=resnet", "model.weights=null", "data=mnist", folder="begun", small=few)


@pytest.mark.wide
@pytest.mark.parametrize("precision", ["32", pytest.param("bf16-mixed", marks=pytest.mark.slow)])
def test_features_that_are_computed_once_change_nothing(
    train: Callable[..., RunDir], begun: RunDir, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = ["data.limit=120", "data.limit_eval=120"]
    few = [*SMALL, *sizes, f"trainer.precision={precision}", f"model.weights={begun.path}"]
    cached = train(*HEAD, folder="cached", small=few)
    assert "64 features of each image were computed once" in cached.log.read_text()
    monkeypatch.setattr(ResNet, "frozen_part", None)
    plain = train(*HEAD, folder="plain", small=few)
    assert "computed once" not in plain.log.read_text()
    ours, theirs = cached.read_result(), plain.read_result()
    assert ours["status"] == theirs["status"] == "finished"
    for name, value in theirs["metrics"].items():
        if precision == "32":
            assert ours["metrics"][name] == pytest.approx(value, abs=1e-4), name
        elif name.endswith("loss"):  # a picture that bf16's rounding decides counts for 1/120 of an accuracy
            assert ours["metrics"][name] == pytest.approx(value, abs=5e-3), name
    digits = torch.randn(8, 1, 28, 28)
    with torch.no_grad():
        assert torch.allclose(
            load_run(cached)(digits), load_run(plain)(digits), atol=1e-4 if precision == "32" else 5e-2
        )


@pytest.mark.slow
def test_augmentation_switches_the_features_off_and_says_so(train: Callable[..., RunDir], begun: RunDir) -> None:
    sizes = ["data.limit=60", "data.limit_eval=60"]
    few = [*SMALL, *sizes, "data.augment=light", f"model.weights={begun.path}", "trainer.max_epochs=1"]
    run = train(*HEAD, small=few)
    log = run.log.read_text()
    assert (
        "data.augment or data.flip: the features of the network's frozen part are computed again in every epoch" in log
    )
    assert "val: 64 features" in log
    assert "train: 64 features" not in log


@pytest.mark.wide
def test_a_run_s_weights_and_pictures_are_taken_over(train: Callable[..., RunDir], begun: RunDir) -> None:
    few = [*SMALL, "data.limit=60", "trainer.max_epochs=1", f"model.weights={begun.path}"]
    run = train("model=resnet", "data=mnist", small=few)
    assert "tensors loaded" in run.log.read_text()
    assert load_run(run).spec.input == load_run(begun).spec.input


def test_checkpoints_are_not_for_users() -> None:
    with pytest.raises(UserError, match="there is no such file or folder"):
        ResNet.image_spec({"arch": "resnet18", "weights": _weights.CHECKPOINT, "train": "all"}, PHOTOS.input)
