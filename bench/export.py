"""How many images a second an exported ResNet-18 answers, preprocessing included, on the CPU."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import openvino
import torch
from numpy.typing import NDArray

from bench._common import alternate, compose_config, markdown, median, ratios, spread
from litmus.config.instantiate import build
from litmus.inference.export.write import FORMATS, write
from litmus.spec import Classes, Images, Spec

COUNT = 30
REPEATS = 5
SIZE = (375, 500)  # height and width of a photo, in pixels
IMAGENET = Images(3, 224, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), resized=256)


def measure() -> str:
    net = build(
        compose_config("model=resnet", "model.weights=null")["model"], Spec("photos", IMAGENET, Classes(("a", "b")))
    )
    photos = np.random.default_rng(0).integers(0, 256, (COUNT, 1, *SIZE, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        paths = {form: Path(folder, form, FORMATS[form].file_name) for form in ("onnx", "openvino", "torch")}
        for form, path in paths.items():
            write(net.eval(), form, path)
        session = onnxruntime.InferenceSession(paths["onnx"])
        exact, fast = (
            openvino.compile_model(paths["openvino"] / "model.xml", "CPU", settings)
            for settings in ({"INFERENCE_PRECISION_HINT": "f32"}, {})
        )
        program = torch.export.load(paths["torch"]).module()
        with torch.inference_mode():
            figures = alternate(
                {
                    "onnxruntime": lambda: _per_second(lambda x: session.run(None, {"images": x}), photos),
                    "OpenVINO, float32": lambda: _per_second(lambda x: exact([x]), photos),
                    "OpenVINO, as it is set": lambda: _per_second(lambda x: fast([x]), photos),
                    "torch.export": lambda: _per_second(lambda x: program(torch.from_numpy(x)), photos),
                },
                REPEATS,
                "exported networks",
            )
    rows = [
        (name, spread(own, 1), f"{median(ratios(own, figures['onnxruntime'])):.2f}") for name, own in figures.items()
    ]
    head = ("", "images a second", "times onnxruntime")
    title = f"## Exported networks: ResNet-18 with its preprocessing, photos of {SIZE[1]} x {SIZE[0]} one by one\n\n"
    return title + markdown(head, rows)


def _per_second(run: Callable[[NDArray[np.uint8]], object], photos: NDArray[np.uint8]) -> float:
    start = time.perf_counter()
    for photo in photos:
        run(photo)
    return len(photos) / (time.perf_counter() - start)
