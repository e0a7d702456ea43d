"""On a GPU of NVIDIA's: epochs against what one would write instead, and sweeps by how many jobs share it."""

import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

from bench import _rivals, _trainer, _vision_rivals
from bench._common import ROOT, alternate, asked, compose_config, markdown, median, ratios, spread, train
from bench.text_speed import labeled, snippets
from litmus.config.instantiate import build
from litmus.config.machine import num_cores
from litmus.trainer import device_name

REPEATS = 3
IMAGES, BATCH_SIZE = 60_000, 512  # of MNIST
WORKERS = 8  # of the rivals' loaders, at most
TEXT_BATCH_SIZE, TEXT_EPOCHS = 128, 2
ARCH, SIZE, YOLO_BATCH_SIZE, YOLO_EPOCHS = "yolo11n", 640, 16, 3
SCENES = ["data.num_train=1000", "data.num_val=64", "data.num_test=16"]
SQUARES = ["data.min_size=96", "data.max_size=256"]  # of digits, as large a part of a scene as in smaller ones
JOBS, SHARING = 64, (1, 2, 4, 8, 16)
HEAD = ("", "samples a second", "litmus is so many times as fast", "target")


def measure() -> str:
    """Empty, with a word on the screen, where there is no such GPU."""
    if not torch.cuda.is_available():
        print("bench gpu: skipped, because there is no GPU of NVIDIA's here.", file=sys.stderr)
        return ""
    parts = [_cnn(), _text(), _yolo(), _sweeps()]
    said = f"\n*{device_name('cuda')}, {torch.cuda.get_device_properties().total_memory / 1e9:.0f} GB.*\n"
    return "## On a GPU\n\n" + "\n".join(parts) + said


def _table(title: str, figures: dict[str, list[float]], rivals: Mapping[str, tuple[str, float]]) -> str:
    """Litmus first, then each rival with its name on the page and what is to be reached."""
    rows = [("litmus", spread(figures["litmus"], 0), "", "")]
    for name, (what, wanted) in rivals.items():
        times = median(ratios(figures["litmus"], figures[name]))
        aim = asked(f"at least {wanted:g}", times >= wanted) if wanted else ""
        rows.append((what, spread(figures[name], 0), f"{times:.2f}", aim))
    return f"### {title}\n\n" + markdown(HEAD, rows)


def _cnn(device: str = "gpu", words: Sequence[str] = ()) -> str:
    words = ["model=cnn", f"trainer={device}", f"data.batch_size={BATCH_SIZE}", "trainer.max_epochs=5", *words]
    data = build(compose_config("model=cnn", "data.source=auto")["data"], 0)
    data.prepare_data()
    if data.warning:
        sys.exit(f"The speed is measured on the whole of MNIST. {data.warning}")
    workers = min(WORKERS, num_cores())
    usual = partial(_rivals.usual_pipeline, data.folder, _rivals.cnn, batch_size=BATCH_SIZE, accelerator=device)
    plain, with_workers = usual(), usual(num_workers=workers)
    figures = alternate(
        {
            "litmus": lambda: float(train(*words)["samples_per_second"]),
            "workers": lambda: IMAGES / with_workers(),
            "plain": lambda: IMAGES / plain(),
        },
        REPEATS,
        "CNN",
    )
    rivals = {
        "workers": (f"Lightning, DataLoader with {workers} workers and pinned memory", 5),
        "plain": ("Lightning, DataLoader as it is by default", 0),
    }
    return _table(f"CNN on MNIST, batches of {BATCH_SIZE}", figures, rivals)


def _text(device: str = "gpu", words: Sequence[str] = (), limit: int | None = None) -> str:
    settings = [f"trainer={device}", f"data.batch_size={TEXT_BATCH_SIZE}", f"trainer.max_epochs={TEXT_EPOCHS}"]
    texts, labels = labeled(snippets(), "train")

    def rival() -> float:
        with redirect_stdout(io.StringIO()):  # it prints its metrics
            found = _trainer.train(
                (texts[:limit], labels[:limit]),
                None,
                None,
                padded=False,
                epochs=TEXT_EPOCHS,
                seed=0,
                batch_size=TEXT_BATCH_SIZE,
                use_cpu=device == "cpu",
            )
        return found["samples_per_second"]

    figures = alternate(
        {"litmus": lambda: float(train("model=bert", *settings, *words)["samples_per_second"]), "trainer": rival},
        REPEATS,
        "BERT",
    )
    rivals = {"trainer": ("Hugging Face's Trainer, dynamic padding, default settings", 2)}
    return _table(f"Fine-tuning MiniLM on film snippets, batches of {TEXT_BATCH_SIZE}", figures, rivals)


def _yolo(device: str = "gpu", size: int = SIZE, words: Sequence[str] = (*SCENES, *SQUARES)) -> str:
    own = ["model=yolo", f"trainer={device}", f"model.arch={ARCH}", f"data.size={size}", *words]
    own += [f"data.batch_size={YOLO_BATCH_SIZE}", f"trainer.max_epochs={YOLO_EPOCHS}"]
    data = build(compose_config(*own)["data"], 0)
    data.prepare_data()
    where = "cpu" if device == "cpu" else "0"

    with tempfile.TemporaryDirectory() as folder:
        described = _vision_rivals.on_disk(data, Path(folder))

        def rival() -> float:
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                found = _vision_rivals.train_ultralytics(
                    described, ARCH, size, YOLO_EPOCHS, 0, device=where, batch=YOLO_BATCH_SIZE
                )
                return found[0]

        figures = alternate(
            {"litmus": lambda: float(train(*own)["samples_per_second"]), "rival": rival}, REPEATS, "YOLO"
        )
    rivals = {"rival": ("Ultralytics' trainer, its default settings", 1)}
    return _table(f"{ARCH} on scenes of digits, {size} pixels, batches of {YOLO_BATCH_SIZE}", figures, rivals)


def _sweeps(device: str = "gpu", jobs: int = JOBS, sharing: Sequence[int] = SHARING) -> str:
    """How many jobs a minute finish, by how many share the GPU."""
    words = ["-m", "model=fnn", f"trainer={device}", "trainer.max_epochs=3", f"seed=range(0,{jobs})"]
    rates: dict[int, float] = {}
    for number in track(sharing, "sweeps", console=Console(stderr=True)):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            command = [
                sys.executable,
                "train.py",
                *words,
                f"sweep.jobs_per_gpu={number}",
                f"hydra.sweep.dir={folder}/s",
            ]
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            rates[number] = jobs / (time.perf_counter() - began) * 60
    rows = [(str(number), f"{rate:.1f}", f"{rate / rates[sharing[0]]:.2f}") for number, rate in rates.items()]
    best = max(rates, key=rates.__getitem__)
    head = ("sweep.jobs_per_gpu", "jobs a minute", f"times as many as with {sharing[0]}")
    return (
        f"### {jobs} jobs on one GPU: FNN on MNIST, three epochs\n\n"
        + markdown(head, rows)
        + f"\nThe most with `sweep.jobs_per_gpu={best}`.\n"
    )
