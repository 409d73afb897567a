"""The active nuclei of a sample among its line cubes: how anomalous, with which neighbours, where in the BPT diagram."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.codes import LabelFlag
from mangrove.physics.bpt import MIN_LINE_SNR, bpt_class, bpt_ratios
from mangrove.survey.galaxy import AGN_FLAGS, Galaxy
from mangrove.survey.sample import rows_of

#: Percentile of the scores that 'group_upper' is.
UPPER = 95.0
#: Profiles that are no Gaussian are what active nuclei have; ratios of lines with the same profile change little.
_TOLERATED = LabelFlag.NOT_ONE_GAUSSIAN
_OF_LABELS = ["plateifu", "galaxy", "n_spaxel", "line", "line_flux", "line_flux_err", "d_bpt_flag"]


class BptPlaces(NamedTuple):
    """Mean places of galaxies in the BPT diagram, dex, shape (n,); NaN for a galaxy without baxels that count."""

    log_nii_ha: np.ndarray
    log_oiii_hb: np.ndarray


def tabulate_run(inputs, outputs, params: Mapping[str, Any]) -> None:
    """Write the artefact 'agn' of a network; one without rows where the sheet has no active nucleus.

    Parameters
    ----------
    inputs, outputs : object
        With the rule's files as attributes: anomalies, neighbours, labels (empty where the run has no baxels), sheet; agn.
    params : mapping
        own_files: whether survey.source is files; active: hash of the flags that the sheet has for these galaxies.

    Raises
    ------
    ArtefactError, SampleError
        If one of the inputs is missing, damaged or of another kind.
    """
    scores = artefacts.read(inputs.anomalies, "anomalies", ["plateifu", "score", "value", "percentile", "rank"])
    neighbour = artefacts.read(inputs.neighbours, "neighbours", ["latent_neighbour"])["latent_neighbour"]
    galaxies = rows_of(inputs.sheet, scores["plateifu"].tolist(), params["own_files"])
    labels = artefacts.read(inputs.labels, "labels", _OF_LABELS) if inputs.labels else None
    places = bpt_places(labels, scores["plateifu"]) if labels else no_places(len(galaxies))
    data = active_nuclei(galaxies, scores, neighbour, places) | groups(galaxies, scores["value"])
    reason = scores.attrs["reason"]
    if not reason and not len(data["galaxy"]):
        reason = f"the sample sheet flags none of the {len(galaxies)} galaxies as an active nucleus"
    about = {name: scores.attrs[name] for name in ("network", "model_hash")}
    about |= {"status": "empty" if reason else "ok", "reason": reason}
    # The sheet has other columns too: a hash of those that are used is among the params.
    files = [inputs.anomalies, inputs.neighbours, *([inputs.labels] if labels else [])]
    artefacts.write(outputs.agn, "agn", data, artefacts.provenance(outputs.agn, params, files), about)


def active_nuclei(
    galaxies: Sequence[Galaxy], scores: Artefact, neighbour: np.ndarray, places: BptPlaces
) -> dict[str, np.ndarray]:
    """Galaxies with one of the four flags, the most anomalous first: datasets of 'agn'.

    Parameters
    ----------
    galaxies : sequence of Galaxy, length n
        Rows of the sample sheet.
    scores : Artefact
        Of the kind 'anomalies', of these galaxies.
    neighbour : ndarray of int, shape (n, k)
        Neighbours by latents, -1 for none.
    places : BptPlaces
        Of these galaxies.
    """
    plateifu = np.array([g.plateifu for g in galaxies], dtype=str)
    active = np.flatnonzero([g.agn for g in galaxies])
    active = active[np.argsort(scores["rank"][active], kind="stable")]
    rows = [galaxies[i] for i in active]
    x, y = (np.asarray(values)[active] for values in places)
    own = neighbour[active]
    return {
        "plateifu": plateifu[active],
        "galaxy": active,
        **{flag: np.array([getattr(g, flag) for g in rows], np.int8) for flag in AGN_FLAGS},
        "radio_class": np.array([g.radio_class for g in rows], dtype=str),
        "score": scores["score"],
        "value": scores["value"][active],
        "percentile": scores["percentile"][active],
        "neighbour_name": np.where(own >= 0, plateifu[own], ""),
        "log_nii_ha": x,
        "log_oiii_hb": y,
        "bpt_class": bpt_class(x, y),
    }


def groups(galaxies: Sequence[Galaxy], value: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of all galaxies, of active nuclei, and of those by each flag: datasets group, group_* of 'agn'.

    Parameters
    ----------
    galaxies : sequence of Galaxy, length n
    value : ndarray, shape (n, n_score)
        NaN for a galaxy without data.
    """
    members = {"all": np.ones(len(galaxies), bool), "agn": np.array([g.agn for g in galaxies], bool)}
    members |= {flag: np.array([getattr(g, flag) == 1 for g in galaxies], bool) for flag in AGN_FLAGS}
    percentiles = [_percentiles(value[of]) for of in members.values()]
    return {
        "group": np.array(list(members)),
        "group_size": np.array([of.sum() for of in members.values()]),
        "group_median": np.array([median for median, _ in percentiles]),
        "group_upper": np.array([upper for _, upper in percentiles]),
    }


def bpt_places(labels: Mapping[str, np.ndarray], plateifu: np.ndarray) -> BptPlaces:
    """Mean logarithms of the two ratios over a galaxy's baxels, each with the weight of its Halpha flux.

    Baxels count whose four lines are above 2 sigma and whose d_bpt has no flag but that a profile is not one Gaussian.
    Fluxes are per spaxel, so the flux of a baxel is that times its spaxels.

    Parameters
    ----------
    labels : mapping of str to ndarray
        The artefact 'labels': plateifu, galaxy, n_spaxel, line, line_flux, line_flux_err, d_bpt_flag.
    plateifu : ndarray of str, shape (n,)
        Galaxies, in the order of the result; the labels need not have all of them.
    """
    flux, error, line = labels["line_flux"], labels["line_flux_err"], labels["line"].tolist()
    ratios = bpt_ratios(flux, error, line, MIN_LINE_SNR)
    good = np.isfinite(ratios).all(axis=0) & ((labels["d_bpt_flag"] & ~np.uint32(_TOLERATED)) == 0)
    index = {name: i for i, name in enumerate(plateifu.tolist())}
    of_label = np.array([index.get(name, -1) for name in labels["plateifu"].tolist()], int)
    galaxy = of_label[labels["galaxy"][good]]
    known = galaxy >= 0
    halpha = (flux[good, line.index("Halpha_6565")] * labels["n_spaxel"][good])[known]
    total = np.bincount(galaxy[known], halpha, len(plateifu))
    sums = (np.bincount(galaxy[known], halpha * ratio[good][known], len(plateifu)) for ratio in ratios)
    nowhere = np.full(len(plateifu), np.nan)
    return BptPlaces(*(np.divide(part, total, out=nowhere.copy(), where=total > 0) for part in sums))


def no_places(n: int) -> BptPlaces:
    """The places of n galaxies of a run without baxels."""
    return BptPlaces(np.full(n, np.nan), np.full(n, np.nan))


def _percentiles(value: np.ndarray) -> np.ndarray:
    """Median and :data:`UPPER` percentile of each score over members that have it, shape (2, n_score)."""
    found = np.full((2, value.shape[1]), np.nan)
    for column, values in enumerate(value.T):
        if np.isfinite(values).any():
            found[:, column] = np.nanpercentile(values, [50.0, UPPER])
    return found
