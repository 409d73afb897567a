"""The latents of a run's line cubes: from the cubes and a trained autoencoder to the artefact."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.codes import Split
from mangrove.models.convlstm.activity import active_latents, warn_of_few
from mangrove.models.convlstm.cubes import Cubes, LineCubes
from mangrove.models.convlstm.flips import flips_of
from mangrove.models.convlstm.model import CubeModel
from mangrove.models.training import model_folder


class CubeLatents(NamedTuple):
    """Latents of cubes; NaN for a cube without any valid value.

    Attributes
    ----------
    value : ndarray of float32, shape (n, latent)
        Of the variational network, the means.
    log_variance : ndarray of float32, shape (n, latent), or None
        Only the variational network has any.
    invariant : ndarray of float32, shape (n, latent)
        Mean of the latents over the 8 flips and quarter turns.
    flux_scale : ndarray of float32, shape (n,)
        Mean absolute flux over the valid values, 1e-17 erg / s / cm^2 / Angstrom / spaxel.
    """

    value: np.ndarray
    log_variance: np.ndarray | None
    invariant: np.ndarray
    flux_scale: np.ndarray


def write_latents(inputs, outputs, params: Mapping[str, Any]) -> None:
    """Write the artefact 'latents' of a run and a network; without latents, and with the reason, where there is no model.

    Parameters
    ----------
    inputs, outputs : object
        With the rule's files as attributes: line_cube_set, description, arrays; latents.
    params : mapping
        Those of the rule: network, and others for the record.

    Raises
    ------
    ArtefactError, ModelError
        If an input is missing, damaged or of another kind, or model and cubes do not fit.
    """
    folder = Path(inputs.description).parent
    reason = model_folder.reason_if_empty(folder)
    if reason:
        cubes = LineCubes.open(inputs.line_cube_set)
        found = without_model(cubes.n)
    else:
        model = CubeModel.load(folder, params["network"])
        cubes = LineCubes.open(inputs.line_cube_set, model.lines)
        found = cube_latents(model, cubes)
    active = active_latents(params["network"], found.value[cubes.split == Split.TRAIN])
    warn_of_few(params["network"], active)
    data = {name: values for name, values in found._asdict().items() if values is not None}
    data |= {name: getattr(cubes, name) for name in ("plateifu", "mangaid", "split")} | {"active": active}
    attrs = {"status": "empty" if reason else "ok", "reason": reason, "network": params["network"]}
    attrs["model_hash"] = artefacts.input_hash(inputs.arrays)
    files = [inputs.line_cube_set, inputs.description, inputs.arrays]
    artefacts.write(outputs.latents, "latents", data, artefacts.provenance(outputs.latents, params, files), attrs)


def cube_latents(model: CubeModel, cubes: LineCubes) -> CubeLatents:
    """Latents of all cubes of a run, of the model's lines; read a few at a time."""
    blocks = [_of_block(model, block) for _, block in cubes.blocks()]
    return CubeLatents(*(None if part[0] is None else np.concatenate(part) for part in zip(*blocks, strict=True)))


def without_model(n: int) -> CubeLatents:
    """The same of n cubes where nothing was trained: no latents."""
    nothing = np.empty((n, 0), np.float32)
    return CubeLatents(nothing, None, nothing, np.full(n, np.nan, np.float32))


def _of_block(model: CubeModel, block: Cubes) -> CubeLatents:
    own, *flipped = map(model.encode, flips_of(block))
    invariant = np.mean([own.mean, *(of.mean for of in flipped)], axis=0)
    return CubeLatents(own.mean, own.log_variance, invariant, own.flux_scale)
