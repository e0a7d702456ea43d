"""The same FNN or CNN in Keras: `python bench/_keras.py fnn FOLDER [bf16]` prints the seconds of its second epoch.

Stands alone, because TensorFlow lives in an environment of its own.
"""

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

if sys.argv[3:] == ["bf16"]:  # before layers are made
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
NETS = {
    "fnn": [
        keras.layers.Flatten(),
        keras.layers.Dense(128, "relu"),
        keras.layers.Dense(64, "relu"),
        keras.layers.Dense(10),
    ],
    "cnn": [
        keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(64, "relu"),
        keras.layers.Dense(10),
    ],
}


def main(name: str, folder: str) -> None:
    images = np.frombuffer(Path(folder, "train-images-idx3-ubyte").read_bytes(), np.uint8, offset=16)
    labels = np.frombuffer(Path(folder, "train-labels-idx1-ubyte").read_bytes(), np.uint8, offset=8)
    inputs = images.reshape(-1, 28, 28, 1).astype("float32") / 255
    net = keras.Sequential([keras.Input((28, 28, 1)), *NETS[name]])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile("adam", loss, metrics=["accuracy"])
    net.fit(inputs, labels, batch_size=128, epochs=1, verbose=0)
    started = time.perf_counter()
    net.fit(inputs, labels, batch_size=128, epochs=1, verbose=0)
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(*sys.argv[1:3])
