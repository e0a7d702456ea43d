"""`litmus.load`: it predicts as `litmus predict` does, in a program of one's own."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn import WAYS
from helpers import ROOT
from PIL import Image

import litmus as package
from litmus.config.fit import kinds_of_model
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.spec import Boxes, Images

EARLIER = ROOT / "tests" / "earlier"
RUNS = sorted(path.parent.name for path in EARLIER.glob("*/config.yaml"))
TEXTS = ["a lovely film", "what a  waste\nof time", "", "good " * 400]
Litmus = Callable[..., tuple[str, str]]


@pytest.fixture(autouse=True)
def _images(tmp_path: Path) -> None:
    """Digits, and what no digit is."""
    (tmp_path / "drawn").mkdir()
    for i, way in enumerate(["black on white", "white on black", "black, ground transparent", "a photo of gray paper"]):
        WAYS[way](i, 0, 0).save(tmp_path / "drawn" / f"{i}.png")
    Image.effect_noise((90, 40), 80).convert("RGB").save(tmp_path / "drawn" / "noise.jpg")


def load(name: str) -> "package.inference.network.Network":
    return package.load(EARLIER / name)


def of_texts(name: str) -> bool:
    return name.endswith("-text_table")


def of_images(name: str) -> bool:
    return name.endswith(("-mnist", "-mnist_boxes"))


def printed(name: str, litmus: Litmus, *words: str) -> list[dict]:
    out, _ = litmus("predict", str(EARLIER / name), *words, "--json")
    predictions = [json.loads(line) for line in out.splitlines()]
    for prediction in predictions:
        prediction.pop("drawn", None)
    return predictions


def test_every_kind_of_network_is_among_the_runs() -> None:
    kinds = [kinds_of_model(RunDir(EARLIER / name).read_config()["model"]["_target_"]) for name in RUNS]
    assert any(Boxes in kind.targets for kind in kinds)
    assert any(Images in kind.inputs for kind in kinds)
    assert any(of_texts(name) for name in RUNS)


@pytest.mark.parametrize("name", [name for name in RUNS if of_texts(name) or of_images(name)])
def test_predict_gives_what_the_command_prints(name: str, litmus: Litmus, tmp_path: Path) -> None:
    net = load(name)
    if of_texts(name):
        expected, given = printed(name, litmus, *TEXTS), TEXTS
    else:
        paths = sorted((tmp_path / "drawn").iterdir())
        words = ["--out", "boxes", "--min-score", "0.001"] if "yolo" in name else []
        expected, given = printed(name, litmus, *map(str, paths), *words), paths
    options = {"min_score": 0.001} if "yolo" in name else {}
    assert net.predict(given, **options) == expected
    assert net.predict(tuple(given), **options) == expected
    one = net.predict(given[0], **options)
    assert one.keys() == expected[0].keys()
    assert one.get("label") == expected[0].get("label")


@pytest.mark.parametrize("name", ["cnn-mnist", "lstm-text_table"])
def test_probabilities_are_those_of_predict_in_the_order_of_the_names(name: str, tmp_path: Path) -> None:
    net = load(name)
    given = TEXTS[:2] if of_texts(name) else sorted((tmp_path / "drawn").iterdir())
    rows = net.predict_proba(given)
    assert rows.dtype == np.float32
    assert rows.shape == (len(given), len(net.names))
    assert rows.sum(axis=1) == pytest.approx(np.ones(len(given)))
    for row, prediction in zip(rows, net.predict(given), strict=True):
        assert net.names[row.argmax()] == prediction["label"]
        for label, probability in prediction["probabilities"].items():
            assert row[net.names.index(label)] == pytest.approx(probability)
    assert net.predict_proba(given[0]) == pytest.approx(rows[0], abs=1e-6)
    assert net.predict_proba([]).shape == (0, len(net.names))
    assert net.predict([]) == []


def test_an_image_is_the_same_as_a_path_in_pillow_and_as_an_array(tmp_path: Path) -> None:
    net = load("cnn-mnist")
    for path in sorted((tmp_path / "drawn").glob("*.png")):
        with Image.open(path) as image:
            several = [str(path), path, image, image.copy(), np.asarray(image)]
            found = net.predict([*several])
        assert [prediction["image"] for prediction in found[2:]] == ["image 2", "image 3", "image 4"]
        assert len({json.dumps(prediction["probabilities"]) for prediction in found}) == 1
    assert net.predict(np.zeros((28, 28), np.uint8), topk=2)["image"] == "image 0"
    assert len(net.predict(np.zeros((28, 28), np.uint8), topk=2)["probabilities"]) == 2


def test_a_turned_photo_is_turned_upright_in_pillow_too(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open("drawn/0.png").transpose(Image.Transpose.ROTATE_90).save("turned.png", exif=exif)
    net = load("cnn-mnist")
    upright, from_file, from_pillow = net.predict([Image.open("drawn/0.png"), "turned.png", Image.open("turned.png")])
    assert upright["probabilities"] == from_file["probabilities"] == from_pillow["probabilities"]


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("cnn-mnist", "nowhere.png", "nowhere.png cannot be read (No such file or directory)."),
        ("cnn-mnist", ["drawn/0.png", "text.png"], "text.png is not an image that Pillow can read."),
        ("cnn-mnist", np.zeros((28, 28)), "not float64 of shape (28, 28)."),
        ("cnn-mnist", np.zeros((3, 28, 28), np.uint8), "not uint8 of shape (3, 28, 28)."),
        ("cnn-mnist", np.zeros((0, 28), np.uint8), "not uint8 of shape (0, 28)."),
        ("cnn-mnist", [3], "This network takes images: paths, images of Pillow, or arrays, not int."),
        ("cnn-mnist", Image.new("F", (9, 9)), "image 0 cannot be used (its pixels are numbers without a known range)."),
        ("lstm-text_table", Path("x.txt"), "This network takes texts, which are strings, not pathlib."),
        ("lstm-text_table", [None], "This network takes texts, which are strings, not NoneType."),
    ],
)
def test_what_cannot_be_predicted_is_said(name: str, given: object, said: str, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(UserError, match=re.escape(said)):
        load(name).predict(given)


def test_what_has_no_probabilities_is_said() -> None:
    with pytest.raises(UserError, match="scores, which are no probabilities"):
        load("perceptron-mnist").predict_proba("drawn/0.png")
    with pytest.raises(UserError, match="predicts boxes, which have no probabilities"):
        load("yolo-mnist_boxes").predict_proba("drawn/0.png")
    with pytest.raises(UserError, match="no probabilities for an empty text"):
        load("lstm-text_table").predict_proba(["good", " "])


@pytest.mark.parametrize(
    ("run", "said"), [("nowhere", "There is no folder nowhere."), ("drawn", "is not a run folder")]
)
def test_a_folder_that_is_no_run_is_said(run: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        package.load(run)


@pytest.mark.usefixtures("imagenet")
def test_pretrained_weights_by_their_name(litmus: Litmus) -> None:
    net = package.load("resnet18")
    assert net.spec.data == "imagenet"
    printed, _ = litmus("predict", "--model", "resnet18", "drawn/0.png", "--json")
    assert net.predict("drawn/0.png") == json.loads(printed)
    with pytest.raises(UserError, match=r"There is no folder resnet19. Did you mean resnet18\?"):
        package.load("resnet19")
    Path("resnet18").mkdir()
    with pytest.raises(UserError, match="resnet18 is not a run folder"):
        package.load("resnet18")


def test_the_package_offers_load_and_nothing_else() -> None:
    assert package.__all__ == ["load"]
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        package.lode  # noqa: B018
    assert repr(load("cnn-mnist")) == "<Network: mnist, images to classes>"


CODE = """
import sys
import litmus
assert "torch" not in sys.modules
litmus.load("cnn").predict("drawn/0.png")
litmus.load("lstm").predict("a superb film")
assert "polars" not in sys.modules
litmus.load("table").predict({"area": 80, "rooms": 3, "sold": "2024-05-01", "garden": "yes", "district": "north"})
print("IMPORTED", *sorted({"lightning", "pytorch_lightning", "torchmetrics"} & set(sys.modules)))
"""


@pytest.mark.wide
def test_nothing_of_lightning_is_imported_and_nothing_is_printed(tmp_path: Path) -> None:
    shutil.copytree(EARLIER / "cnn-mnist", tmp_path / "cnn")
    shutil.copytree(EARLIER / "lstm-text_table", tmp_path / "lstm")
    shutil.copytree(EARLIER / "linear-table", tmp_path / "table")
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "IMPORTED"


def test_the_examples_of_the_documentation_run(tmp_path: Path) -> None:
    for name, run in (
        ("latest", "cnn-mnist"),
        ("detector", "yolo-mnist_boxes"),
        ("reviews", "lstm-text_table"),
        ("houses", "linear-table"),
        ("sunspots", "lstm-series"),
    ):
        shutil.copytree(EARLIER / run, tmp_path / "outputs" / name)
    shutil.copy("drawn/0.png", "digit.png")
    shutil.copy("drawn/noise.jpg", "street.jpg")
    shutil.copy(EARLIER / "houses.csv", "houses.csv")
    Path("newer.csv").write_text("\n".join(["SUNACTIVITY", *map(str, range(60))]))
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.DOTALL)
    assert len(examples) == 10
    exec("\n".join(examples), {})
