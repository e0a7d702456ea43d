"""Runs of a detector: predicted and drawn boxes, evaluation, and export."""

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

from litmus.cli.main import main
from litmus.config.instantiate import build
from litmus.data.image.transform import Normalize
from litmus.data.yolo_dataset import YOLODataset
from litmus.errors import UserError
from litmus.inference.export.write import write
from litmus.inference.images import ImagePredictor
from litmus.inference.load import load_run
from litmus.record.folder import RunDir
from litmus.run.evaluate import evaluate as evaluate_run
from litmus.spec import Boxes, Images, Spec
from litmus.task.detection import MIN_SCORE, DetailedMetrics, corners

Train = Callable[..., RunDir]
Litmus = Callable[..., tuple[str, str]]
SMALL_SCENES = ["data.num_train=16", "data.num_val=8", "data.num_test=8", "data.size=64", "data.max_digits=2"]
YOLO = ["model=yolo", "data.source=bundled", *SMALL_SCENES, "data.max_size=40", "trainer=cpu", "trainer.max_epochs=1"]


class Sees:
    """A detector that sees the same two boxes in every image."""

    spec = SCENES

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape[1:] == (3, 64, 64)
        return x

    def parameters(self) -> list[torch.Tensor]:
        return [torch.zeros(1)]

    def boxes(self, answer: torch.Tensor, min_score: float, multi_label: bool) -> list[torch.Tensor]:
        assert not multi_label
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


@pytest.mark.wide
def test_a_detector_draws_what_it_sees(train: Train, tmp_path: Path, litmus: Litmus) -> None:
    from litmus.model import _ultralytics

    run = train(small=YOLO)
    assets = Path(sys.modules[_ultralytics.package().__name__].__file__).parents[1] / "assets"
    out, _ = litmus("predict", str(run.path), str(assets), "--min-score", "0", "--json")
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
    _, err = litmus("predict", str(run.path), "text.jpg", status=1)
    assert "text.jpg is not an image that Pillow can read" in err, "ultralytics has not changed how images are opened"
    with pytest.raises(SystemExit, match="--topk supports only networks that classify"):
        main(["predict", str(run.path), "text.jpg", "--topk", "2"])
    mine = tmp_path / "mine.jpg"
    mine.write_bytes((assets / "bus.jpg").read_bytes())
    litmus("predict", str(run.path), "mine.jpg", "--min-score", "0", "--out", ".")
    assert mine.read_bytes() == (assets / "bus.jpg").read_bytes()
    assert (tmp_path / "mine-boxes.jpg").is_file()
    table, _ = litmus("predict", str(run.path), str(assets / "bus.jpg"), "--min-score", "0.99", "--out", "seen")
    assert "nothing" in table
    assert (tmp_path / "seen" / "bus-boxes.jpg").is_file()


@pytest.mark.slow
def test_the_score_from_which_a_box_counts_is_stored_with_the_weights(
    train: Train, litmus: Litmus, caplog: pytest.LogCaptureFixture
) -> None:
    run = train(small=YOLO)
    content = torch.load(run.best, weights_only=True)
    assert load_run(run).min_score == content["min_score"] == 1.0, "nothing is right after one epoch"
    Image.new("RGB", (64, 64), "white").save(run.path / "white.png")
    torch.save({**content, "min_score": 0.002}, run.best)
    everything, _ = litmus("predict", str(run.path), str(run.path / "white.png"), "--min-score", "0", "--json")
    scores = [box["score"] for box in json.loads(everything)["boxes"]]
    cut = sorted(scores)[len(scores) // 2]
    torch.save({**content, "min_score": cut}, run.best)
    chosen, _ = litmus("predict", str(run.path), str(run.path / "white.png"), "--json")
    assert [box["score"] for box in json.loads(chosen)["boxes"]] == [score for score in scores if score > cut]
    table, _ = litmus("predict", str(run.path), str(run.path / "white.png"))
    assert f"boxes that score at least {cut:.3g}, which the run chose on its validation split" in table
    assert {"test/precision", "test/recall"} <= set(evaluate_run(run, run.read_config(), []))
    del content["min_score"]
    torch.save(content, run.best)  # as earlier versions wrote it
    assert not {"test/precision", "test/recall"} & set(evaluate_run(run, run.read_config(), []))
    assert "Precision and recall are left out" in caplog.text
    table, _ = litmus("predict", str(run.path), str(run.path / "white.png"))
    assert "boxes that score at least 0.25; --min-score changes it" in table


@pytest.mark.wide
@pytest.mark.parametrize("arch", ["yolo11n", pytest.param("yolo26n", marks=pytest.mark.slow)])
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


@pytest.mark.slow
def test_onnx_gives_the_network_s_own_boxes(detector: torch.nn.Module, tmp_path: Path) -> None:
    import onnxruntime

    write(detector, "onnx", tmp_path / "model.onnx", raw=True)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    x = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    (answer,) = session.run(None, {"images": x.numpy()})
    with torch.no_grad():
        ours = detector.boxes(detector(x), 0.1, True)
    theirs = detector.boxes(torch.from_numpy(answer), 0.1, True)
    assert all(len(own) for own in ours)
    for own, other in zip(ours, theirs, strict=True):
        assert torch.allclose(own, other, atol=1e-2)


@pytest.mark.slow
def test_the_yolo_command_measures_what_we_measure(detector: torch.nn.Module, tmp_path: Path) -> None:
    """Labels are a part of what the network sees: some of it is right, and some is not.

    One image: to a network of random weights all look nearly alike, and which of two equal scores comes first
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

    keys = {
        "val_share": 0.1,
        "test_share": 0.1,
        "limit": None,
        "limit_eval": None,
        "split_seed": None,
        "folds": None,
        "fold": None,
        "batch_size": 4,
        "eval_batch_size": 4,
    }
    data = YOLODataset(0, path=str(described), size=64, dir=str(tmp_path / "cache"), mosaic=0.0, flip=0.0, **keys)
    data.prepare_data()
    data.spec = detector.spec
    data.setup()
    pixels, targets = data.stored("test")
    x = Normalize(detector.spec.input, None, torch.device("cpu"))(pixels[:1], torch.Generator(), 1, slice(None))
    score = DetailedMetrics(lambda _: 0.5)
    with torch.no_grad():
        answer, raw = detector.predict_and_raw(x)
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
    # The package's area under the curve is one of trapezoids, with a zero at its end.
    assert found == pytest.approx([float(ours["map"]), float(ours["map50"])], abs=0.01)


def test_other_networks_are_no_detectors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--to ultralytics supports model=yolo only"):
        write(build(composed("model=fnn")["model"], DIGITS).eval(), "ultralytics", tmp_path / "model.pt")


def test_a_small_image_is_enlarged_for_its_names() -> None:
    from litmus.inference.draw import draw_boxes

    box = {"box": [10.0, 30.0, 50.0, 60.0], "label": "dog", "score": 0.9}
    large = np.asarray(draw_boxes(Image.new("RGB", (64, 80)), [box], ("cat", "dog")), dtype=int)
    assert large.shape == (400, 320, 3)
    assert large[200, 50].sum() > 300, "the left edge of the frame"
    assert large[200, 120].sum() == 0, "what is inside can be seen"
    assert draw_boxes(Image.new("RGB", (640, 480)), [box], ("cat", "dog")).size == (640, 480)
