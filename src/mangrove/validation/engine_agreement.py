"""How well two engines of the fit agree: both on the same spectra, one taken as the reference."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from mangrove.codes import FitStatus, LineStatus
from mangrove.physics.lines import distance_to_lines
from mangrove.spectra.fit.bounds import CLIP_FROM_LINE, GAS_DETECTED
from mangrove.spectra.fit.galaxy import GalaxyFit
from mangrove.spectra.fit.model import model_spectrum
from mangrove.spectra.fit.regularisation import second_differences
from mangrove.spectra.fit.results import FitResult
from mangrove.spectra.fit.shape import attenuation_at_pivot
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.labels.populations import TemplateTable, population_values, scatter

#: Largest median and 95th percentile of the differences over the errors.
MEDIAN_LIMIT, LARGE_LIMIT = 0.05, 0.3
#: How much larger chi2 may be in 99 of 100 spectra, and in all of those without a flag.
CHI2_LIMIT, LARGEST_CHI2 = 0.1, 0.5
#: By how much the median width of the draws may differ.
WIDTH_LIMIT = 0.1
#: Fewer draws of all spectra together do not tell widths apart by this much.
_LEAST_DRAWS = 800
POPULATIONS = ("log_age_lw", "metallicity_lw", "log_ml_r")
KINEMATICS = ("v_star", "sigma_star", "v_gas", "sigma_gas")
WIDTHS = (*POPULATIONS, "ebv_star")
#: Quantities whose differences have the limits.
LIMITED = (*KINEMATICS, *WIDTHS, "line_flux")

#: What says nothing against the stars.
_STARS = (FitStatus.OK, FitStatus.GAS_AT_BOUND, FitStatus.SIGMA_BELOW_LSF)
#: A difference that is nothing but rounding, over the value; what both have at a bound has no error to be measured by.
_ROUNDING = 1e-6


class Agreement(NamedTuple):
    """Fits of n spectra by an engine and by the reference.

    Attributes
    ----------
    chi2, chi2_reference : ndarray, shape (n,)
        Of data and priors, by one formula (:func:`chi2_of`); NaN where one has no fit.
    same_status : ndarray of bool, shape (n,)
    flagged : ndarray of bool, shape (n,)
        Whether the engine's result says that none of it is to be relied on, or that another minimum is as good: not where it
        says so of the gas or of the dispersion alone.
    difference : dict of ndarray, shape (n,) or (n, n_line)
        Of each quantity over the reference's error; NaN where it means nothing: stars without a status that trusts
        them, motions of gas that is not detected, lines that are not measured.
    width : dict of ndarray, shape (n,)
        Scatter of the draws over that of the reference; NaN without scatter.
    n_draw : ndarray of int, shape (n,)
    """

    chi2: np.ndarray
    chi2_reference: np.ndarray
    same_status: np.ndarray
    flagged: np.ndarray
    difference: dict[str, np.ndarray]
    width: dict[str, np.ndarray]
    n_draw: np.ndarray


class AgreementRow(NamedTuple):
    """A row of the table of agreement; ``quantity`` says of what, and the limits are NaN where there are none.

    A row ``holds`` if it keeps its limits; widths from fewer than 800 draws in all always do, since they tell nothing.

    ``median`` and ``large`` are the median and the 95th percentile of absolute differences over errors; of chi2 the
    median and the 99th percentile of the engine's minus the reference's, and the largest of those without a flag; of
    widths the median of their ratio.
    """

    quantity: str
    n: int
    median: float
    large: float
    largest: float
    limit_median: float
    limit_large: float
    holds: bool


def compared(
    galaxy: GalaxyFit,
    table: TemplateTable,
    spectra: Sequence[Spectrum],
    found: Sequence[FitResult],
    reference: Sequence[FitResult],
) -> Agreement:
    """Results of two engines for the baxels of a galaxy, spectrum by spectrum.

    Parameters
    ----------
    table : TemplateTable
        Of the galaxy's templates.
    """
    pairs = list(zip(spectra, found, reference, strict=True))
    chi2 = np.array([_chi2_of_both(galaxy, *pair) for pair in pairs]).reshape(-1, 2)
    difference, width = {}, {}
    stars = np.array([a.status in _STARS and b.status in _STARS for _, a, b in pairs])
    gas = np.array([_is_detected(a) and _is_detected(b) for _, a, b in pairs])
    for name in KINEMATICS:
        use = stars if name.endswith("star") else gas
        difference[name] = _over_error(
            use, *(_column(name, r) for r in (found, reference)), _column(f"{name}_err", reference)
        )
    ours, theirs = (_populations(table, results) for results in (found, reference))
    for name in WIDTHS:
        (value, error), (true, true_error) = ours[name], theirs[name]
        difference[name] = _over_error(stars, value, true, true_error)
        with np.errstate(divide="ignore", invalid="ignore"):
            width[name] = np.where(stars & (error > 0) & (true_error > 0), error / true_error, np.nan)
    measured = [np.all([r.line_status == LineStatus.OK for r in pair[1:]], axis=0) for pair in pairs]
    lines = (_column("line_flux", found), _column("line_flux", reference), _column("line_flux_err", reference))
    difference["line_flux"] = _over_error(np.array(measured), *lines)
    same = np.array([a.status == b.status for _, a, b in pairs])
    flagged = np.array([a.status not in _STARS or np.isfinite(a.v_gas_other) for _, a, _ in pairs])
    n_draw = np.array([len(b.weights_draw) for _, _, b in pairs], int)
    return Agreement(chi2[:, 0], chi2[:, 1], same, flagged, difference, width, n_draw)


def joined(parts: Iterable[Agreement]) -> Agreement:
    """The agreement over all spectra of several galaxies."""
    parts = list(parts)

    def together(columns):
        if isinstance(columns[0], dict):
            return {name: np.concatenate([c[name] for c in columns]) for name in columns[0]}
        return np.concatenate(columns)

    return Agreement(*(together(columns) for columns in zip(*parts, strict=True)))


def summary(agreement: Agreement) -> list[AgreementRow]:
    """The table of agreement, with whether each row keeps its limits."""
    rows = [_chi2_row(agreement)]
    for name, values in agreement.difference.items():
        limits = (MEDIAN_LIMIT, LARGE_LIMIT) if name in LIMITED else (np.nan, np.nan)
        rows.append(_row(name, np.abs(values[np.isfinite(values)]), 95.0, limits))
    for name, values in agreement.width.items():
        known = np.isfinite(values)
        ratio = values[known]
        median = float(np.median(ratio)) if ratio.size else np.nan
        holds = agreement.n_draw[known].sum() < _LEAST_DRAWS or abs(median - 1.0) <= WIDTH_LIMIT
        rows.append(
            AgreementRow(f"width of draws, {name}", ratio.size, median, np.nan, np.nan, WIDTH_LIMIT, np.nan, holds)
        )
    return rows


def chi2_of(galaxy: GalaxyFit, spectrum: Spectrum, fit: FitResult, n_left_out: int) -> float:
    """chi2 of data and priors of a fit from its parameters alone, whichever engine found them.

    Parameters
    ----------
    n_left_out : int
        So many pixels with the largest residuals away from lines do not count: those that were clipped as outliers.
    """
    model = model_spectrum(spectrum, galaxy.z, fit, galaxy.stars, galaxy.lines)
    square = np.where(spectrum.good, (spectrum.flux - model.stars - model.gas) / spectrum.error, 0.0) ** 2
    far = distance_to_lines(spectrum.wave, galaxy.lines) > CLIP_FROM_LINE
    out = np.sort(square[far])[::-1][:n_left_out]
    settings = galaxy.settings.continuum
    prior = (fit.polynomial / settings.calibration_error) ** 2 if settings.calibration_error > 0 else 0.0
    rough = second_differences(galaxy.stars, settings.regularisation) @ (
        fit.weights * attenuation_at_pivot(fit.ebv_star)
    )
    rough /= np.median(np.abs(spectrum.flux[spectrum.good]))
    return float(np.sum(square) - np.sum(out) + np.sum(prior) + np.sum(rough**2))


def _chi2_of_both(galaxy: GalaxyFit, spectrum: Spectrum, *fits: FitResult) -> tuple[float, float]:
    """Of the same pixels: those that one of them left out count for neither."""
    if not all(np.isfinite(fit.v_star) for fit in fits):
        return np.nan, np.nan
    n_left_out = max(fit.n_clipped for fit in fits)
    return tuple(chi2_of(galaxy, spectrum, fit, n_left_out) for fit in fits)


def _is_detected(fit: FitResult) -> bool:
    with np.errstate(invalid="ignore"):
        return bool(np.any(fit.line_flux > GAS_DETECTED * fit.line_flux_err))


def _populations(table: TemplateTable, fits: Sequence[FitResult]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Values and errors of the labels from weights, and of the dust."""
    values = population_values(_column("weights", fits), table)
    drawn = population_values(_column("weights_draw", fits), table)
    found = {name: (values[name], scatter(drawn[name])) for name in POPULATIONS}
    return found | {"ebv_star": (_column("ebv_star", fits), scatter(_column("ebv_draw", fits)))}


