"""The autoencoder of line cubes in Keras: seconds per cube and training step, and peak memory, as JSON lines.

It needs nothing of mangrove, and runs in an environment of its own (keras-requirements.txt):

    python keras_convlstm.py            all figures
    python keras_convlstm.py requests   a figure for each line such as 'train 95' of standard input, until it ends

It leaves out what costs next to nothing: the augmentation, the flux scale beside the latents, the principal components.
"""

import json
import os
import resource
import statistics
import sys
import time
from functools import cache

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

SIDE, KERNEL, INPUT_FILTERS, FILTERS = 32, 3, (8, 8), (16, 32, 64)
DENSE, N_LATENT, N_CODE, LEARNING_RATE, BATCH = 64, 128, 16, 0.01, 16
CHANNELS, N_TIMED = (95, 190), 2


class Codes(layers.Layer):
    """Adds what becomes of the code of each slice: (n, 1, dense) to (n, slice, dense)."""

    def __init__(self, n_slice: int) -> None:
        super().__init__()
        self._n_slice, self._dense = n_slice, layers.Dense(DENSE)

    def build(self, _) -> None:
        self.code = self.add_weight(shape=(self._n_slice, N_CODE), name="code", initializer="random_normal")
        self._dense.build((self._n_slice, N_CODE))

    def call(self, hidden):
        return keras.activations.elu(hidden + self._dense(self.code)[None])


def convolution(x, n_filter: int):
    """A linear convolution of single slices."""
    return layers.Conv2D(n_filter, KERNEL, padding="same")(x)


def network(n_slice: int) -> keras.Model:
    """The autoencoder, ready to train."""
    cubes = keras.Input((n_slice, SIDE, SIDE, 1))
    x = ops.reshape(cubes, (-1, SIDE, SIDE, 1))
    for n_filter in INPUT_FILTERS:
        x = convolution(x, n_filter)
    x = ops.reshape(x, (-1, n_slice, SIDE, SIDE, INPUT_FILTERS[-1]))
    for n_filter in FILTERS:
        x = layers.ConvLSTM2D(n_filter, KERNEL, padding="same", return_sequences=True)(x)
        x = layers.MaxPooling3D((1, 2, 2))(x)
    deepest = x.shape[2:]
    z = layers.Dense(N_LATENT)(layers.Dense(DENSE)(layers.Flatten()(x)))
    hidden = Codes(n_slice)(layers.Reshape((1, DENSE))(layers.Dense(DENSE)(z)))
    y = ops.reshape(layers.Dense(int(np.prod(deepest)))(hidden), (-1, *deepest))
    for n_filter in (*FILTERS[-2::-1], 1):
        y = convolution(layers.UpSampling2D(2)(keras.activations.elu(y)), n_filter)
    autoencoder = keras.Model(cubes, ops.reshape(y, (-1, n_slice, SIDE, SIDE, 1)))
    autoencoder.compile(optimizer=keras.optimizers.Adagrad(LEARNING_RATE), loss="mse")
    return autoencoder


@cache
def training(n_slice: int):
    """A function that takes one step; the first calls compile and are not timed."""
    cubes = np.random.default_rng(0).normal(size=(BATCH, n_slice, SIDE, SIDE, 1)).astype(np.float32)
    autoencoder, on_device = network(n_slice), tf.constant(cubes)

    def step() -> None:
        autoencoder.train_on_batch(on_device, on_device)

    step()
    return step


def seconds(n_slice: int) -> float:
    """Median time per cube of a training step."""
    step, times = training(n_slice), []
    for _ in range(N_TIMED):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times) / BATCH


def tell(what: str, n_slice: int) -> None:
    """Print one figure; 'memory' is the peak of this process so far."""
    if what == "train":
        value, unit = seconds(n_slice), "s per cube"
    else:
        training(n_slice)
        value = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
        unit = "GB"
    print(json.dumps({"metric": what, "channels": n_slice, "value": value, "unit": unit}), flush=True)


def main() -> None:
    """All figures, or those that are asked for."""
    if sys.argv[1:] == ["requests"]:
        for line in sys.stdin:
            what, n_slice = line.split()
            tell(what, int(n_slice))
        return
    for n_slice in CHANNELS:
        for what in ("train", "memory"):
            tell(what, n_slice)


if __name__ == "__main__":
    main()
