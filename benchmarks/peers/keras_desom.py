"""The published map of spectra in Keras: milliseconds per spectrum to encode and to train, as JSON lines.

It needs nothing of mangrove, and runs in an environment of its own (keras-requirements.txt):

    python keras_desom.py            all figures
    python keras_desom.py requests   a figure for each line such as 'train 32' of standard input, until it ends
"""

import json
import os
import statistics
import sys
import time
from functools import cache

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

N_WAVE, N_FILTER, KERNEL, N_LATENT, DEPTH = 4544, 64, 6, 256, 4
SIDE, GAMMA, TEMPERATURE, LEARNING_RATE = 15, 5e-4, 3.0, 5e-5
BATCHES = (32, 128)
#: Spectra per timing.
N_TIMED = {"encode": 1024, "train": 256}


class Map(layers.Layer):
    """The map's part of the loss: gamma times the weighted squared distances to the prototypes."""

    def build(self, _) -> None:
        self.prototypes = self.add_weight(shape=(SIDE**2, N_LATENT), name="prototypes")
        row, column = np.divmod(np.arange(SIDE**2), SIDE)
        grid = np.abs(row[:, None] - row) + np.abs(column[:, None] - column)
        self.weights_of_node = tf.constant(np.exp(-((grid / TEMPERATURE) ** 2)), tf.float32)

    def call(self, z):
        squares = tf.reduce_sum(z**2, 1)[:, None] + tf.reduce_sum(self.prototypes**2, 1)
        distances = squares - 2.0 * tf.matmul(z, self.prototypes, transpose_b=True)
        weights = tf.stop_gradient(tf.gather(self.weights_of_node, tf.argmin(distances, 1)))
        self.add_loss(GAMMA * tf.reduce_mean(tf.reduce_sum(weights * distances, 1)))
        return z


def leaky(x):
    """The activation of the paper."""
    return layers.LeakyReLU(negative_slope=0.1)(x)


def networks() -> tuple[keras.Model, keras.Model]:
    """Encoder, and autoencoder with the map's loss, ready to train."""
    spectra = x = keras.Input((N_WAVE, 1))
    for _ in range(DEPTH):
        x = layers.MaxPooling1D(2)(leaky(layers.Conv1D(N_FILTER, KERNEL, padding="same")(x)))
    z = leaky(layers.Dense(N_LATENT)(layers.Flatten()(x)))
    y = leaky(layers.Dense(x.shape[1] * x.shape[2])(Map()(z)))
    y = layers.Reshape(x.shape[1:])(y)
    for _ in range(DEPTH):
        y = leaky(layers.Conv1D(N_FILTER, KERNEL, padding="same")(layers.UpSampling1D(2)(y)))
    autoencoder = keras.Model(spectra, layers.Conv1D(1, 1)(y))
    autoencoder.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss="mse")
    return keras.Model(spectra, z), autoencoder


class Timings:
    """Both networks on random spectra; the first call of a kind compiles and is not timed."""

    def __init__(self) -> None:
        encoder, self._autoencoder = networks()
        self._encode = tf.function(lambda spectra: encoder(spectra, training=False))

    def milliseconds(self, what: str, batch: int) -> float:
        """Median time per spectrum of 'encode' or 'train'."""
        call, repeats = self._call(what, batch), max(1, N_TIMED[what] // batch)
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        return 1000 * statistics.median(times) / batch

    @cache  # noqa: B019 (lives as long as the program)
    def _call(self, what: str, batch: int):
        spectra = np.random.default_rng(0).normal(1.0, 0.1, (batch, N_WAVE, 1)).astype(np.float32)
        on_device = tf.constant(spectra)

        def call() -> None:
            if what == "encode":
                self._encode(on_device).numpy()
            else:
                self._autoencoder.train_on_batch(on_device, on_device)

        call()
        call()
        return call


def tell(timings: Timings, what: str, batch: int) -> None:
    """Print one figure."""
    row = {"metric": what, "batch": batch, "value": timings.milliseconds(what, batch), "unit": "ms per spectrum"}
    print(json.dumps(row), flush=True)


def main() -> None:
    """All figures, or those that are asked for."""
    timings = Timings()
    if sys.argv[1:] == ["requests"]:
        for line in sys.stdin:
            what, batch = line.split()
            tell(timings, what, int(batch))
        return
    for batch in BATCHES:
        for what in N_TIMED:
            tell(timings, what, batch)


if __name__ == "__main__":
    main()