def _column(name: str, fits: Sequence[FitResult]) -> np.ndarray:
    return np.array([getattr(fit, name) for fit in fits])


def _over_error(use, value, true, error) -> np.ndarray:
    """Difference over the error, 0 where it is rounding; NaN where it is not to be used."""
    offset = np.where(np.abs(value - true) <= _ROUNDING * np.abs(true), 0.0, value - true)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(offset == 0.0, 0.0, offset / error)
    return np.where(use & np.isfinite(error), ratio, np.nan)


def _chi2_row(agreement: Agreement) -> AgreementRow:
    rise = agreement.chi2 - agreement.chi2_reference
    known = np.isfinite(rise)
    without_flag = rise[known & ~agreement.flagged]
    largest = float(np.max(without_flag, initial=-np.inf))
    row = _row("chi2", rise[known], 99.0, (np.nan, CHI2_LIMIT))
    return row._replace(largest=largest, holds=row.holds and largest <= LARGEST_CHI2)


def _row(name: str, values, percentile: float, limits) -> AgreementRow:
    if not values.size:
        return AgreementRow(name, 0, *[np.nan] * 3, *limits, holds=True)
    figures = float(np.median(values)), float(np.percentile(values, percentile))
    holds = not any(figure > limit for figure, limit in zip(figures, limits, strict=True))
    return AgreementRow(name, values.size, *figures, float(np.max(values)), *limits, holds)
