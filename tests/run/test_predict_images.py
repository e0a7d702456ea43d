"""`litmus predict` on images, by a run's network or a pretrained one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import ON_PHOTOS
from PIL import Image

from litmus.cli.main import main
from litmus.data.image import decode
from litmus.data.image.transform import Normalize
from litmus.inference.load import load_pretrained, load_run
from litmus.record.checkpoint import load_checkpoint
from litmus.record.folder import RunDir
from litmus.run.build import prepare

Train = Callable[..., RunDir]
Litmus = Callable[..., tuple[str, str]]
PHOTOS = [*ON_PHOTOS, "trainer.max_epochs=4"]


@pytest.mark.usefixtures("photos")
def test_photos_are_learned_and_named(train: Train, tmp_path: Path, litmus: Litmus) -> None:
    run = train("model=cnn", "task.balanced=true", small=PHOTOS)
    result = run.read_result()
    assert result["status"] == "finished", result["error"]
    assert result["metrics"]["test/acc"] == 1.0
    assert result["dataset"]["sha256"]["photos"]
    (tmp_path / "photos" / "notes.txt").write_text("x")
    out, _ = litmus("predict", str(run.path), "photos/red/1.png", "photos/blue", "photos/gr*/*.png", "--json")
    answers = [json.loads(line) for line in out.splitlines()]
    assert len(answers) == 41
    assert all(answer["label"] == Path(answer["image"]).parent.name for answer in answers)
    assert next(iter(answers[0]["probabilities"])) == "red"
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1.0)
    for option, value in (("--min-score", "0.5"), ("--out", "drawn")):
        with pytest.raises(SystemExit, match=f"{option} supports only .*networks that predict bounding boxes") as ended:
            main(["predict", str(run.path), "photos/red/1.png", option, value])
        assert ("images' paths: litmus predict RUN list.csv --column NAME" in str(ended.value)) is (option == "--out")
    (tmp_path / "list.csv").write_text("file\nphotos/red/1.png\nphotos/blue/1.png\n")
    litmus("predict", str(run.path), "list.csv", "--column", "file", "--out", "answers.csv")
    rows = (tmp_path / "answers.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in rows[1:]] == [["photos/red/1.png", "red"], ["photos/blue/1.png", "blue"]]
    out, _ = litmus("predict", str(run.path), "photos/red/1.png", "--topk", "2")
    header, _, table = out.partition("importing PyTorch ...\n")
    assert header.startswith("model=")
    assert table.split()[:6] == ["image", "label", "probability", "photos/red/1.png", "red", table.split()[5]]
    assert len(table.strip().splitlines()) == 3


@pytest.mark.usefixtures("photos")
def test_scores_of_a_network_without_probabilities_are_not_called_so(train: Train, litmus: Litmus) -> None:
    run = train("model=perceptron", small=PHOTOS)
    out, _ = litmus("predict", str(run.path), "photos/red/1.png", "--json")
    answer = json.loads(out)
    net = load_run(run)
    with torch.no_grad():
        photo = torch.from_numpy(decode.read(Path("photos/red/1.png"), net.spec.input).pixels)[None]
        outputs = net(Normalize(net.spec.input, None, torch.device("cpu"))(photo, torch.Generator(), 1, slice(None)))
    expected = dict(zip(net.spec.target.names, outputs[0].tolist(), strict=True))
    assert "probabilities" not in answer
    assert answer["scores"] == pytest.approx(expected)
    assert list(answer["scores"]) == sorted(expected, key=expected.__getitem__, reverse=True)
    table = litmus("predict", str(run.path), "photos/red/1.png")[0].partition("importing PyTorch ...\n")[2]
    assert table.split()[:3] == ["image", "label", "score"]


@pytest.mark.usefixtures("photos")
def test_what_is_no_image_is_said_and_the_others_are_done(train: Train, tmp_path: Path, litmus: Litmus) -> None:
    run = train("model=fnn", "trainer.max_epochs=1", small=PHOTOS)
    (tmp_path / "text.jpg").write_text("hello")
    out, err = litmus("predict", str(run.path), "text.jpg", "photos/red/1.png", "nowhere.png", "--json", status=1)
    first, second, third = (json.loads(line) for line in out.splitlines())
    assert "is not an image" in first["error"]
    assert "label" in second
    assert "cannot be read" in third["error"]
    assert "text.jpg is not an image" in err
    assert "nowhere.png cannot be read" in err
    with pytest.raises(SystemExit, match="There are no images in nothing"):
        main(["predict", str(run.path), "nothing/*.png"])
    (tmp_path / "empty").mkdir()
    out, err = litmus("predict", str(run.path), "photos/red/1.png", "typo/*.png", "empty", "--json", status=1)
    assert len(out.splitlines()) == 1
    assert "typo/*.png: there are no images in it." in err
    assert "empty: there are no images in it." in err


@pytest.mark.usefixtures("photos", "imagenet")
def test_pretrained_weights_name_images_without_a_run(litmus: Litmus) -> None:
    from torchvision.models import ResNet18_Weights

    words = ["predict", "--model", "resnet18", "photos/red/1.png", "photos/blue/2.png", "--json"]
    out, _ = litmus(*words)
    answers = [json.loads(line) for line in out.splitlines()]
    assert [Path(answer["image"]).parent.name for answer in answers] == ["red", "blue"]
    preset = ResNet18_Weights.DEFAULT
    with torch.no_grad():
        x = preset.transforms()(Image.open("photos/red/1.png"))[None]
        theirs = load_pretrained("resnet18")(x)[0].softmax(0).topk(5)
    ours = answers[0]["probabilities"]
    assert list(ours) == [preset.meta["categories"][i] for i in theirs.indices]
    assert list(ours.values()) == pytest.approx(theirs.values.tolist(), abs=1e-3)
    out, _ = litmus(*words, "--topk", "2")
    assert [len(json.loads(line)["probabilities"]) for line in out.splitlines()] == [2, 2]


@pytest.mark.usefixtures("photos", "hub_folder")
@pytest.mark.parametrize("name", ["resnet18", "yolo11n"])
def test_pretrained_weights_that_are_not_there_are_said_without_training_s_advice(name: str) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["predict", "--model", name, "photos/red/1.png"])
    said = str(refused.value.code)
    assert f"{name}: " in said
    assert ": no connection. Put the file there, or use a run" in said
    assert "model.weights" not in said


@pytest.mark.wide
@pytest.mark.usefixtures("photos", "coco")
def test_pretrained_weights_draw_boxes_without_a_run(tmp_path: Path, litmus: Litmus) -> None:
    words = ["predict", "--model", "yolo11n", "photos/red/1.png", "--min-score", "0"]
    out, _ = litmus(*words, "--json")
    answer = json.loads(out)
    assert answer["boxes"][0]["label"].startswith("thing ")
    assert Path(answer["drawn"]) == Path("predictions/1-boxes.png")
    beside = json.loads((tmp_path / "predictions" / "1-boxes.json").read_text())
    assert beside == {"image": "photos/red/1.png", "boxes": answer["boxes"]}
    litmus(*words)
    assert len(list((tmp_path / "predictions").iterdir())) == 2, "the same image is drawn in the same place"
    drawn = (tmp_path / "predictions" / "1-boxes.png").read_bytes()
    out, _ = litmus("predict", "--model", "yolo11n", "photos/blue/1.png", "--min-score", "0", "--json")
    assert Path(json.loads(out)["drawn"]).name == "1-boxes-2.png", "another one of that name in another place"
    assert (tmp_path / "predictions" / "1-boxes.png").read_bytes() == drawn


@pytest.mark.wide
@pytest.mark.usefixtures("imagenet")
def test_a_digit_is_predicted_as_it_was_trained_on(train: Train, tmp_path: Path, litmus: Litmus) -> None:
    """Stored in a size of its own, it is scaled to that of ImageNet's weights whole."""
    few = [
        "data.source=bundled",
        "data.limit=20",
        "data.limit_eval=20",
        "data.batch_size=8",
        "trainer=cpu",
        "trainer.max_epochs=1",
    ]
    run = train("model=resnet", "data=mnist", "model.train=head", small=few)
    net = load_run(run)
    data = prepare(run.read_config(), load_checkpoint(run.best))
    pixels, _ = data.stored("test")
    Image.fromarray(pixels[0, 0].numpy()).save(tmp_path / "digit.png")
    normalise = Normalize(net.spec.input, None, torch.device("cpu"))
    with torch.no_grad():
        ours = net(normalise(pixels[:1], torch.Generator(), 1, slice(None)))[0].softmax(0)
    out, _ = litmus("predict", str(run.path), "digit.png", "--topk", "10", "--json")
    found = json.loads(out)["probabilities"]
    assert [found[name] for name in net.spec.target.names] == pytest.approx(ours.tolist(), abs=5e-3)
