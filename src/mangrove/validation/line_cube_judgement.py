"""The judgement of an autoencoder by anomalies planted in line cubes that it has not seen: artefact 'autoencoder_truth'."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.analysis.anomaly_run import expected_errors
from mangrove.analysis.anomaly_scores import SCORES, Reconstructed, scores
from mangrove.analysis.latents_run import cube_latents
from mangrove.models.convlstm.cubes import LineCubes
from mangrove.models.convlstm.model import CubeModel
from mangrove.models.convlstm.units import mean_absolute_flux
from mangrove.models.training import model_folder
from mangrove.survey.simulation.line_cube_survey import ANOMALIES
from mangrove.validation.comparison import spearman
from mangrove.validation.line_cube_baselines import (
    CubeErrors,
    Reconstructing,
    reconstruction_errors,
)
from mangrove.validation.line_cube_components import component_models
from mangrove.validation.line_cube_latents import CopyDistances, copy_distances, rare_kind_fraction, same_kind_fraction
from mangrove.validation.line_cube_roc import (
    N_STRENGTH_BIN,
    auc_error,
    matched_auc,
    nearest_controls,
    strength_bin,
    strength_edges,
)

SPACES = ("latent", "invariant")


class Measured(NamedTuple):
    """What a model makes of the galaxies held out: scores, shape (n, score), and errors of its reconstructions."""

    value: np.ndarray
    errors: CubeErrors


class HeldOut(NamedTuple):
    """The galaxies held out.

    Attributes
    ----------
    cubes : LineCubes
        Of the model's lines.
    truth_path : path-like
        Artefact 'line_cube_truth', with the cubes without noise.
    anomaly : ndarray of str, shape (n,)
        Empty for a normal galaxy.
    strength : ndarray, shape (n,)
    place : ndarray, shape (n, 2)
        log10 of the mean absolute flux over valid spaxels, and of the effective radius, arcsec.
    """

    cubes: LineCubes
    truth_path: Any
    anomaly: np.ndarray
    strength: np.ndarray
    place: np.ndarray

    @classmethod
    def open(cls, path, truth_path, lines) -> "HeldOut":
        """Of the artefacts 'line_cube_set' and 'line_cube_truth', of the named lines."""
        cubes = LineCubes.open(path, lines)
        truth = artefacts.read(truth_path, "line_cube_truth", ["anomaly", "strength"])
        flux = np.concatenate([mean_absolute_flux(block.flux, block.valid) for _, block in cubes.blocks()])
        place = np.log10(np.stack([flux, cubes.r_e], axis=1))
        return cls(cubes, truth_path, truth["anomaly"], truth["strength"], place)


def judge_network(inputs, params: Mapping[str, Any]) -> tuple[dict, dict]:
    """Datasets and attributes of the artefact 'autoencoder_truth'; without galaxies where nothing was trained.

    Parameters
    ----------
    inputs : object
        With the rule's files as attributes: line_cube_set, description, arrays, components, held_out, held_out_truth.
    params : mapping
        network, seed.

    Raises
    ------
    ArtefactError, ModelError
        If an input is missing, damaged or of another kind.
    """
    folder = Path(inputs.description).parent
    about = {"network": params["network"], "model_hash": artefacts.input_hash(inputs.arrays)}
    if reason := model_folder.reason_if_empty(folder):
        attrs = CopyDistances(*[float("nan")] * 3)
        return _nothing(), _copy_attributes(attrs) | about | {"status": "empty", "reason": reason}
    model = CubeModel.load(folder, params["network"])
    survey = LineCubes.open(inputs.line_cube_set, model.lines)
    held_out = HeldOut.open(inputs.held_out, inputs.held_out_truth, model.lines)
    models = {model.network: model, **component_models(inputs.components)}
    measured = {name: measure(one, survey, held_out) for name, one in models.items()}
    latents = cube_latents(model, held_out.cubes)
    copies = copy_distances(model, held_out.cubes, np.flatnonzero(held_out.anomaly == ""), params["seed"])
    data = {
        **_galaxies(held_out),
        **_by_model(measured),
        **roc_tables(held_out, np.array([one.value for one in measured.values()]), params["seed"]),
        **_neighbour_tables((latents.value, latents.invariant), held_out.anomaly, params["seed"]),
    }
    return data, _copy_attributes(copies) | about | {"status": "ok", "reason": ""}


def measure(model: Reconstructing, survey: LineCubes, held_out: HeldOut) -> Measured:
    """Scores and errors of the galaxies held out; what is expected of normal ones is what the survey's show."""
    expected, parts = expected_errors(survey, model), []
    with artefacts.opened(held_out.truth_path, "line_cube_truth") as truth:
        for rows, cubes in held_out.cubes.blocks():
            reconstruction = np.nan_to_num(model.reconstruct(cubes))
            noiseless = truth["noiseless"][rows[0] : rows[-1] + 1][:, held_out.cubes.line_index]
            parts.append(
                (
                    scores(Reconstructed(*cubes, reconstruction), expected).value,
                    reconstruction_errors(cubes, reconstruction, noiseless),
                )
            )
    value, errors = zip(*parts, strict=True)
    return Measured(np.concatenate(value), CubeErrors(*map(np.concatenate, zip(*errors, strict=True))))


