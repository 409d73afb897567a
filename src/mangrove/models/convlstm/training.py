"""Train an autoencoder of line cubes by the one training loop."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx

from mangrove.errors import TrainingError
from mangrove.models.convlstm.activity import active_latents, warn_of_few
from mangrove.models.convlstm.design import VAE, CubeDesign
from mangrove.models.convlstm.loss import cube_loss
from mangrove.models.convlstm.model import CubeModel
from mangrove.models.convlstm.network import CubeNetwork
from mangrove.models.convlstm.principal_components import PrincipalComponents, principal_components
from mangrove.models.convlstm.settings import ADAGRAD, PCA, CubeTraining
from mangrove.models.convlstm.training_set import CubeTrainingSet
from mangrove.models.training.loop import Trained, train

log = logging.getLogger(__name__)

#: Steps over which the learning rate rises, evenly.
WARM_UP = 50
#: Adagrad's sums of squared gradients start at zero, as in Duchi et al. (2011): from 0.1, as in Keras, the small gradients
#: of a mean over many values hardly move the weights.
_ACCUMULATED, _EPSILON = 0.0, 1e-14
#: Training cubes that latents in use are counted on.
_N_COUNTED = 512
#: Smallest logarithm of a latent's variance to start from.
_LEAST_LOG_VARIANCE = -10.0


def train_cubes(
    design: CubeDesign,
    settings: CubeTraining,
    data: CubeTrainingSet,
    folder: Path,
    provenance: Mapping[str, Any],
) -> tuple[CubeModel, Trained]:
    """Train an autoencoder, write the model to ``folder/model``.

    Parameters
    ----------
    design : CubeDesign
        Without principal components: ``settings.linear`` says whether there are to be any.
    settings : CubeTraining
    data : CubeTrainingSet
    folder : Path
        Gets ``model``, ``metrics.jsonl`` and ``checkpoints``; a killed training goes on from these.
    provenance : mapping
        Plain values that say what the data are, to be kept with the model.

    Raises
    ------
    TrainingError
        If there are no training or no validation cubes, or the training fails.
    """
    if reason := scarcity(data):
        raise TrainingError(f"{reason}.")
    components = _components(design, settings, data)
    design = replace(design, n_component=0 if components is None else len(components.deviation))
    network, n_row = CubeNetwork(design, settings.precision), data.rows.n_row
    trained = train(
        cube_loss(network, settings, data.noise_scale, settings.warmup_steps(n_row)),
        first_state(network, settings, components),
        optimiser(settings),
        data.rows,
        settings.loop(n_row),
        folder,
        validation=data.validation,
        identity={"design": design.plain(), "training": asdict(settings), **provenance},
        identify=data.names,
    )
    model = CubeModel(design, trained.params, data.cubes.line)
    n_active = count_active(model, data)
    about = {"settings": asdict(settings), "active_latents": n_active, "kept_epoch": trained.kept_epoch}
    model.save(folder / "model", about | dict(provenance))
    return model, trained


def scarcity(data: CubeTrainingSet) -> str:
    """Why there is too little to train on, and what to do about it; empty where there is enough."""
    for rows, what, fraction in ((data.rows, "train on", "lower"), (data.validation, "validate on", "raise")):
        if not rows.n_row:
            return (
                f"no galaxy to {what} has a line cube with data: take more galaxies, or {fraction} "
                "split.validation_fraction"
            )
    return ""


def first_state(network: CubeNetwork, settings: CubeTraining, components: PrincipalComponents | None) -> nnx.State:
    """Weights before training, with the principal components that run beside the network.

    With these, a latent of the variational network has the variance that is best for them alone. Of a component with
    variance v per value of a cube, the loss has the part v s + w (s - log s), where s is the latent's variance and w is
    half the divergence's weight over the number of latents; it is least at s = w / (v + w).
    """
    state = network.first_state(settings.seed)
    if components is None:
        return state
    for name, values in components._asdict().items():
        state["linear"][name][...] = values
    design = network.design
    if design.network == VAE:
        weight = 0.5 * settings.kl_weight / design.latent
        variance = np.zeros(design.latent)
        variance[: design.n_component] = components.deviation.astype(float) ** 2 / design.n_value
        best = np.log(np.maximum(weight, 1e-30) / (variance + np.maximum(weight, 1e-30)))
        state["to_log_variance"]["bias"][...] = np.maximum(best, _LEAST_LOG_VARIANCE).astype(np.float32)
    return state


def optimiser(settings: CubeTraining) -> optax.GradientTransformation:
    """Adagrad or Adam for all but the principal components, which stay as they are.

    The first step of either is the rate along the sign of each gradient, however small that is, which would throw a wide
    network far from its start: the rate rises over the first :data:`WARM_UP` steps.
    """
    rate = optax.linear_schedule(settings.learning_rate / WARM_UP, settings.learning_rate, WARM_UP - 1)
    own = optax.adagrad(rate, _ACCUMULATED, _EPSILON) if settings.optimiser == ADAGRAD else optax.adam(rate)
    return optax.multi_transform({"trained": own, "frozen": optax.set_to_zero()}, _groups)


def count_active(model: CubeModel, data: CubeTrainingSet) -> int:
    """Latents in use on training cubes; a warning if there are few."""
    latent = model.encode(data.cubes.read(data.galaxies[:_N_COUNTED])).mean
    active = active_latents(model.network, latent)
    if len(latent) > 1:
        warn_of_few(model.network, active)
    return int(active.sum())


def _groups(params: nnx.State):
    """The transformation of each leaf, by the first name of its path."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: "frozen" if str(path[0].key) == "linear" else "trained", params
    )


def _components(design: CubeDesign, settings: CubeTraining, data: CubeTrainingSet) -> PrincipalComponents | None:
    if settings.linear != PCA:
        return None
    found = principal_components(data.cubes, data.galaxies, design.flux, design.latent, settings.seed)
    if len(found.deviation) < design.latent:
        log.info("%d principal components for %d latents: there are no more", len(found.deviation), design.latent)
    return found if len(found.deviation) else None
