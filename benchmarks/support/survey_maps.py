"""The artefacts of both maps of a simulated survey, from its assignments and labels."""

from collections.abc import Mapping

import numpy as np
from support.spectra import NORM_BAND
from support.survey_galaxies import TEST, VALIDATION
from support.survey_prototypes import Nodes
from support.survey_tables import GALAXY_NODES, MIN_SNR, TEMPLATES, Survey, distance_quantiles

from mangrove import artefacts
from mangrove.analysis import galaxy_map
from mangrove.analysis.fingerprints import galaxy_fingerprints
from mangrove.analysis.nearest import mean_or_nan
from mangrove.analysis.node_labels import map_labels
from mangrove.analysis.typicality import QUANTILE_LEVELS
from mangrove.artefacts import Artefact
from mangrove.codes import FitStatus, LabelFlag, Split, TrainingCut
from mangrove.data_model_attributes import MAP_QUALITY
from mangrove.models.desom.autoencoders import SpectrumArchitecture
from mangrove.models.desom.grid import SomGrid
from mangrove.models.desom.input_scale import InputScale
from mangrove.models.desom.model import DESOM, MapModel
from mangrove.models.desom.network import MapDesign, MapNetwork
from mangrove.models.desom.training import first_state
from mangrove.physics.wavelengths import SIGMA_TO_FWHM

GALAXY_GRID = SomGrid(10, 10)
_MIN_BAXELS, _N_BOOTSTRAP = 50, 20
_TRAINING = {"norm_band": NORM_BAND, "min_good_fraction": 0.8583, "min_snr": MIN_SNR, "sky_half_width": 8.0}
_TRAINING |= {"galactic_extinction": True, "ebv_scale": 1.0}
_FINGERPRINTS = {"weighting": "count", "clip_percentile": 99.9}
_FINGERPRINTS |= {"validation_fraction": VALIDATION, "test_fraction": TEST}
#: Scatter of the spectra of a node at a flux of 1, and the resolving power of all.
_SCATTER, _RESOLVING_POWER = 0.07, 1900.0


def untrained_model(nodes: Nodes, seed: int) -> MapModel:
    """A map of spectra of the published size that has learnt nothing: its prototypes are the encodings of the nodes' spectra.

    Its encoder is a random projection, by which a new spectrum still comes to the node of a similar one; what it decodes
    means nothing.
    """
    design = MapDesign(SpectrumArchitecture(nodes.wave.size), nodes.grid)
    network = MapNetwork(design, InputScale.none(design.architecture.shape))
    return MapModel(DESOM, network, first_state(network, seed, nodes.flux), nodes.wave)


def usual_distance(model: MapModel) -> float:
    """Half the median distance of a prototype from the nearest other one."""
    place = model.prototypes.astype(float)
    square = (place**2).sum(axis=1)
    apart = square[:, None] + square - 2 * place @ place.T + np.diag(np.full(len(place), np.inf))
    return float(0.5 * np.sqrt(np.median(np.maximum(apart.min(axis=1), 0.0))))


def write_maps(survey: Survey, prototype_latent: np.ndarray) -> None:
    """Write the artefacts of the map of spectra and of the map of galaxies; the tables must be there."""
    assignments, labels = survey.path("desom_assignments"), survey.path("labels")
    found = artefacts.read(assignments, "desom_assignments")
    of_map = {"model_hash": survey.model_hash, **_TRAINING}
    survey.write("desom_map", _spectrum_nodes(survey, found, prototype_latent), of_map | survey.grid, [assignments])
    params = {"min_baxels": _MIN_BAXELS, "n_bootstrap": _N_BOOTSTRAP, "seed": survey.seed}
    by_node, attrs = map_labels(assignments, labels, params)
    survey.write("node_labels", by_node, attrs, [assignments, labels])
    of_templates = survey.grid | {"templates": "mastar"}
    survey.write("template_labels", _template_labels(by_node), of_templates, [survey.path("desom_map")])
    prints = galaxy_fingerprints(found, _FINGERPRINTS | {"seed": survey.seed})
    weighting = {name: _FINGERPRINTS[name] for name in ("weighting", "clip_percentile")}
    survey.write("fingerprints", prints, survey.grid | weighting, [assignments])
    write_galaxy_map(survey, prints)


def write_galaxy_map(survey: Survey, prints: Mapping[str, np.ndarray]) -> None:
    """Write the artefacts of the map of galaxies: columns go with type, rows with mass, evenly filled."""
    galaxies, grid, rng = survey.galaxies, GALAXY_GRID, survey.random(GALAXY_NODES)
    some = prints["n_baxel"] > 0
    column, row = (_even(values, n) for values, n in ((galaxies.kind, grid.columns), (galaxies.log_mass, grid.rows)))
    node = np.where(some, row * grid.columns + column, -1)
    distance = np.where(some, distance_quantiles(rng.random(node.size), 1.0), np.nan)
    beside = np.where(column < grid.columns - 1, node + 1, node - 1)
    repeats = galaxy_map.repeat_pairs(galaxies.mangaid, node, grid.columns)
    assigned = {
        **{name: getattr(galaxies, name) for name in ("plateifu", "mangaid", "split")},
        "node": node,
        "second_node": np.where(some, beside, -1),
        "distance": distance,
        "second_distance": 1.2 * distance,
        "typicality": np.exp(-(distance**2)),
        "mse": np.where(some, 0.01 * rng.lognormal(0.0, 0.3, node.size), np.nan),
        **{f"repeat_{name}": values for name, values in repeats._asdict().items()},
    }
    attrs, sources = {"rows": grid.rows, "columns": grid.columns}, [survey.path("fingerprints")]
    survey.write("galaxy_map_assignments", assigned, attrs, sources)
    nodes = _galaxy_nodes(survey, assigned, prints["normalised"])
    survey.write("galaxy_map", nodes, attrs | _quality(distance, nodes["n_galaxy"]), sources)