def roc_tables(held_out: HeldOut, value: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """The datasets about telling anomalies from normal galaxies.

    Parameters
    ----------
    held_out : HeldOut
    value : ndarray, shape (model, n, score)
    seed : int
        Of the bootstrap.
    """
    n_model, _, n_score = value.shape
    normal = np.flatnonzero(held_out.anomaly == "")
    shape = (n_model, len(ANOMALIES), n_score)
    data = {name: np.full(shape, np.nan) for name in ("auc", "auc_error", "auc_unmatched")}
    data |= {name: np.full(len(ANOMALIES), np.nan) for name in ("flux_offset", "size_offset")}
    data["bin_auc"] = np.full((*shape, N_STRENGTH_BIN), np.nan)
    data["bin_count"] = np.zeros((len(ANOMALIES), N_STRENGTH_BIN), np.int32)
    data["strength_edge"] = np.full((len(ANOMALIES), N_STRENGTH_BIN + 1), np.nan)
    for i, anomaly in enumerate(ANOMALIES):
        planted = np.flatnonzero(held_out.anomaly == anomaly)
        if not planted.size or not normal.size:
            continue
        controls = nearest_controls(held_out.place[planted], held_out.place[normal])
        everyone = np.tile(np.arange(normal.size), (planted.size, 1))
        data["flux_offset"][i], data["size_offset"][i] = np.median(controls.offset, axis=0)
        data["strength_edge"][i] = edges = strength_edges(held_out.strength[planted])
        bins = strength_bin(held_out.strength[planted], edges)
        data["bin_count"][i] = np.bincount(bins, minlength=N_STRENGTH_BIN)
        for m, s in np.ndindex(n_model, n_score):
            high, low = value[m, planted, s], value[m, normal, s]
            data["auc"][m, i, s] = matched_auc(high, low, controls.index)
            data["auc_error"][m, i, s] = auc_error(high, low, controls.index, seed)
            data["auc_unmatched"][m, i, s] = matched_auc(high, low, everyone)
            for b in np.flatnonzero(data["bin_count"][i]):
                some = bins == b
                data["bin_auc"][m, i, s, b] = matched_auc(high[some], low, controls.index[some])
    flux = held_out.place[normal, 0]
    data["flux_rho"] = np.array([[spearman(one[normal, s], flux) for s in range(n_score)] for one in value])
    return data


def _galaxies(held_out: HeldOut) -> dict[str, np.ndarray]:
    return {
        "plateifu": held_out.cubes.plateifu,
        "anomaly": held_out.anomaly,
        "strength": held_out.strength,
        "log_flux": held_out.place[:, 0],
        "log_size": held_out.place[:, 1],
        "score": np.array(SCORES),
        "planted": np.array(ANOMALIES),
        "space": np.array(SPACES),
    }


def _by_model(measured: Mapping[str, Measured]) -> dict[str, np.ndarray]:
    errors = [one.errors for one in measured.values()]
    return {
        "model": np.array(list(measured)),
        "value": np.array([one.value for one in measured.values()]),
        **{f"error_{name}": np.array([getattr(one, name) for one in errors]) for name in CubeErrors._fields},
    }


def _neighbour_tables(spaces: Sequence[np.ndarray], anomaly: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    return {
        "same_anomaly": np.array([[same_kind_fraction(one, anomaly, kind) for kind in ANOMALIES] for one in spaces]),
        "same_rare": np.array([[rare_kind_fraction(one, anomaly, kind, seed) for kind in ANOMALIES] for one in spaces]),
    }


def _copy_attributes(copies: CopyDistances) -> dict[str, float]:
    return {f"copy_{name}": value for name, value in copies._asdict().items()}


def _nothing() -> dict[str, np.ndarray]:
    """The datasets where nothing was trained."""
    nowhere = HeldOut(None, None, np.empty(0, "U1"), np.empty(0), np.empty((0, 2)))
    none = np.empty((0, 0))
    return {
        **dict.fromkeys(("plateifu", "anomaly"), np.empty(0, "U1")),
        **dict.fromkeys(("strength", "log_flux", "log_size"), np.empty(0)),
        "score": np.array(SCORES),
        "planted": np.array(ANOMALIES),
        "space": np.array(SPACES),
        **dict.fromkeys(("error_noisy", "error_excess", "error_true"), none),
        "model": np.empty(0, "U1"),
        "value": np.empty((0, 0, len(SCORES))),
        **roc_tables(nowhere, np.empty((0, 0, len(SCORES))), 0),
        "flux_rho": np.empty((0, len(SCORES))),
        **dict.fromkeys(("same_anomaly", "same_rare"), np.full((len(SPACES), len(ANOMALIES)), np.nan)),
    }
