"""The same FNN or CNN in fastai: `python bench/_fastai.py fnn FOLDER` prints the seconds of its second epoch.

Stands alone, because fastai's versions may ask for an environment of its own.
"""

import sys
import time
from pathlib import Path

import fastai.callback.progress  # noqa: F401  # which gives a Learner `no_bar`
import numpy as np
import torch
from fastai.basics import CrossEntropyLossFlat, DataLoaders, Learner, accuracy
from torch import nn
from torch.utils.data import TensorDataset

NETS = {
    "fnn": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
    ),
    "cnn": lambda: nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(7 * 7 * 64, 64), nn.ReLU(), nn.Linear(64, 10)),
    ),
}


def main(name: str, folder: str) -> None:
    images = np.frombuffer(Path(folder, "train-images-idx3-ubyte").read_bytes(), np.uint8, offset=16)
    labels = np.frombuffer(Path(folder, "train-labels-idx1-ubyte").read_bytes(), np.uint8, offset=8)
    inputs = torch.from_numpy(images.reshape(-1, 1, 28, 28).astype("float32") / 255)
    targets = torch.from_numpy(labels.astype("int64"))
    train, few = TensorDataset(inputs, targets), TensorDataset(inputs[:128], targets[:128])
    loaders = DataLoaders.from_dsets(train, few, bs=128, device=torch.device("cpu"), num_workers=0)
    learner = Learner(loaders, NETS[name](), loss_func=CrossEntropyLossFlat(), metrics=accuracy)
    with learner.no_bar(), learner.no_logging():
        learner.fit(1)
        started = time.perf_counter()
        learner.fit(1)
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(*sys.argv[1:])
