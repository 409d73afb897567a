"""How well the labels recover the truth of the simulated survey."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from mangrove.analysis.recovery import Comparison, baxel_truth, comparison, join, robust_width, weighted_mean
from mangrove.artefacts import Artefact
from mangrove.data_model import LABEL
from mangrove.spectra.attenuation import balmer_curve
from mangrove.spectra.bpt import BPT_LINES, NONE, bpt_class, bpt_ratios
from mangrove.spectra.cosmology import luminosity_distance
from mangrove.spectra.fit_results import GAS_AT_BOUND, OK
from mangrove.spectra.physics import FLUX_UNIT, LOG_HALPHA_PER_SFR

#: Datasets of the truth beside those of :mod:`mangrove.analysis.recovery`.
TRUTH_DATASETS = ["log_mass"]
#: Reduced chi2 from which on a label does not count, as published.
MAX_CHI2 = 2.0
#: Smallest S/N of the four BPT lines, and of Halpha and Hbeta for what comes from their ratio.
MIN_BPT_SNR, MIN_BALMER_SNR = 5.0, 5.0
BPT = "BPT class"
BPT_FAR = "BPT class, over 2 sigma from a curve"
#: Ranges of S/N per pixel of the baxels.
SNR_RANGES = {"20-40": (20.0, 40.0), "above 40": (40.0, np.inf), "10-20": (10.0, 20.0)}
_COMPARED = tuple(name for name in LABEL if name not in ("log_sfr_density", "log_mass_density", "d_bpt"))
_POPULATIONS = ("log_age_lw", "metallicity_lw")
_FROM_LINES = ("ebv_gas", "log_ssfr")
_FEW = 10


class Limits(NamedTuple):
    """What a row must keep to; NaN for no limit.

    Attributes
    ----------
    bias, rms : float
        Largest absolute mean and root mean square of measured minus true, in the label's unit.
    width_low, width_high : float
        Of the robust width of the pulls.
    fraction : float
        The fraction of right classes is larger.
    """

    bias: float = np.nan
    rms: float = np.nan
    width_low: float = np.nan
    width_high: float = np.nan
    fraction: float = np.nan


class LabelRow(NamedTuple):
    """One row of the table: a label in a range of S/N per pixel of the baxels; offsets in ``unit``."""

    label: str
    unit: str
    snr_per_pixel: str
    n_value: int
    n_galaxy: int
    bias: float
    rms: float
    mean_pull: float
    robust_width: float
    fraction_right: float
    limit_bias: float
    limit_rms: float
    limit_width_low: float
    limit_width_high: float
    limit_fraction: float
    holds: str


def limits_of(label: str, snr_range: str) -> Limits:
    """The limits of a label in a range of S/N."""
    if snr_range == "10-20":
        return Limits()
    if label in _POPULATIONS:
        return Limits(bias=0.05, rms=0.12 if snr_range == "20-40" else 0.08)
    if label == "log_ml_r":
        return Limits(rms=0.10)
    if label == "ebv_star":
        return Limits(rms=0.03)
    if label in _FROM_LINES:
        # The masses of specific rates are biased high with the ages (docs/labels.md).
        return Limits(bias=0.10 if label == "log_ssfr" else np.nan, width_low=0.8, width_high=1.4)
    return Limits(fraction={BPT: 0.95, BPT_FAR: 0.98}.get(label, np.nan))


def label_truth(extract: Artefact, truth: Artefact, z: float) -> dict[str, np.ndarray]:
    """True labels of the baxels of a galaxy, shape (n_baxel,).

    Means over light for the stars, over Halpha for the dust of the gas; sSFR and BPT class from sums over spaxels.

    Parameters
    ----------
    z : float
        Redshift, for luminosities.
    """
    true = baxel_truth(extract, truth)
    inside = extract["bin_id"] >= 0
    bins, n = extract["bin_id"][inside], len(extract["snr"])
    names = [str(name) for name in truth["line"]]
    halpha, ebv = truth["line_flux"][names.index("Halpha-6565")][inside].astype(float), truth["ebv_gas"][inside]
    true["ebv_gas"] = weighted_mean(bins, n, halpha, ebv)
    before_dust = np.bincount(bins, np.nan_to_num(halpha * 10.0 ** (0.4 * balmer_curve()[0] * ebv)), minlength=n)
    mass = np.bincount(bins, 10.0 ** truth["log_mass"][inside].astype(float), minlength=n)
    luminosity = 4.0 * np.pi * luminosity_distance(z) ** 2 * before_dust * FLUX_UNIT
    with np.errstate(divide="ignore"):
        true["log_ssfr"] = np.log10(luminosity / mass) - LOG_HALPHA_PER_SFR
    flux = true["line_flux"]
    true["bpt_class"] = bpt_class(*bpt_ratios(flux, np.full(flux.shape, 1e-9), np.array(names), 0.0))
    return true


def compare_labels(labels: Mapping, true: Mapping, snr) -> dict[str, Comparison]:
    """Labels against truth, by name, of the baxels of a galaxy whose fit is good.

    Parameters
    ----------
    labels : mapping of str to ndarray
        Columns of the artefact 'labels' for the baxels of this galaxy.
    true : mapping
        From :func:`label_truth`.
    snr : ndarray, shape (n_baxel,)

    Returns
    -------
    dict of Comparison
        For the BPT classes, measured and truth are class numbers and the error is 1.
    """
    good = np.isin(labels["status"], (OK, GAS_AT_BOUND)) & (labels["chi2_reduced"] < MAX_CHI2)
    line_snr = {str(name): _snr(labels, i) for i, name in enumerate(labels["line"])}
    balmer = (
        good & (labels["status"] == OK) & (np.minimum(line_snr["Halpha-6565"], line_snr["Hbeta-4863"]) > MIN_BALMER_SNR)
    )
    found = {}
    for name in _COMPARED:
        use = balmer if name in _FROM_LINES else good
        found[name] = comparison(labels[name], labels[f"{name}_err"], true[name], snr, use)
    bright = good & (np.min([line_snr[name] for name in BPT_LINES], axis=0) > MIN_BPT_SNR) & (true["bpt_class"] != NONE)
    far = bright & (curve_distance(labels["d_bpt"]) > 2.0 * labels["d_bpt_err"])
    for name, use in ((BPT, bright), (BPT_FAR, far)):
        found[name] = comparison(labels["bpt_class"], np.ones(snr.size), true["bpt_class"], snr, use)
    return found


def curve_distance(d_bpt) -> np.ndarray:
    """Distance, dex, of d_BPT from the nearer border of a class: 0 and 0.3."""
    return np.minimum(np.abs(d_bpt), np.abs(np.asarray(d_bpt) - 0.3))


def pool_labels(galaxies: Iterable[Mapping[str, Comparison]]) -> dict[str, Comparison]:
    """Comparisons of all galaxies joined."""
    parts: dict[str, list[Comparison]] = {}
    for i, galaxy in enumerate(galaxies):
        for name, one in galaxy.items():
            parts.setdefault(name, []).append(one._replace(galaxy=np.full(one.snr.size, i)))
    return {name: join(found) for name, found in parts.items()}


def label_table(pooled: Mapping[str, Comparison]) -> list[LabelRow]:
    """Bias, scatter and pulls of each label in each range of S/N, and whether they keep to the limits."""
    return [_row(name, text, pooled[name].between(*ends)) for text, ends in SNR_RANGES.items() for name in pooled]


def _snr(labels, i: int) -> np.ndarray:
    error = labels["line_flux_err"][:, i]
    return np.divide(labels["line_flux"][:, i], error, out=np.zeros(len(error)), where=error > 0)


def _row(name: str, snr_range: str, found: Comparison) -> LabelRow:
    n, limits = found.snr.size, limits_of(name, snr_range)
    offset, classes = found.measured - found.truth, name in (BPT, BPT_FAR)
    bias, rms, pull = (
        float(f(offset)) if n and not classes else np.nan for f in (np.mean, _rms, lambda o: np.mean(o / found.error))
    )
    width = robust_width(found.pull) if n and not classes else np.nan
    fraction = float(np.mean(found.measured == found.truth)) if n and classes else np.nan
    unit = "1" if classes else LABEL[name][0]
    numbers = (bias, rms, pull, width, fraction)
    return LabelRow(
        name, unit, snr_range, n, np.unique(found.galaxy).size, *numbers, *limits, _verdict(n, numbers, limits)
    )


def _rms(values) -> float:
    return np.sqrt(np.mean(values**2))


def _verdict(n: int, numbers, limits: Limits) -> str:
    if np.all(np.isnan(limits)):
        return "no limit"
    if n < _FEW:
        return "too few"
    bias, rms, _, width, fraction = numbers
    beyond = (
        abs(bias) > limits.bias,
        rms > limits.rms,
        width < limits.width_low,
        width > limits.width_high,
        fraction <= limits.fraction,
    )
    return "no" if any(beyond) else "yes"
