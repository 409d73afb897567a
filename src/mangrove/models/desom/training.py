"""Train a map: reconstruction plus the pull of the prototypes, whose neighbourhood shrinks."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from mangrove.errors import TrainingError
from mangrove.models.desom.autoencoders import FLOAT32, FingerprintArchitecture, SpectrumArchitecture
from mangrove.models.desom.input_scale import FLUX, InputScale
from mangrove.models.desom.model import DESOM, MapModel
from mangrove.models.desom.network import NONE, MapDesign, MapNetwork
from mangrove.models.desom.som import (
    SomGrid,
    batch_rule,
    descend_along,
    encodings_in_turn,
    map_loss,
    neighbourhood,
    squared_distances,
    temperature,
)
from mangrove.models.desom.training_set import TrainingSet
from mangrove.models.training.loop import Trained, TrainSettings, train

#: How the prototypes move: by Kohonen's batch rule, or by Adam on the loss, as published.
BATCH, GRADIENT = "batch", "gradient"
#: Loss weights by the S/N of a spectrum.
IVAR = "ivar"
#: S/N from which on a spectrum's weight grows no more.
_MOST_SNR = 50.0
#: Part of the way to the batch's mean and variance that those of the latents go in a step.
_STATISTICS_STEP = 0.02
_STEPS_PER_CALL, _CHECKPOINT_CALLS, _VALIDATIONS = 50, 20, 100


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
    input_scale : {"flux", "asinh", "standard"}
        See :class:`mangrove.models.desom.input_scale.InputScale`.
    loss_weights : {"none", "ivar"}
        Of the spectra: all alike, or by the square of the S/N up to 50.
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
            checkpoint_calls=_CHECKPOINT_CALLS,
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
    architecture = FingerprintArchitecture(*shape, filters=params["filters"], latent=params["latent"])
    return MapDesign(architecture, _grid(params))


def train_map(
    kind: str,
    design: MapDesign,
    settings: MapTraining,
    data: TrainingSet,
    folder: Path,
    provenance: Mapping[str, Any],
) -> tuple[MapModel, Trained]:
    """Train a map, write the model to ``folder/model``.

    Parameters
    ----------
    kind : {"desom", "galaxy_map"}
    design : MapDesign
    settings : MapTraining
    data : TrainingSet
    folder : Path
        Gets ``model``, ``metrics.jsonl`` and ``checkpoints``; a killed training goes on from these.
    provenance : mapping
        Plain values that say what the data are, to be kept with the model.

    Raises
    ------
    TrainingError
        If there are fewer rows than nodes or none for validation, or the training fails.
    """
    _demand_rows(kind, design, data)
    scale = InputScale.of(settings.input_scale, data.flux, data.masked)
    network = MapNetwork(design, scale, settings.precision)
    trained = train(
        map_training_loss(network, settings, snr_weights(settings, data.snr)),
        first_state(network, settings.seed, data.flux),
        optimiser(settings),
        data.rows,
        settings.loop(data.rows.n_row),
        folder,
        validation=data.validation,
        identity={"design": repr(design), "training": asdict(settings), **provenance},
        identify=data.names,
    )
    # Maps are used in float32 on every device.
    model = MapModel(
        kind,
        MapNetwork(design, scale),
        trained.params,
        data.wave,
        data.node_limit,
        {"settings": asdict(settings), **provenance},
    )
    model.save(folder / "model")
    return model, trained


def first_state(network: MapNetwork, seed: int, flux: np.ndarray) -> nnx.State:
    """Weights before training: prototypes on the encodings of the first fluxes, shape (n, ...), latents scaled by them."""
    state, n_node = network.first_state(seed), network.design.grid.n_node
    z = jax.jit(lambda state, flux: network.encode(state, network.scale.forward(flux)))(
        state, jnp.asarray(flux[:n_node])
    )
    state["prototypes"][...], state["latent_mean"][...], state["latent_variance"][...] = (
        z,
        z.mean(axis=0),
        z.var(axis=0),
    )
    return state


def snr_weights(settings: MapTraining, snr: np.ndarray):
    """A function from the S/N of spectra, shape (n,), to their weights in the loss, which are 1 on average.

    Parameters
    ----------
    settings : MapTraining
    snr : ndarray, shape (n_train,)
        Of all training spectra.
    """
    if settings.loss_weights != IVAR:
        return jnp.ones_like
    mean = float(np.mean(np.clip(snr, 0, _MOST_SNR) ** 2))
    return lambda snr: jnp.clip(snr, 0.0, _MOST_SNR) ** 2 / mean


def map_training_loss(network: MapNetwork, settings: MapTraining, weights_of):
    """Loss for :func:`mangrove.models.training.loop.train`: reconstruction plus gamma times the map's part.

    Rows without an S/N are held out: theirs is the reconstruction alone, which does not depend on the temperature. The
    batch rule and the running mean and variance of the latents enter as gradients of terms that are zero.

    Parameters
    ----------
    network : MapNetwork
    settings : MapTraining
    weights_of : callable
        See :func:`snr_weights`.
    """
    grid = jnp.asarray(network.design.grid.distances())

    def loss(params, batch, key, step):
        seen = network.scale.forward(batch["flux"])
        z = network.encode(params, seen)
        mse = _masked_mse(network.decode(params, z) - seen, batch["mask"] == 0)
        if "snr" not in batch:
            return mse.mean(), {"mse": mse.mean()}
        reconstruction = (weights_of(batch["snr"]) * mse).mean()
        with_map = step >= settings.pretraining
        prototypes = params["prototypes"][...]
        # The batch rule alone moves the prototypes; the encoder feels the loss either way.
        pulling = prototypes if settings.update == GRADIENT else jax.lax.stop_gradient(prototypes)
        distances = squared_distances(network.som_space(params, z), network.som_space(params, pulling))
        weights = neighbourhood(grid[distances.argmin(axis=1)], _temperature(settings, step))
        som = jnp.where(with_map, map_loss(distances, weights), 0.0)
        moves = settings.step * batch_rule(prototypes, z, weights) if settings.update == BATCH else 0.0
        rules = descend_along(prototypes, jnp.where(with_map, moves, encodings_in_turn(prototypes, z, step)))
        for name, value in (("latent_mean", z.mean(axis=0)), ("latent_variance", z.var(axis=0))):
            rules = rules + descend_along(params[name][...], params[name][...] - value)
        return reconstruction + settings.gamma * som + rules, {"mse": mse.mean(), "som": som}

    return loss


def optimiser(settings: MapTraining) -> optax.GradientTransformation:
    """Adam on the autoencoder; plain descent on what moves by rules of its own (see :func:`map_training_loss`).

    Under ``gradient`` the prototypes, once the autoencoder is trained alone, move by Adam too.
    """
    rate = settings.learning_rate
    if settings.schedule == "cosine":
        rate = optax.cosine_decay_schedule(rate, settings.n_step)
    prototypes = optax.sgd(1.0)
    if settings.update == GRADIENT:
        by_adam = optax.chain(optax.scale(-1.0), optax.adam(rate))
        prototypes = optax.chain(
            optax.scale(-1.0), optax.conditionally_transform(by_adam, lambda step: step >= settings.pretraining)
        )
    return optax.multi_transform(
        {"autoencoder": optax.adam(rate), "prototypes": prototypes, "latent": optax.sgd(_STATISTICS_STEP)}, _groups
    )


def _groups(params: nnx.State):
    """The transformation of each leaf, by the first name of its path."""
    return jax.tree_util.tree_map_with_path(lambda path, _: str(path[0].key).split("_")[0], params)


def _temperature(settings: MapTraining, step: jax.Array) -> jax.Array:
    cooled = partial(temperature, first=settings.temperature_start, last=settings.temperature_end)
    return cooled(step - settings.pretraining, n_step=settings.cooling_iterations)


def _masked_mse(residual: jax.Array, good: jax.Array) -> jax.Array:
    """Mean square over the good values of each row, shape (n,)."""
    within = tuple(range(1, residual.ndim))
    count = jnp.maximum(good.sum(axis=within), 1).astype(jnp.float32)
    return (jnp.where(good, residual, 0.0) ** 2).sum(axis=within) / count


def _grid(params: Mapping[str, Any]) -> SomGrid:
    return SomGrid(params["rows"], params["columns"], params["som_distance"])


def _demand_rows(kind: str, design: MapDesign, data: TrainingSet) -> None:
    what, n_node = "spectra" if kind == DESOM else "galaxies", design.grid.n_node
    if data.rows.n_row < n_node:
        raise TrainingError(
            f"{data.rows.n_row} {what} to train a map of {n_node} nodes: take at least as many, or set {kind}.rows and "
            f"{kind}.columns to smaller numbers."
        )
    if not data.validation.n_row:
        raise TrainingError(f"no {what} for validation: take more galaxies, or raise split.validation_fraction.")
