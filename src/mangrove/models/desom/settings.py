"""How a map is designed and trained: settings from the params of a rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mangrove.errors import TrainingError
from mangrove.models.desom.autoencoders import FLOAT32, FingerprintArchitecture, SpectrumArchitecture
from mangrove.models.desom.grid import SomGrid
from mangrove.models.desom.input_scale import FLUX
from mangrove.models.desom.network import NONE, MapDesign
from mangrove.models.training.loop import TrainSettings

#: How the prototypes move: by Kohonen's batch rule, or by Adam on the loss, as published.
BATCH, GRADIENT = "batch", "gradient"
#: Loss weights by the S/N of a spectrum.
IVAR = "ivar"
#: Learning rates that fall.
COSINE = "cosine"
#: A linear path beside the autoencoder: principal components.
PCA = "pca"
_STEPS_PER_CALL, _VALIDATIONS = 50, 100


@dataclass(frozen=True)
class MapTraining:
    """How a map is trained; the published way of the map of spectra by default, but for the prototypes' rule.

    Attributes
    ----------
    update : {"batch", "gradient"}
        Prototypes move by Kohonen's batch rule, or by Adam on the loss.
    step : float
        Of the batch rule: part of the way to the weighted mean of the batch's latents.
    batch_size : int
        At most; all rows if there are fewer.
    iterations, cooling_iterations : int
        Steps of training with the map, and those of them in which the temperature falls.
    temperature_start, temperature_end : float
    gamma : float
        Weight of the map in the loss.
    learning_rate : float
        Of Adam.
    schedule : {"constant", "cosine"}
    pretraining : int
        Steps of the autoencoder alone, before the others.
    input_scale : {"flux", "asinh", "standard", "balanced"}
        See :class:`mangrove.models.desom.input_scale.InputScale`.
    loss_weights : {"none", "ivar"}
        Of the spectra: all alike, or by the square of the S/N up to 50.
    linear : {"none", "pca"}
        What runs beside the autoencoder: nothing, or principal components of the spectra that it sees, from which
        training then starts; see :class:`mangrove.models.desom.linear.LinearPath`.
    input_noise : float
        Noise added to what the encoder sees in training, never to what it is to give back, in units of the spectrum's
        own: flux over S/N.
    precision : {"float32", "bfloat16"}
        What the layers compute with.
    seed : int
    """

    update: str = BATCH
    step: float = 0.05
    batch_size: int = 128
    iterations: int = 65_000
    cooling_iterations: int = 50_000
    temperature_start: float = 15.0
    temperature_end: float = 0.7
    gamma: float = 5e-4
    learning_rate: float = 5e-5
    schedule: str = "constant"
    pretraining: int = 0
    input_scale: str = FLUX
    loss_weights: str = NONE
    linear: str = NONE
    input_noise: float = 0.0
    precision: str = FLOAT32
    seed: int = 1

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> "MapTraining":
        """The settings of a rule, from params that have the names of the configuration's keys.

        What a rule does not give is as published: a map of galaxies has no choices of scale, weights and precision.
        """
        own = {name: params[name] for name in cls.__dataclass_fields__ if name in params}
        moved = {"update": params["som_update"], "step": params.get("som_step", cls.step)}
        return cls(**own | moved)

    @property
    def n_step(self) -> int:
        """All steps, those before the map included."""
        return self.pretraining + self.iterations

    def loop(self, n_row: int) -> TrainSettings:
        """Settings of the training loop; the parameters of the last step are kept, when the map is cold."""
        batch_size = min(self.batch_size, n_row)
        epochs = -(-self.n_step // (n_row // batch_size))
        return TrainSettings(
            batch_size,
            steps=self.n_step,
            steps_per_call=_STEPS_PER_CALL,
            seed=self.seed,
            keep_best=False,
            checkpoint_calls=1,
            validation_batch=batch_size,
            validation_every=max(1, epochs // _VALIDATIONS),
        )


def spectrum_design(params: Mapping[str, Any], n_wave: int) -> MapDesign:
    """The map of spectra of a rule's params, see :meth:`MapTraining.from_params`.

    Raises
    ------
    TrainingError
        If the number of wavelengths cannot be halved by each convolution.
    """
    filters = tuple(params["filters"])
    if n_wave % 2 ** len(filters):
        raise TrainingError(
            f"{n_wave} wavelengths cannot be halved {len(filters)} times: set training_spectra.n_wave to a multiple of "
            f"{2 ** len(filters)}, or give desom.filters fewer entries."
        )
    architecture = SpectrumArchitecture(n_wave, filters, params["kernel"], params["latent"])
    return MapDesign(architecture, _grid(params), params["latent_scale"])


def fingerprint_design(params: Mapping[str, Any], shape: tuple[int, int]) -> MapDesign:
    """The map of galaxies of a rule's params, for fingerprints of a shape (rows, columns)."""
    architecture = FingerprintArchitecture(*shape, params["filters"], params["kernel"], params["latent"])
    return MapDesign(architecture, _grid(params))


def _grid(params: Mapping[str, Any]) -> SomGrid:
    return SomGrid(params["rows"], params["columns"], params["som_distance"])
