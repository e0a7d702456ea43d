"""Explanations: they add up, they beat chance, they are those of the network's own weights; every network has them."""

import copy
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from browsing import BROWSER, Browser
from helpers import DIGITS, ON_HOUSES, ON_TABLE, ON_WAVE, TINY
from PIL import Image
from scipy.stats import spearmanr
from torch import Tensor, nn

from litmus.cli.main import main
from litmus.config.explanation import MOST_ERROR, Explanation, Explanations, Heat, Importance, Importances, Part
from litmus.inference.explain.attribution import grad_cam, integrated_gradients, last_maps, occlusion, shapley_values
from litmus.inference.explain.images import GRAD_CAM, ImageExplainer
from litmus.inference.explain.texts import TextExplainer
from litmus.inference.forecast import OTHERS
from litmus.inference.load import load_run
from litmus.page.explanation import MOST_BARS, drawing_of
from litmus.record import explanations
from litmus.record.folder import RunDir
from litmus.run.samples import test_samples as samples_of

Train = Callable[..., RunDir]
Litmus = Callable[..., tuple[str, str]]
ON_DIGITS = ["trainer=cpu", "data=mnist", "data.source=bundled", "data.limit=2000", "task.baselines=false"]
FEW = ["trainer.max_epochs=2", "scheduler=none"]
NUM_DIGITS = 24
MARGIN = 0.1  # of the mean probability, by which an order beats a random one