def _spectrum_nodes(survey: Survey, found: Artefact, prototype_latent: np.ndarray) -> dict[str, np.ndarray]:
    """The datasets of 'desom_map': templates are the prototypes with the noise of a mean of so many spectra."""
    nodes, rng = survey.nodes, survey.random(TEMPLATES)
    kept = (found["node"] >= 0) & (found["cut"] == TrainingCut.KEPT)
    counts = galaxy_map.counts_by_split(found["node"][kept], found["split"][kept], nodes.grid.n_node)
    learnt = kept & (found["split"] == Split.TRAIN)
    pairs = np.unique(found["node"][learnt].astype(np.int64) * len(found["plateifu"]) + found["galaxy"][learnt])
    n = counts[:, [Split.TRAIN]]
    scatter = _SCATTER * np.sqrt(nodes.flux)
    noise = scatter / np.sqrt(np.maximum(n, 1)) * rng.standard_normal(nodes.flux.shape)
    row, column = nodes.grid.positions().T
    return {
        "wave": nodes.wave,
        "node_row": row,
        "node_column": column,
        "prototype_latent": prototype_latent,
        "prototype_flux": nodes.flux,
        "template_flux": np.where(n > 0, nodes.flux + noise, np.nan),
        "template_scatter": np.where(n > 1, scatter, np.nan),
        "template_count": np.broadcast_to(n, nodes.flux.shape),
        "lsf": nodes.wave / _RESOLVING_POWER / SIGMA_TO_FWHM,
        "n_baxel": counts,
        "n_galaxy": np.bincount(pairs // len(found["plateifu"]), minlength=nodes.grid.n_node),
        "quantile": QUANTILE_LEVELS,
        "distance_quantile": distance_quantiles(QUANTILE_LEVELS, survey.unit),
    }


def _template_labels(by_node: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The datasets of 'template_labels': the median of each node, a little aside."""
    median = by_node["median"]
    known = np.isfinite(median).any(axis=1)
    return {
        **{name: by_node[name] for name in ("node_row", "node_column", "label")},
        "status": np.where(known, FitStatus.OK, FitStatus.ALL_MASKED),
        "chi2_reduced": np.where(known, 1.0, np.nan),
        "snr": np.where(known, 100.0, np.nan),
        "value": median + 0.02,
        "error": np.where(np.isfinite(median), 0.03, np.nan),
        "flag": np.where(np.isfinite(median), 0, LabelFlag.NO_FIT),
    }


def _galaxy_nodes(survey: Survey, assigned: Mapping, normalised: np.ndarray) -> dict[str, np.ndarray]:
    """The datasets of 'galaxy_map': the prototype of a node is the mean fingerprint of its galaxies."""
    galaxies, grid, node = survey.galaxies, GALAXY_GRID, assigned["node"]
    row, column = grid.positions().T
    sums = np.zeros((grid.n_node, normalised.shape[1]))
    np.add.at(sums, node[node >= 0], normalised[node >= 0])
    counts = galaxy_map.counts_by_split(node, galaxies.split, grid.n_node)
    catalogue = galaxy_map.Catalogue(galaxies.hubble, galaxies.sersic_n, galaxies.ba)
    return {
        "node_row": row,
        "node_column": column,
        "prototype_latent": np.stack([row, column], axis=1),
        "prototype_fingerprint": sums / np.maximum(counts.sum(axis=1, keepdims=True), 1),
        "n_galaxy": counts,
        "example": galaxy_map.nearest_to_prototypes(galaxies.plateifu, node, assigned["distance"], grid.n_node),
        **galaxy_map.catalogue_by_node(catalogue, node, grid.n_node),
        "quantile": QUANTILE_LEVELS,
        "distance_quantile": distance_quantiles(QUANTILE_LEVELS, 1.0),
    }


def _quality(distance: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Measures of the map: those that follow from what is written; the others are not known."""
    measures = {name: float("nan") for name in MAP_QUALITY}
    n_empty = int((counts[:, Split.TRAIN] == 0).sum())
    return measures | {"quantisation_error": mean_or_nan(distance), "n_empty": n_empty}


def _even(values: np.ndarray, n: int) -> np.ndarray:
    """Which of n parts of equal number each value belongs to, int, shape (n_value,)."""
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return rank * n // max(len(values), 1)
