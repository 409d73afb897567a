"""Train a map by the one training loop."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from mangrove.errors import TrainingError
from mangrove.models.desom.input_scale import InputScale
from mangrove.models.desom.linear import LinearPath
from mangrove.models.desom.loss import map_training_loss, snr_weights
from mangrove.models.desom.model import DESOM, MapModel
from mangrove.models.desom.network import MapDesign, MapNetwork
from mangrove.models.desom.settings import COSINE, GRADIENT, PCA, MapTraining
from mangrove.models.desom.training_set import TrainingSet
from mangrove.models.training.loop import Trained, train

#: Part of the way to the batch's mean and variance that those of the latents go in a step.
_STATISTICS_STEP = 0.02
#: Validation rows that are asked how many components there should be.
_N_HELD_OUT = 4096


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
    if reason := scarcity(kind, design, data):
        raise TrainingError(f"{reason}.")
    scale = InputScale.of(settings.input_scale, data.flux, data.masked)
    linear = linear_path(scale, settings, data, design.architecture.latent) if settings.linear == PCA else None
    network = MapNetwork(design, scale, settings.precision, linear)
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
        MapNetwork(design, scale, linear=linear),
        trained.params,
        data.wave,
        data.node_limit,
        {"settings": asdict(settings), **provenance},
    )
    model.save(folder / "model")
    return model, trained


def linear_path(scale: InputScale, settings: MapTraining, data: TrainingSet, most: int) -> LinearPath:
    """The principal components of the sample of a training set, ``most`` at most; the validation rows tell how many.

    Its spectra have the weights that they have in the loss.
    """
    held_out = next(data.validation.ordered(_N_HELD_OUT, lambda arrays: arrays))
    weight = snr_weights(settings, data.snr)(jnp.asarray(data.snr[: len(data.flux)]))
    seen, others = (np.asarray(scale.forward(jnp.asarray(flux))) for flux in (data.flux, held_out["flux"]))
    masked = np.asarray(held_out["mask"]) != 0
    return LinearPath.of(seen, np.asarray(weight), others, masked, most, settings.seed)


def first_state(network: MapNetwork, seed: int, flux: np.ndarray) -> nnx.State:
    """Weights before training: prototypes on the encodings of the first fluxes, shape (n, ...), latents scaled by them."""
    state, n_node = network.first_state(seed), network.design.grid.n_node
    z = jax.jit(lambda state, flux: network.encode(state, network.scale.forward(flux)))(
        state, jnp.asarray(flux[:n_node])
    )
    for name, value in (("prototypes", z), ("latent_mean", z.mean(axis=0)), ("latent_variance", z.var(axis=0))):
        state[name][...] = value
    return state


def optimiser(settings: MapTraining) -> optax.GradientTransformation:
    """Adam on the autoencoder; plain descent on what moves by rules of its own (see
    :func:`mangrove.models.desom.loss.map_training_loss`).

    Under ``gradient`` the prototypes, once the autoencoder is trained alone, move by Adam too.
    """
    prototypes = optax.sgd(1.0)
    if settings.update == GRADIENT:
        # Its count of steps begins after the pretraining.
        by_adam = optax.chain(optax.scale(-1.0), optax.adam(_rate(settings, settings.iterations)))
        prototypes = optax.chain(
            optax.scale(-1.0), optax.conditionally_transform(by_adam, lambda step: step >= settings.pretraining)
        )
    return optax.multi_transform(
        {
            "autoencoder": optax.adam(_rate(settings, settings.n_step)),
            "prototypes": prototypes,
            "latent": optax.sgd(_STATISTICS_STEP),
        },
        _groups,
    )


def _rate(settings: MapTraining, n_step: int) -> optax.ScalarOrSchedule:
    """The learning rate by step, of n steps."""
    rate = settings.learning_rate
    return optax.cosine_decay_schedule(rate, n_step) if settings.schedule == COSINE else rate


def _groups(params: nnx.State):
    """The transformation of each leaf, by the first name of its path."""
    return jax.tree_util.tree_map_with_path(lambda path, _: str(path[0].key).split("_")[0], params)


def scarcity(kind: str, design: MapDesign, data: TrainingSet) -> str:
    """Why there is too little to train a map on, and what to do about it; empty where there is enough."""
    what, n_node = "spectra" if kind == DESOM else "galaxies", design.grid.n_node
    if data.rows.n_row < n_node:
        return (
            f"{data.rows.n_row} {what} to train a map of {n_node} nodes: take at least as many, or set {kind}.rows and "
            f"{kind}.columns to smaller numbers"
        )
    if not data.validation.n_row:
        return f"no {what} for validation: take more galaxies, or raise split.validation_fraction"
    return ""