def plain(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


class Squares(nn.Module):
    """Sum of w x^2, whose integrated gradients from 0 are w x^2 themselves."""

    weights = torch.tensor([1.0, -2.0, 0.5])

    def forward(self, x: Tensor) -> Tensor:
        return (self.weights * x.square()).sum(dim=1)


def test_integrated_gradients_of_a_formula() -> None:
    x = torch.tensor([[1.0, 2.0, -3.0]])
    found = integrated_gradients(Squares(), x, torch.zeros_like(x))
    assert found.values[0].tolist() == pytest.approx([1.0, -8.0, 4.5], rel=1e-3)
    assert (found.output, found.reference) == (pytest.approx(-2.5), 0.0)
    assert found.error <= MOST_ERROR


def test_shapley_values_of_a_formula() -> None:
    """Of a sum each column has its own term; of a product two columns share what neither does alone."""
    x, zero = torch.tensor([[1.0, 2.0, 3.0]]), torch.zeros(1, 3)
    of_sum = shapley_values(lambda rows: rows @ torch.tensor([1.0, 10.0, 0.0]), x, zero, torch.tensor([0, 1, 2]))
    assert of_sum.values.tolist() == pytest.approx([1.0, 20.0, 0.0])
    of_product = shapley_values(lambda rows: rows[:, 0] * rows[:, 1], x, zero, torch.tensor([0, 1, 1]))
    assert of_product.values.tolist() == pytest.approx([1.0, 1.0], abs=0.4), "32 permutations, half each way"
    assert float(of_product.values.sum()) == pytest.approx(2.0)


def test_occlusion_finds_what_is_seen() -> None:
    image = torch.zeros(1, 1, 8, 8)
    image[0, 0, 1:3, 5:7] = 1.0
    heat = occlusion(lambda x: x.sum(dim=(1, 2, 3)), image, torch.zeros_like(image), side=2)[0]
    assert float(heat[1:3, 5:7].min()) > 0
    assert float(heat[5:, :4].abs().max()) == 0


@pytest.fixture
def explained(trained: Train) -> Callable[[str], tuple[nn.Module, Tensor, ImageExplainer]]:
    """A network that reads digits, some that it reads right, and what explains it."""

    def made(model: str) -> tuple[nn.Module, Tensor, ImageExplainer]:
        run = trained(f"model={model}", *FEW, small=ON_DIGITS)
        samples = samples_of(run, run.read_config(), 300)
        net, inputs = samples.net, torch.cat(samples.inputs)
        targets = samples.data.targets("test")
        with torch.no_grad():
            is_right = net(inputs).argmax(dim=1) == targets[samples.numbers]
        assert float(is_right.float().mean()) > 0.8, "a network that learned nothing has nothing to explain"
        return net, inputs[is_right][:NUM_DIGITS], ImageExplainer(net)

    return made


def heats_of(explainer: ImageExplainer, inputs: Tensor, target: str | None = None) -> dict[str, list[np.ndarray]]:
    pixels = np.zeros((28, 28, 1), np.uint8)
    found: dict[str, list[np.ndarray]] = {}
    for row in range(len(inputs)):
        (own,) = explainer.explain_inputs(inputs[row : row + 1], pixels, str(row), target)
        for heat in own.heats:
            found.setdefault(heat.method, []).append(heat.values)
    return found


def curve(net: nn.Module, image: Tensor, order: np.ndarray, inserts: bool) -> float:
    """The mean probability of the class while pixels turn black in that order; or appear on black."""
    number = int(net(image[None])[0].argmax())
    black = image.min() + torch.zeros_like(image)
    steps = []
    for share in np.linspace(0, 1, 15):
        own = order[: round(share * len(order))]
        changed = (black if inserts else image).clone().reshape(-1)
        changed[own.copy()] = (image if inserts else black).reshape(-1)[own.copy()]
        steps.append(changed.reshape(image.shape))
    with torch.no_grad():
        return float(net(torch.stack(steps)).softmax(dim=1)[:, number].mean())


@pytest.mark.wide
@pytest.mark.parametrize("model", ["cnn", "fnn", "scratch"])
def test_they_find_what_the_answer_rests_on(model: str, explained: Callable) -> None:
    """Pixels that they put first destroy the answer sooner than others, and make it sooner (Petsiuk et al. 2018).

    Among those of the strokes alone, as black ones change nothing; of Grad-CAM, whose map is coarse, among all.
    """
    net, inputs, explainer = explained(model)
    generator = np.random.default_rng(0)
    with torch.no_grad():
        for method, heats in heats_of(explainer, inputs).items():
            deleted, inserted = [], []
            for image, heat in zip(inputs, heats, strict=True):
                stroke = np.flatnonzero((image > image.min()).numpy().ravel() | (method == GRAD_CAM))
                ours = stroke[np.argsort(-heat.ravel()[stroke], kind="stable")]
                chance = generator.permutation(stroke)
                deleted.append(curve(net, image, chance, False) - curve(net, image, ours, False))
                inserted.append(curve(net, image, ours, True) - curve(net, image, chance, True))
            assert np.mean(deleted) > MARGIN, method
            assert np.mean(inserted) > MARGIN, method


@pytest.mark.wide
@pytest.mark.parametrize("model", ["cnn", "fnn"])
def test_another_network_has_other_pictures(model: str, explained: Callable) -> None:
    """With random weights nothing of them is left (Adebayo et al. 2018): they are no edge detectors."""
    net, inputs, explainer = explained(model)
    answers = [str(int(number)) for number in net(inputs).argmax(dim=1)]
    other = copy.deepcopy(net)
    torch.manual_seed(3)
    for module in other.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.reset_parameters()
    strokes = (inputs > inputs.min()).numpy().reshape(len(inputs), -1)
    alike: dict[str, list[float]] = {"integrated gradients": [], "occlusion": []}
    for row, answer in enumerate(answers):
        ours = heats_of(explainer, inputs[row : row + 1], answer)
        theirs = heats_of(ImageExplainer(other), inputs[row : row + 1], answer)
        for method, found in alike.items():
            own, random = (each[method][0].ravel()[strokes[row]] for each in (ours, theirs))
            found.append(float(spearmanr(own, random).statistic))
    for method, found in alike.items():
        assert abs(np.mean(found)) < 0.25, (method, found)


@pytest.mark.parametrize("model", ["cnn", "fnn", "perceptron", "scratch"])
def test_images_add_up_and_repeat(model: str, trained: Train, litmus: Litmus) -> None:
    run = trained(f"model={model}", "trainer.max_epochs=1")
    Image.fromarray(np.pad(np.full((14, 4), 255, np.uint8), ((7, 7), (12, 12)))).save("one.png")
    out, _ = litmus("explain", str(run.path), "one.png", "--json")
    assert litmus("explain", str(run.path), "one.png", "--json") == (out, "")
    (found,) = plain(out)
    methods = {"integrated gradients", "occlusion", *([GRAD_CAM] if model == "cnn" else [])}
    assert set(found["heats"]) == methods
    assert all(np.array(heat).shape == (28, 28) for heat in found["heats"].values())
    added = np.array(found["heats"]["integrated gradients"]).sum()
    assert added == pytest.approx(found["output"] - found["reference"], rel=2 * MOST_ERROR)
    assert found["error"] <= MOST_ERROR
    assert {path.name for path in (run.path / "explained").iterdir()} == {"1.png", "explained.html"}
    other, _ = litmus("explain", str(run.path), "one.png", "--json", "--target", "3", "--out", "here")
    assert plain(other)[0]["answer"] == "3"
    assert Path("here", "explained.html").is_file()


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("model", ["lstm", "bert"])
def test_words_add_up_in_their_order(model: str, trained: Train, litmus: Litmus) -> None:
    run = trained(f"model={model}", *TINY.get(model, []), "trainer.max_epochs=1", small=ON_TABLE)
    text = "  a superb film,\nnot  at all boring "
    out, _ = litmus("explain", str(run.path), text, "--json")
    (found,) = plain(out)
    assert "".join(part["name"] for part in found["parts"]) == "".join(text.split())
    added = sum(part["value"] for part in found["parts"])
    assert added == pytest.approx(found["output"] - found["reference"], rel=MOST_ERROR, abs=1e-4)
    printed, _ = litmus("explain", str(run.path), text)
    assert "superb" in printed


@pytest.mark.usefixtures("tables")
def test_what_a_network_does_not_see_of_a_text_has_no_value(trained: Train) -> None:
    run = trained("model=lstm", *TINY.get("lstm", []), "model.max_length=5", "trainer.max_epochs=1", small=ON_TABLE)
    found = TextExplainer(load_run(run)).explain("one two three four five six seven", None)
    assert [part.name for part in found.parts] == ["one", "two", "three", "four", "five", "six seven"]
    assert found.parts[-1].value is None
    assert drawing_of(found).png()


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("target", ["price", "[price,rooms]"])
def test_columns_add_up(target: str, trained: Train, litmus: Litmus) -> None:
    run = trained("model=fnn", *TINY.get("fnn", []), f"data.target={target}", "trainer.max_epochs=1", small=ON_HOUSES)
    path = run.read_config()["data"]["path"]
    out, _ = litmus("explain", str(run.path), path, "--row", "3", "--json")
    (found,) = plain(out)
    assert found["input"] == "row 3"
    assert {part["name"] for part in found["parts"]} == set(load_run(run).spec.input.by_name())
    added = sum(part["value"] for part in found["parts"])
    assert added == pytest.approx(found["output"] - found["reference"], rel=MOST_ERROR)
    predicted = plain(litmus("predict", str(run.path), path, "--json")[0])[2]
    assert found["output"] == pytest.approx(predicted["values"]["price"], rel=1e-4)


@pytest.mark.usefixtures("tables")
def test_steps_add_up(trained: Train, litmus: Litmus) -> None:
    run = trained("model=lstm", *TINY.get("lstm", []), "trainer.max_epochs=1", small=ON_WAVE)
    out, _ = litmus("explain", str(run.path), run.read_config()["data"]["path"], "--json")
    (found,) = plain(out)
    assert found["parts"][-1]["name"].endswith("t")
    added = sum(part["value"] for part in found["parts"])
    assert added == pytest.approx(found["output"] - found["reference"], rel=MOST_ERROR, abs=1e-6)
    forecast = plain(litmus("predict", str(run.path), "--json")[0])[0]
    forecast = next(value for name, value in forecast.items() if name not in OTHERS)
    assert found["output"] == pytest.approx(forecast, rel=1e-4)


def test_a_run_s_own_samples_are_on_its_page(trained: Train, litmus: Litmus) -> None:
    run = trained("model=fnn", "trainer.max_epochs=1")
    out, _ = litmus("explain", str(run.path))
    assert "report.html#explanations" in out
    kept = explanations.read(run.path)
    assert kept is not None
    assert {each.truth for each in kept.samples} <= set(DIGITS.target.names)
    page = run.page.read_text(encoding="utf-8")
    assert page.count(", explained by ") == len(kept.samples)
    litmus("report", str(run.path))
    assert "Why it says so" in run.page.read_text(encoding="utf-8"), "also when it is made again"


@pytest.mark.usefixtures("tables")
def test_importances_name_the_column_that_decides(trained: Train, litmus: Litmus) -> None:
    rows = [f"{x / 7:.2f},{(x * 7) % 11 / 3:.2f},{'high' if x > 100 else 'low'}" for x in range(200)]
    Path("made.csv").write_text("\n".join(["amount,noise,class", *rows]), encoding="utf-8")
    words = ["data=table", "data.path=made.csv", "data.target=class", "trainer=cpu", "task.baselines=false"]
    run = trained("model=fnn", "trainer.max_epochs=8", small=words)
    out, _ = litmus("explain", str(run.path))
    kept = explanations.read(run.path)
    assert kept is not None
    assert kept.importances is not None
    first, second = kept.importances.columns
    assert first.name == "amount"
    assert first.mean > 0.2 > abs(second.mean)
    assert "gets worse when a column is shuffled" in out


@pytest.mark.skipif(BROWSER is None, reason="no browser is installed")
@pytest.mark.wide
def test_its_page_fits_a_telephone(trained: Train, litmus: Litmus, tmp_path: Path) -> None:
    run = trained("model=cnn", "trainer.max_epochs=1")
    litmus("explain", str(run.path))
    browser = Browser(tmp_path / "browser")
    try:
        browser.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
        browser.open(run.page.as_uri())
        browser.wait_for("document.readyState == 'complete'")
        assert browser.value("document.documentElement.scrollWidth") <= 390
    finally:
        browser.close()


def test_many_columns_are_summed_up_in_a_picture() -> None:
    parts = [Part(f"column {i}", "", float(i - 20)) for i in range(40)]
    found = Explanation("row 1", "yes", {}, 1.0, 0.0, "others", "Shapley values", 0.0, "row", parts)
    drawing = drawing_of(found)
    assert drawing.svg().count("<rect") == MOST_BARS
    assert f"{40 - MOST_BARS + 1} others" in drawing.svg()


def whole() -> Explanations:
    pixels = np.zeros((4, 4, 1), np.uint8)
    image = Explanation(
        "a.png",
        "7",
        {},
        1.0,
        0.5,
        "black",
        "occlusion",
        None,
        heats=[Heat("occlusion", np.ones((4, 4), np.float32))],
        pixels=pixels,
        box=(0.0, 0.0, 2.0, 2.0),
    )
    text = Explanation(
        "fine",
        "good",
        {},
        2.0,
        0.5,
        "padding",
        "integrated gradients",
        0.001,
        "text",
        [Part("fine", "", 1.5), Part("cut", "", None)],
        truth="bad",
        notes=["odd"],
    )
    return Explanations([image, text], Importances("accuracy", 0.9, 30, [Importance("x", 0.2, 0.01)]))


def test_what_is_kept_is_what_is_read(tmp_path: Path) -> None:
    explanations.write(tmp_path, whole())
    found = explanations.read(tmp_path)
    assert found is not None
    assert found.importances == whole().importances
    for own, other in zip(found.samples, whole().samples, strict=True):
        assert own.to_plain() == other.to_plain()
        assert (own.truth, own.kind, own.said) == (other.truth, other.kind, other.said)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("words", b"[]"),
        ("words", b'{"samples": [{}], "importances": null}'),
        ("pixels-0", np.zeros((4, 4), np.uint8)),
        ("pixels-0", np.zeros((4, 4, 2), np.uint8)),
        ("pixels-0", np.zeros((4, 4, 1), np.float32)),
        ("heat-0-0", np.full((4, 4), np.nan, np.float32)),
        ("heat-0-0", np.ones(4, np.float32)),
        ("heat-0-0", None),
    ],
    ids=str,
)
def test_a_damaged_file_is_said_and_not_shown(
    name: str, content: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    explanations.write(tmp_path, whole())
    path = tmp_path / explanations.FILE
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files}
    arrays[name] = np.frombuffer(content, np.uint8) if isinstance(content, bytes) else content
    np.savez_compressed(path, **{key: own for key, own in arrays.items() if own is not None})
    assert explanations.read(tmp_path) is None
    assert "is damaged, and not shown" in caplog.text


