"""Runs on pictures, and what is asked of them afterwards: predict, evaluate, export."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import DIGITS, SCENES, composed
from PIL import Image

from litmus.cli import evaluate
from litmus.cli.main import main
from litmus.config.instantiate import build
from litmus.data.image.transform import Normalize
from litmus.data.image_folder import ImageFolder
from litmus.data.yolo_dataset import YOLODataset
from litmus.errors import UserError
from litmus.inference.export import write
from litmus.inference.images import ImagePredictor
from litmus.inference.load import load_pretrained, load_run
from litmus.record.checkpoint import load_checkpoint
from litmus.record.folder import RunDir
from litmus.run import train as running
from litmus.run.build import prepare
from litmus.run.evaluate import evaluate as evaluate_run
from litmus.spec import Boxes, Images, Spec
from litmus.task.detection import MIN_SCORE, DetailedMetrics, corners

Train = Callable[..., RunDir]
PHOTOS = ["data=image_folder", "data.path=photos", "data.size=32", "trainer=cpu", "trainer.max_epochs=4"]
COLOURS = {"blue": (30, 30, 220), "green": (30, 200, 30), "red": (220, 30, 30)}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photos that anyone could tell apart, in folders by colour."""
    generator = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(20):
            noise = generator.integers(-30, 30, (40, 50, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    return tmp_path / "photos"


def told(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    said = capsys.readouterr()
    assert ended.value.code == status, said.err
    return said.out, said.err


@pytest.mark.usefixtures("photos")
def test_photos_are_learned_and_named(train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train("model=cnn", "task.balanced=true", small=PHOTOS)
    result = run.read_result()
    assert result["status"] == "finished", result["error"]
    assert result["metrics"]["test/acc"] == 1.0
    assert result["dataset"]["sha256"]["photos"]
    (tmp_path / "photos" / "notes.txt").write_text("x")
    out, _ = told(capsys, "predict", str(run.path), "photos/red/1.png", "photos/blue", "photos/gr*/*.png", "--json")
    answers = [json.loads(line) for line in out.splitlines()]
    assert len(answers) == 41
    assert all(answer["label"] == Path(answer["image"]).parent.name for answer in answers)
    assert next(iter(answers[0]["probabilities"])) == "red"
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1.0)
    for option, value in (("--min-score", "0.5"), ("--out", "drawn")):
        with pytest.raises(SystemExit, match=f"{option} is for networks that draw boxes"):
            main(["predict", str(run.path), "photos/red/1.png", option, value])
    table, _ = told(capsys, "predict", str(run.path), "photos/red/1.png", "--topk", "2")
    assert table.split()[:6] == ["picture", "label", "probability", "photos/red/1.png", "red", table.split()[5]]
    assert len(table.strip().splitlines()) == 3


@pytest.mark.usefixtures("photos")
def test_what_is_no_picture_is_said_and_the_others_are_done(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train("model=fnn", "trainer.max_epochs=1", small=PHOTOS)
    (tmp_path / "text.jpg").write_text("hello")
    out, err = told(capsys, "predict", str(run.path), "text.jpg", "photos/red/1.png", "nowhere.png", "--json", status=1)
    first, second, third = (json.loads(line) for line in out.splitlines())
    assert "is not an image" in first["error"]
    assert "label" in second
    assert "cannot be read" in third["error"]
    assert "text.jpg is not an image" in err
    assert "nowhere.png cannot be read" in err
    with pytest.raises(SystemExit, match="There is no picture in nothing"):
        main(["predict", str(run.path), "nothing/*.png"])
    (tmp_path / "empty").mkdir()
    out, err = told(capsys, "predict", str(run.path), "photos/red/1.png", "typo/*.png", "empty", "--json", status=1)
    assert len(out.splitlines()) == 1
    assert "typo/*.png: there is no picture in it." in err
    assert "empty: there is no picture in it." in err


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("change", ["seed=5", "data.val_share=0.3"])
def test_no_photo_that_was_trained_on_is_measured_as_a_test(
    train: Train, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train("model=fnn", "trainer.max_epochs=1", small=PHOTOS)

    def hashes(data: ImageFolder, *parts: str) -> set[str]:
        return {data.photos.sha256[number] for part in parts for number, _ in data.samples[part]}

    trained = hashes(prepare(run.read_config()), "train", "val")
    measured = []
    test = running.test
    monkeypatch.setattr("litmus.run.evaluate.test", lambda run, parts: measured.append(parts.data) or test(run, parts))
    evaluate_run(run, evaluate.changed(run.read_config(), [change]), [change])
    assert hashes(measured[0], "test")
    assert not hashes(measured[0], "test") & trained


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("change", ["data.size=64", "data.colours=grey", "model.dropout=0.5"])
def test_what_belongs_to_the_network_cannot_be_changed_in_a_test(train: Train, change: str) -> None:
    run = train("model=fnn", "trainer.max_epochs=1", small=PHOTOS)
    with pytest.raises(UserError, match=f"{change} cannot be changed"):
        evaluate_run(run, evaluate.changed(run.read_config(), [change]), [change])


@pytest.mark.usefixtures("photos", "imagenet")
@pytest.mark.parametrize("part", ["all", "head"])
def test_imagenet_s_weights_are_tuned_and_named(
    train: Train, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["model=resnet", "data.path=photos", "data.size=32", "data.limit=24", "trainer=cpu", "trainer.max_epochs=2"]
    run = train(f"model.train={part}", "data.batch_size=8", "optimizer.lr=0.01", small=small)
    result = run.read_result()
    assert result["status"] == "finished", result["error"]
    assert "model.weights=imagenet: 100 tensors loaded; skipped head" in run.log.read_text()
    out, _ = told(capsys, "predict", str(run.path), "photos/red/1.png", "--json")
    assert set(json.loads(out)["probabilities"]) == set(COLOURS)


@pytest.mark.usefixtures("photos", "imagenet")
def test_published_weights_name_pictures_without_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    from torchvision.models import ResNet18_Weights

    words = ["predict", "--model", "resnet18", "photos/red/1.png", "photos/blue/2.png", "--json"]
    out, _ = told(capsys, *words)
    answers = [json.loads(line) for line in out.splitlines()]
    assert [Path(answer["image"]).parent.name for answer in answers] == ["red", "blue"]
    preset = ResNet18_Weights.DEFAULT
    with torch.no_grad():
        x = preset.transforms()(Image.open("photos/red/1.png"))[None]
        theirs = load_pretrained("resnet18")(x)[0].softmax(0).topk(5)
    ours = answers[0]["probabilities"]
    assert list(ours) == [preset.meta["categories"][i] for i in theirs.indices]
    assert list(ours.values()) == pytest.approx(theirs.values.tolist(), abs=1e-3)
    out, _ = told(capsys, *words, "--topk", "2")
    assert [len(json.loads(line)["probabilities"]) for line in out.splitlines()] == [2, 2]


@pytest.mark.usefixtures("photos", "hub_folder")
@pytest.mark.parametrize("name", ["resnet18", "yolo11n"])
def test_published_weights_that_are_not_there_are_said_without_training_s_advice(name: str) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["predict", "--model", name, "photos/red/1.png"])
    said = str(refused.value.code)
    assert f"{name}: " in said
    assert "cannot be downloaded (there is no connection). Put the file there, or ask a run" in said
    assert "model.weights" not in said


@pytest.mark.usefixtures("photos", "coco")
def test_published_weights_draw_boxes_without_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["predict", "--model", "yolo11n", "photos/red/1.png", "--min-score", "0"]
    out, _ = told(capsys, *words, "--json")
    answer = json.loads(out)
    assert answer["boxes"][0]["label"].startswith("thing ")
    assert Path(answer["drawn"]) == Path("predictions/1-boxes.png")
    beside = json.loads((tmp_path / "predictions" / "1-boxes.json").read_text())
    assert beside == {"image": "photos/red/1.png", "boxes": answer["boxes"]}
    told(capsys, *words)
    assert len(list((tmp_path / "predictions").iterdir())) == 2, "the same picture is drawn in the same place"
    drawn = (tmp_path / "predictions" / "1-boxes.png").read_bytes()
    out, _ = told(capsys, "predict", "--model", "yolo11n", "photos/blue/1.png", "--min-score", "0", "--json")
    assert Path(json.loads(out)["drawn"]).name == "1-boxes-2.png", "another one of that name in another place"
    assert (tmp_path / "predictions" / "1-boxes.png").read_bytes() == drawn


@pytest.mark.usefixtures("imagenet")
def test_a_digit_is_asked_about_as_it_was_trained_on(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stored in a size of its own, it is scaled to that of ImageNet's weights whole."""
    few = ["data.source=bundled", "data.limit=20", "data.batch_size=8", "trainer=cpu", "trainer.max_epochs=1"]
    run = train("model=resnet", "data=mnist", "model.train=head", small=few)
    net = load_run(run)
    data = prepare(run.read_config(), load_checkpoint(run.best))
    pixels, _ = data.stored("test")
    Image.fromarray(pixels[0, 0].numpy()).save(tmp_path / "digit.png")
    normalise = Normalize(net.spec.input, None, torch.device("cpu"))
    with torch.no_grad():
        ours = net(normalise(pixels[:1], torch.Generator(), 1, slice(None)))[0].softmax(0)
    out, _ = told(capsys, "predict", str(run.path), "digit.png", "--topk", "10", "--json")
    found = json.loads(out)["probabilities"]
    assert [found[name] for name in net.spec.target.names] == pytest.approx(ours.tolist(), abs=5e-3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict", ".", "x.png", "--topk", "0"], "--topk 0 is not allowed"),
        (["predict", ".", "x.png", "--min-score", "2"], "--min-score 2 is not allowed"),
        (["predict", "--model", "resnet18"], "There is nothing to ask about"),
        (["predict", "--model", "reznet18", "x.png"], "Did you mean resnet18"),
        (["predict", "--model", "resnet18", "--pipeline", "sentiment-analysis", "x"], "ask one"),
    ],
)
def test_wrong_words_are_answered(words: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as refused:
        main(words)
    assert said in str(refused.value.code)


class Sees:
    """A detector that sees the same two boxes in every picture."""

    spec = SCENES

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape[1:] == (3, 64, 64)
        return x

    def boxes(self, answer: torch.Tensor, min_score: float, several: bool) -> list[torch.Tensor]:
        assert not several
        seen = torch.tensor([[0.0, 16, 32, 48, 0.9, 1], [-5, 0, 70, 70, 0.3, 0]])
        return [seen[seen[:, 4] >= min_score] for _ in answer]


def test_boxes_come_back_in_the_photo_s_own_pixels(tmp_path: Path) -> None:
    Image.new("RGB", (200, 100), "white").save(tmp_path / "wide.png")
    Image.new("RGB", (50, 100), "white").save(tmp_path / "high.png")
    paths = [tmp_path / "wide.png", tmp_path / "high.png"]
    wide, high = ImagePredictor(Sees()).predict(paths, 8, 5, 0.25)
    # 200 x 100 is 64 x 32 between bars of 16 above and below: the left half of it.
    assert wide["boxes"][0] == {"label": "dog", "score": pytest.approx(0.9), "box": [0, 0, 100, 100]}
    assert wide["boxes"][1]["box"] == [0, 0, 200, 100], "cut at the edges"
    assert high["boxes"][0]["box"] == [0, 25, 25, 75]
    assert len(next(ImagePredictor(Sees()).predict(paths, 8, 5, 0.5))["boxes"]) == 1


SMALL_SCENES = ["data.num_train=16", "data.num_val=8", "data.num_test=8", "data.size=64", "data.max_digits=2"]
YOLO = ["model=yolo", "data.source=bundled", *SMALL_SCENES, "data.max_size=40", "trainer=cpu", "trainer.max_epochs=1"]


def test_a_detector_draws_what_it_sees(train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from litmus.model import _ultralytics

    run = train(small=YOLO)
    assets = Path(sys.modules[_ultralytics.package().__name__].__file__).parents[1] / "assets"
    out, _ = told(capsys, "predict", str(run.path), str(assets), "--min-score", "0", "--json")
    bus, zidane = (json.loads(line) for line in out.splitlines())
    assert Path(bus["image"]).name == "bus.jpg"
    assert bus["boxes"]
    for answer, size in ((bus, (810, 1080)), (zidane, (1280, 720))):
        drawn = Image.open(answer["drawn"])
        assert drawn.size == size
        beside = json.loads(Path(answer["drawn"]).with_suffix(".json").read_text())
        assert beside["boxes"] == answer["boxes"]
        original = np.asarray(Image.open(answer["image"]), dtype=int)
        assert (np.abs(np.asarray(drawn, dtype=int) - original) > 60).any(), "something was drawn"
        for box in answer["boxes"]:
            left, top, right, bottom = box["box"]
            assert 0 <= left <= right <= size[0]
            assert 0 <= top <= bottom <= size[1]
    assert Path(bus["drawn"]).parent == run.path / "predictions"
    (tmp_path / "text.jpg").write_text("hello")
    _, err = told(capsys, "predict", str(run.path), "text.jpg", status=1)
    assert "text.jpg is not an image that Pillow can read" in err, "ultralytics has not changed how pictures are opened"
    with pytest.raises(SystemExit, match="--topk is for networks that name a picture's class"):
        main(["predict", str(run.path), "text.jpg", "--topk", "2"])
    mine = tmp_path / "mine.jpg"
    mine.write_bytes((assets / "bus.jpg").read_bytes())
    told(capsys, "predict", str(run.path), "mine.jpg", "--min-score", "0", "--out", ".")
    assert mine.read_bytes() == (assets / "bus.jpg").read_bytes()
    assert (tmp_path / "mine-boxes.jpg").is_file()
    table, _ = told(capsys, "predict", str(run.path), str(assets / "bus.jpg"), "--min-score", "0.99", "--out", "seen")
    assert "nothing" in table
    assert (tmp_path / "seen" / "bus-boxes.jpg").is_file()


@pytest.mark.parametrize("arch", ["yolo11n", "yolo26n"])
def test_evaluating_a_detector_again_gives_the_same_digits(train: Train, arch: str) -> None:
    """The average of the weights is far from the weights themselves here."""
    far = ["callback.ema.decay=0.9", "callback.ema.ramp=1", "data.batch_size=4", "trainer.max_epochs=2"]
    run = train(f"model.arch={arch}", *far, small=YOLO)
    before = run.read_result()["metrics"]
    kept = torch.load(run.last, weights_only=True)
    name = "net.network.model.0.conv.weight"
    assert not torch.allclose(kept["state_dict"][name], kept["current_model_state"][name], rtol=1e-3)
    again = evaluate_run(run, run.read_config(), [])
    assert again == {name: value for name, value in before.items() if name.startswith("test/")}
    validated = [row for row in run.read_metrics() if row["epoch"] == run.read_result()["best_epoch"]]
    assert validated[0]["val/loss"] == before["val/loss"]


@pytest.fixture
def detector() -> torch.nn.Module:
    """A network of random weights that sees many different things."""
    torch.manual_seed(0)
    spec = Spec("scenes", Images(3, 64, 64, (0.0,) * 3, (1.0,) * 3), Boxes(("cat", "dog", "cow")))
    net = build(composed("model=yolo")["model"], spec)
    for _ in range(3):
        net(torch.rand(8, 3, 64, 64))  # batch norm's statistics move
    head = net.network.model[-1]
    for boxes, scores in zip(head.cv2, head.cv3, strict=True):
        torch.nn.init.normal_(boxes[-1].weight, std=3.0)
        boxes[-1].bias.data = -torch.arange(16.0).repeat(4)  # edges near the middle: small boxes
        torch.nn.init.normal_(scores[-1].weight, std=10.0)
        torch.nn.init.constant_(scores[-1].bias, -3.0)
    return net.eval()


def test_onnx_gives_the_network_s_own_boxes(detector: torch.nn.Module, tmp_path: Path) -> None:
    import onnxruntime

    write(detector, "onnx", tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    x = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    (answer,) = session.run(None, {"images": x.numpy()})
    with torch.no_grad():
        ours = detector.boxes(detector(x), 0.1, True)
    theirs = detector.boxes(torch.from_numpy(answer), 0.1, True)
    assert all(len(own) for own in ours)
    for own, other in zip(ours, theirs, strict=True):
        assert torch.allclose(own, other, atol=1e-2)


def test_the_yolo_command_measures_what_we_measure(detector: torch.nn.Module, tmp_path: Path) -> None:
    """Labels are a part of what the network sees: some of it is right, and some is not.

    One picture: to a network of random weights all look nearly alike, and which of two equal scores comes first
    would be chance.
    """
    generator = torch.Generator().manual_seed(2)
    for kind in ("images", "labels"):
        (tmp_path / "set" / kind / "val").mkdir(parents=True)
    for i in range(1):
        pixels = torch.randint(0, 256, (64, 64, 3), dtype=torch.uint8, generator=generator)
        Image.fromarray(pixels.numpy()).save(tmp_path / "set" / "images" / "val" / f"{i:02}.png")
        with torch.no_grad():
            seen = detector.boxes(detector(pixels.permute(2, 0, 1)[None].float() / 255), 0.05, True)[0]
        kept = seen[torch.randperm(len(seen), generator=generator)[:16]]
        kept[:, :4] = (kept[:, :4] + torch.randn(len(kept), 4, generator=generator)).clamp(0, 64)
        lines = [
            f"{int(name)} {(left + right) / 128} {(top + bottom) / 128} {(right - left) / 64} {(bottom - top) / 64}"
            for left, top, right, bottom, _, name in kept.tolist()
            if right - left > 1 and bottom - top > 1
        ]
        (tmp_path / "set" / "labels" / "val" / f"{i:02}.txt").write_text("\n".join(lines) + "\n")
    described = tmp_path / "set" / "data.yaml"
    parts = "".join(f"{part}: images/val\n" for part in ("train", "val", "test"))
    described.write_text(f"path: {tmp_path / 'set'}\n{parts}names: [cat, dog, cow]\n")

    keys = {"val_share": 0.1, "test_share": 0.1, "limit": None, "batch_size": 4, "eval_batch_size": 4}
    data = YOLODataset(0, path=str(described), size=64, dir=str(tmp_path / "cache"), mosaic=0.0, flip=0.0, **keys)
    data.prepare_data()
    data.spec = detector.spec
    data.setup()
    pixels, targets = data.stored("test")
    x = Normalize(detector.spec.input, None, torch.device("cpu"))(pixels[:1], torch.Generator(), 1, slice(None))
    score = DetailedMetrics()
    with torch.no_grad():
        answer, raw = detector.answer_and_raw(x)
    score.update(detector.losses(raw, targets), len(x))
    score.add_boxes(detector.boxes(answer, MIN_SCORE, True), [corners(own, 64, 64) for own in targets])
    ours = score.compute()
    assert 0.05 < float(ours["map"]) < 0.95

    write(detector, "ultralytics", tmp_path / "model.pt")
    code = (
        "from ultralytics import YOLO; import json\n"
        f"found = YOLO({str(tmp_path / 'model.pt')!r}).val(data={str(described)!r}, imgsz=64, batch=4, device='cpu', "
        f"plots=False, workers=0, rect=False, project={str(tmp_path / 'runs')!r}, verbose=False)\n"
        "print('FOUND', json.dumps([float(found.box.map), float(found.box.map50)]))"
    )
    environment = {**os.environ, "YOLO_CONFIG_DIR": str(tmp_path / "settings"), "YOLO_OFFLINE": "true"}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.split("FOUND", 1)[1])
    assert found == pytest.approx([float(ours["map"]), float(ours["map50"])], abs=0.005)


def test_other_networks_are_no_detectors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--to ultralytics is for model=yolo"):
        write(build(composed("model=fnn")["model"], DIGITS).eval(), "ultralytics", tmp_path / "model.pt")


def test_a_small_picture_is_enlarged_for_its_names() -> None:
    from litmus.inference.draw import drawn

    box = {"box": [10.0, 30.0, 50.0, 60.0], "label": "dog", "score": 0.9}
    large = np.asarray(drawn(Image.new("RGB", (64, 80)), [box], ("cat", "dog")), dtype=int)
    assert large.shape == (400, 320, 3)
    assert large[200, 50].sum() > 300, "the left edge of the frame"
    assert large[200, 120].sum() == 0, "what is inside can be seen"
    assert drawn(Image.new("RGB", (640, 480)), [box], ("cat", "dog")).size == (640, 480)
