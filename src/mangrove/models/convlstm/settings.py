"""How an autoencoder of line cubes is designed and trained: settings from the params of a rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax

from mangrove.models.convlstm.design import FLOAT32, CubeDesign
from mangrove.models.training.loop import TrainSettings

MSE, MAE = "mse", "mae"
ADAGRAD, ADAM = "adagrad", "adam"
PCA = "pca"
#: Steps between two looks at their losses; of streamed cubes, three times so many batches are in memory.
_STEPS_PER_CALL = 10
#: What ``kl`` of the params stands for; what the data decide of a design.
_OF_KL, _OF_DATA = ("kl_weight", "kl_warmup"), ("n_line", "n_pixel", "side", "n_component")


@dataclass(frozen=True)
class CubeTraining:
    """How an autoencoder is trained.

    Attributes
    ----------
    linear : {"pca", "none"}
        Whether principal components of the training cubes run beside the network.
    loss : {"mse", "mae"}
        Mean square or absolute error, in the network's units.
    optimiser : {"adagrad", "adam"}
    learning_rate : float
    epochs : int
    batch_size : int
        At most; all rows if there are fewer, but for those that would leave the devices unequal shares.
    keep_best : bool
        Whether the epoch with the lowest validation loss is kept, not the last one.
    kl_weight : float
        Of the divergence (mean over latents) beside the reconstruction loss; for ``vae``.
    kl_warmup : int
        Epochs over which that weight rises from 0.
    precision : {"float32", "bfloat16"}
        What the layers compute with in training.
    seed : int
    """

    linear: str = PCA
    loss: str = MSE
    optimiser: str = ADAGRAD
    learning_rate: float = 0.01
    epochs: int = 30
    batch_size: int = 16
    keep_best: bool = True
    kl_weight: float = 0.0
    kl_warmup: int = 0
    precision: str = FLOAT32
    seed: int = 1

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> "CubeTraining":
        """The settings of a rule, from params that have the names of the configuration's keys.

        ``kl`` holds the weight of the divergence and its warm-up; it is empty for ``ae``, which has none. A setting that
        is missing is a KeyError: a default in its place would be trained with unnoticed.
        """
        own = {name: params[name] for name in cls.__dataclass_fields__ if name not in _OF_KL}
        weight, warmup = params["kl"] or (0.0, 0)
        return cls(**own, kl_weight=weight, kl_warmup=warmup)

    def batch(self, n_row: int) -> int:
        """Rows of a batch; of all rows, so many that the devices get equal shares."""
        if n_row >= self.batch_size:
            return self.batch_size
        return n_row - n_row % jax.device_count() or n_row

    def warmup_steps(self, n_row: int) -> int:
        """Steps over which the weight of the divergence rises."""
        return self.kl_warmup * (n_row // self.batch(n_row))

    def loop(self, n_row: int) -> TrainSettings:
        """Settings of the training loop."""
        return TrainSettings(
            self.batch(n_row),
            epochs=self.epochs,
            steps_per_call=_STEPS_PER_CALL,
            seed=self.seed,
            keep_best=self.keep_best,
            checkpoint_calls=1,
            validation_batch=self.batch(n_row),
            validate_start=self.linear == PCA,
        )


def cube_design(params: Mapping[str, Any], shape: tuple[int, int, int, int]) -> CubeDesign:
    """The network of a rule's params, for cubes of a shape (line, pixel, y, x); without principal components, which are
    found in the data. Every other size and option has to be among the params.

    Raises
    ------
    TrainingError
        If the image cannot be halved by each convolutional LSTM.
    """
    own = {name: params[name] for name in CubeDesign.__dataclass_fields__ if name not in _OF_DATA}
    n_line, n_pixel, side, _ = shape
    return CubeDesign.of_plain({**own, "n_line": n_line, "n_pixel": n_pixel, "side": side})
