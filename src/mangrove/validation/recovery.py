"""How well the fits recover the truth of the simulated survey."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from mangrove.artefacts import Artefact
from mangrove.physics.lines import fit_lines
from mangrove.spectra.fit.results import OK

#: Datasets of the artefacts that a comparison needs.
EXTRACT_DATASETS = ["bin_id", "snr"]
FIT_DATASETS = [
    "status",
    *(f"{name}{end}" for name in ("v_star", "sigma_star", "v_gas", "sigma_gas") for end in ("", "_err")),
    *(f"{name}{end}" for name in ("line_flux", "line_ew") for end in ("", "_err")),
]
TRUTH_DATASETS = [
    "v_star",
    "sigma_star",
    "v_gas",
    "sigma_gas",
    "line",
    "line_flux",
    "line_ew",
    "light_weight",
    "log_age_lw",
    "log_age_mw",
    "metallicity_lw",
    "metallicity_mw",
    "log_ml_r",
    "ebv_star",
    "ebv_gas",
]

#: Lines with a row of their own.
STRONG_LINES = ("OII-3727", "OII-3730", "Hbeta-4863", "OIII-5008", "Halpha-6565", "NII-6585", "SII-6718", "SII-6733")
ALL_LINES = "flux all free lines"
#: Lines with a row for their equivalent width: those on deep absorption, and one that is not.
EW_LINES = ("Hbeta-4863", "OIII-5008", "Halpha-6565")
#: Ranges of S/N per pixel of the baxels.
SNR_RANGES = {"above 20": (20.0, np.inf), "10-20": (10.0, 20.0)}
#: Smallest true dispersion of the stars, km/s: below, the line spread of the templates takes over.
MIN_SIGMA_STAR = 60.0
#: True line flux over its error from which on a flux, and (Halpha) the motions of the gas, count.
MIN_LINE_SNR, MIN_HALPHA_SNR = 3.0, 5.0
#: What the pulls must keep to.
MEAN_LIMIT, WIDTH_LIMITS = 0.3, (0.8, 1.3)
#: A value fails if it exceeds a limit by more than this many of its errors; a smaller excess may be chance.
FAIL_ERRORS = 2.0
#: Fewer baxels than this say nothing.
MIN_COUNT = 10

#: 1.4826 / (4 phi(0.6745)), with phi the density of a unit Gaussian.
_GAUSSIAN_SPREAD = 1.166
_MEANS = ("log_age_lw", "log_age_mw", "metallicity_lw", "metallicity_mw", "log_ml_r", "ebv_star", "ebv_gas")
_UNITS = {"v_star": "km/s", "sigma_star": "km/s", "v_gas": "km/s", "sigma_gas": "km/s"}
_UNITS |= {f"EW {line}": "Angstrom" for line in EW_LINES}
_FLUX_UNIT = "1e-17 erg/s/cm2/spaxel"


class Comparison(NamedTuple):
    """One quantity over baxels, shape (n,) each: value, error, truth, S/N of the baxel, index of its galaxy."""

    measured: np.ndarray
    error: np.ndarray
    truth: np.ndarray
    snr: np.ndarray
    galaxy: np.ndarray

    @property
    def pull(self) -> np.ndarray:
        """Measured minus true over the error, shape (n,)."""
        return (self.measured - self.truth) / self.error

    def between(self, low: float, high: float) -> "Comparison":
        """Those with low <= S/N < high."""
        use = (self.snr >= low) & (self.snr < high)
        return Comparison(*(values[use] for values in self))


class RecoveryRow(NamedTuple):
    """One row of the table: a quantity in a range of S/N.

    The median offset is in ``unit``; means and widths are those of the pulls. Their errors come from the scatter
    between galaxies, as neighbouring baxels share noise. ``holds``: yes, within the limits; no, beyond one by more
    than :data:`FAIL_ERRORS` errors; "within its error", between the two; "too few" baxels.
    """

    quantity: str
    unit: str
    snr_per_pixel: str
    n_value: int
    n_galaxy: int
    median_offset: float
    mean_pull: float
    mean_pull_error: float
    std_pull: float
    robust_width: float
    robust_width_error: float
    fraction_within_1_sigma: float
    limit_abs_mean: float
    limit_width_low: float
    limit_width_high: float
    holds: str


def baxel_truth(extract: Artefact, truth: Artefact) -> dict[str, np.ndarray]:
    """Truth of the baxels of a galaxy, averaged over their spaxels as the extraction averages spectra.

    Parameters
    ----------
    extract, truth : Artefact
        Of one galaxy.

    Returns
    -------
    dict of ndarray
        Shape (n_baxel,): v and sigma of stars (weighted by light) and gas (weighted by Halpha) in km/s, from the first
        and second moment of all motions in the bin; labels of the populations, means weighted by light. ``line_flux``,
        shape (n_baxel, n_line), 1e-17 erg/s/cm2/spaxel: the mean over spaxels, as a baxel's spectrum is a mean.
        ``line_ew``, Angstrom: that flux over the mean continuum; NaN where a spaxel has no line to tell it.
    """
    inside = extract["bin_id"] >= 0
    bins, n = extract["bin_id"][inside], len(extract["snr"])
    light = truth["light_weight"][inside].astype(float)
    flux = truth["line_flux"][:, inside].astype(float)
    halpha = flux[[str(name) for name in truth["line"]].index("Halpha-6565")]
    out = {}
    for what, weight in (("star", light), ("gas", halpha)):
        motions = truth[f"v_{what}"][inside].astype(float), truth[f"sigma_{what}"][inside].astype(float)
        out[f"v_{what}"], out[f"sigma_{what}"] = combined_moments(bins, n, weight, *motions)
    out |= {name: weighted_mean(bins, n, light, truth[name][inside]) for name in _MEANS}
    ew = truth["line_ew"][:, inside].astype(float)
    continuum = np.divide(flux, ew, out=np.full(flux.shape, np.nan), where=ew > 0)
    every = np.ones(bins.size)
    mean_flux, mean_continuum = (
        np.array([weighted_mean(bins, n, every, line) for line in lines]).T for lines in (flux, continuum)
    )
    return out | {"line_flux": mean_flux, "line_ew": mean_flux / mean_continuum}


def weighted_mean(bins, n: int, weight, values) -> np.ndarray:
    """Mean, shape (n,), of values over the members of each bin; NaN where the weights add up to nothing.

    Parameters
    ----------
    bins : ndarray of int, shape (n_member,)
    n : int
        Number of bins.
    weight, values : ndarray, shape (n_member,)
    """
    total = np.bincount(bins, weight, minlength=n)
    summed = np.bincount(bins, weight * values, minlength=n)
    return np.divide(summed, total, out=np.full(n, np.nan), where=total > 0)


def combined_moments(bins, n: int, weight, velocity, sigma) -> tuple[np.ndarray, np.ndarray]:
    """Velocity and dispersion, shape (n,), of the summed light of the members of each bin (parameters as above).

    The dispersion is the square root of the mean of sigma^2 + velocity^2 less the squared mean velocity.
    """
    mean = weighted_mean(bins, n, weight, velocity)
    # About the mean of the bin, so that no large numbers cancel.
    return mean, np.sqrt(weighted_mean(bins, n, weight, sigma**2 + (velocity - mean[bins]) ** 2))


def compare(extract: Artefact, fit: Artefact, truth: Artefact) -> dict[str, Comparison]:
    """Measured against true, by quantity, of the baxels of a galaxy whose fit is ok.

    The motions of the gas count where Halpha has a true S/N above 5, a flux where its own is above 3, the dispersion
    of the stars where the true one is above 60 km/s.

    Parameters
    ----------
    extract, fit, truth : Artefact
        Of one galaxy, with at least the datasets that this module lists.
    """
    true, names = baxel_truth(extract, truth), fit_lines().name
    snr, ok = extract["snr"], fit["status"] == OK
    line_snr = np.divide(
        true["line_flux"], fit["line_flux_err"], out=np.zeros_like(true["line_flux"]), where=_known(fit)
    )
    gas = line_snr[:, names.index("Halpha-6565")] > MIN_HALPHA_SNR
    selections = {
        "v_star": ok,
        "sigma_star": ok & (true["sigma_star"] > MIN_SIGMA_STAR),
        "v_gas": ok & gas,
        "sigma_gas": ok & gas,
    }
    found = {name: comparison(fit[name], fit[f"{name}_err"], true[name], snr, use) for name, use in selections.items()}
    for k in np.flatnonzero(fit_lines().partner == np.arange(len(names))):
        columns = (values[:, k] for values in (fit["line_flux"], fit["line_flux_err"], true["line_flux"]))
        found[f"flux {names[k]}"] = comparison(*columns, snr, ok & (line_snr[:, k] > MIN_LINE_SNR))
    for line in EW_LINES:
        k = names.index(line)
        columns = (values[:, k] for values in (fit["line_ew"], fit["line_ew_err"], true["line_ew"]))
        found[f"EW {line}"] = comparison(*columns, snr, ok & (line_snr[:, k] > MIN_LINE_SNR))
    return found


def comparison(measured, error, truth, snr, use) -> Comparison:
    """Those of ``use`` that have a value, an error and a truth."""
    use = use & np.isfinite(measured) & np.isfinite(truth) & (error > 0) & np.isfinite(error)
    columns = (np.asarray(values, float)[use] for values in (measured, error, truth, snr))
    return Comparison(*columns, galaxy=np.zeros(use.sum(), int))


def join(parts: list[Comparison]) -> Comparison:
    """Comparisons put together."""
    return Comparison(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def pool(galaxies: Iterable[Mapping[str, Comparison]]) -> dict[str, Comparison]:
    """Comparisons of all galaxies joined, and all free lines together as one more quantity."""
    parts: dict[str, list[Comparison]] = {}
    for i, galaxy in enumerate(galaxies):
        for name, comparison in galaxy.items():
            parts.setdefault(name, []).append(comparison._replace(galaxy=np.full(comparison.snr.size, i)))
    joined = {name: join(found) for name, found in parts.items()}
    return joined | {ALL_LINES: join([found for name, found in joined.items() if name.startswith("flux ")])}


def recovery_table(pooled: Mapping[str, Comparison]) -> list[RecoveryRow]:
    """Bias and width of the pulls of each quantity in each range of S/N, and whether they keep to the limits.

    Parameters
    ----------
    pooled : mapping
        From :func:`pool`.
    """
    names = [*_UNITS, *(f"flux {line}" for line in STRONG_LINES), ALL_LINES]
    return [_row(name, text, pooled[name].between(*limits)) for text, limits in SNR_RANGES.items() for name in names]


def robust_width(pull) -> float:
    """Width of a distribution from its median absolute deviation: 1.4826 MAD, 1 for a unit Gaussian; NaN if empty."""
    return float(1.4826 * np.median(np.abs(pull - np.median(pull)))) if np.size(pull) else float("nan")


def robust_width_error(pull, galaxy) -> float:
    """Standard error of the robust width of pulls, shape (n,), near a Gaussian; NaN for one galaxy.

    From the influence function of the median absolute deviation, summed by galaxy: 1.17 width / sqrt(n) where all
    pulls are independent.
    """
    distance = np.abs(pull - np.median(pull))
    return _GAUSSIAN_SPREAD * robust_width(pull) * clustered_error(np.sign(distance - np.median(distance)), galaxy)


def clustered_error(pull, galaxy) -> float:
    """Standard error of the mean of pulls, shape (n,), that are correlated within a galaxy; NaN for one galaxy."""
    names, member = np.unique(galaxy, return_inverse=True)
    if names.size < 2:
        return float("nan")
    residual = np.bincount(member, pull - np.mean(pull))
    return float(np.sqrt(np.sum(residual**2) * names.size / (names.size - 1)) / np.size(pull))


def _known(fit: Artefact) -> np.ndarray:
    return np.isfinite(fit["line_flux_err"]) & (fit["line_flux_err"] > 0)


def _row(name: str, snr_range: str, comparison: Comparison) -> RecoveryRow:
    pull, n = comparison.pull, comparison.snr.size
    mean, std, inside = (float(f(pull)) if n else np.nan for f in (np.mean, np.std, lambda p: np.mean(np.abs(p) < 1.0)))
    offset = float(np.median(comparison.measured - comparison.truth)) if n else np.nan
    error = clustered_error(pull, comparison.galaxy)
    width, width_error = robust_width(pull), robust_width_error(pull, comparison.galaxy) if n else np.nan
    return RecoveryRow(
        name,
        _UNITS.get(name, _FLUX_UNIT),
        snr_range,
        n,
        np.unique(comparison.galaxy).size,
        offset,
        mean,
        error,
        std,
        width,
        width_error,
        inside,
        MEAN_LIMIT,
        *WIDTH_LIMITS,
        _verdict((mean, error), (width, width_error)) if n >= MIN_COUNT else "too few",
    )


def _verdict(mean: tuple[float, float], width: tuple[float, float]) -> str:
    """Whether a mean and a width, each with its error (NaN: unknown, taken as none), keep to the limits."""
    beyond = [abs(mean[0]) - MEAN_LIMIT, max(WIDTH_LIMITS[0] - width[0], width[0] - WIDTH_LIMITS[1])]
    if max(beyond) <= 0:
        return "yes"
    room = FAIL_ERRORS * np.nan_to_num([mean[1], width[1]])
    return "no" if np.any(beyond > room) else "within its error"