def test_a_file_that_unpacks_to_too_much_is_not_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("words.npy", bytes(explanations.LARGEST + 1))
    (tmp_path / explanations.FILE).write_bytes(content.getvalue())
    assert explanations.read(tmp_path) is None
    assert "is damaged" in caplog.text


def test_grad_cam_needs_maps(digits: object) -> None:
    dense = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    assert last_maps(dense, torch.zeros(1, 1, 4, 4)) is None
    maps = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 2))
    layer = last_maps(maps, torch.zeros(1, 1, 4, 4))
    assert layer is maps[1]
    heat = grad_cam(lambda x: maps(x)[:, 0], torch.rand(1, 1, 4, 4), layer)
    assert heat.shape == (4, 4)
    assert float(heat.min()) >= 0


@pytest.mark.parametrize("model", ["cnn", "fnn", "scratch", "linear"])
def test_images_that_excite_a_unit_most(model: str, trained: Train, litmus: Litmus) -> None:
    run = trained(f"model={model}", "trainer.max_epochs=1")
    out, _ = litmus("filters", str(run.path), "--json")
    found = plain(out)
    samples = samples_of(run, run.read_config(), 2000)
    first = next(iter(samples.net.parameters()))
    units = {"cnn": first.shape[0], "linear": 10}.get(model, 128)
    assert [unit["unit"] for unit in found] == list(range(units))
    assert all(unit["outputs"] == sorted(unit["outputs"], reverse=True) for unit in found)
    layer = samples.net.get_submodule(found[0]["layer"])
    given = {}
    handle = layer.register_forward_hook(lambda _, __, output: given.update(output=output.detach()))
    with torch.no_grad():
        samples.net(torch.cat(samples.inputs))
    handle.remove()
    own = given["output"].flatten(2).amax(dim=2) if model == "cnn" else given["output"]
    assert found[3]["outputs"][0] == pytest.approx(float(own[:, 3].max()), rel=1e-5)
    assert {path.name for path in (run.path / "filters").iterdir()} == {"filters.html", "filters.png"}


@pytest.mark.usefixtures("tables")
def test_filters_are_of_networks_that_see_images(trained: Train) -> None:
    run = trained("model=fnn", "trainer.max_epochs=1", small=ON_HOUSES)
    with pytest.raises(SystemExit, match="was trained on columns: litmus filters shows networks that see images"):
        main(["filters", str(run.path)])
    digits = trained("model=fnn", "trainer.max_epochs=1", folder="digits")
    with pytest.raises(SystemExit, match=r"--layer haed: there is no such layer. Did you mean head\?"):
        main(["filters", str(digits.path), "--layer", "haed"])
