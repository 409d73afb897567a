"""How well the fits recover the truth of the simulated survey."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.codes import FitStatus
from mangrove.physics.lines import fit_lines
from mangrove.validation.baxel_truth import EXTRACT_DATASETS, TRUTH_DATASETS, baxel_truth
from mangrove.validation.comparison import (
    FAIL_ERRORS,
    TruthComparison,
    clustered_error,
    comparison,
    join,
    robust_width,
    robust_width_error,
)

#: Datasets of the artefact 'fit' that a comparison needs.
FIT_DATASETS = [
    "status",
    *(f"{name}{end}" for name in ("v_star", "sigma_star", "v_gas", "sigma_gas") for end in ("", "_err")),
    *(f"{name}{end}" for name in ("line_flux", "line_ew") for end in ("", "_err")),
]

#: Lines with a row of their own.
STRONG_LINES = ("OII_3727", "OII_3730", "Hbeta_4863", "OIII_5008", "Halpha_6565", "NII_6585", "SII_6718", "SII_6733")
ALL_LINES = "flux all free lines"
#: Lines with a row for their equivalent width: those on deep absorption, and one that is not.
EW_LINES = ("Hbeta_4863", "OIII_5008", "Halpha_6565")
#: Ranges of S/N per pixel of the baxels.
SNR_RANGES = {"above 20": (20.0, np.inf), "10-20": (10.0, 20.0)}
#: Smallest true dispersion of the stars, km/s: below, the line spread of the templates takes over.
MIN_SIGMA_STAR = 60.0
#: True line flux over its error from which on a flux, and (Halpha) the kinematics of the gas, count.
MIN_LINE_SNR, MIN_HALPHA_SNR = 3.0, 5.0
#: What the pulls must keep to.
MEAN_LIMIT, WIDTH_LIMITS = 0.3, (0.8, 1.3)
#: Fewer baxels than this say nothing.
MIN_COUNT = 10

_UNITS = {"v_star": "km/s", "sigma_star": "km/s", "v_gas": "km/s", "sigma_gas": "km/s"}
_UNITS |= {f"EW {line}": "Angstrom" for line in EW_LINES}
_FLUX_UNIT = "1e-17 erg/s/cm2/spaxel"


class RecoveryRow(NamedTuple):
    """One row of the table: a quantity in a range of S/N.

    The median offset is in ``unit``; means and widths are those of the pulls. Their errors come from the scatter
    between galaxies, as neighbouring baxels share noise. ``holds``: yes, within the limits; no, beyond one by more
    than :data:`mangrove.validation.comparison.FAIL_ERRORS` errors; "within its error", between the two; "too few" baxels.
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


def compare(extract: Artefact, fit: Artefact, truth: Artefact) -> dict[str, TruthComparison]:
    """Measured against true, by quantity, of the baxels of a galaxy whose fit is ok.

    The kinematics of the gas count where Halpha has a true S/N above 5, a flux where its own is above 3, the dispersion
    of the stars where the true one is above 60 km/s.

    Parameters
    ----------
    extract, fit, truth : Artefact
        Of one galaxy, with at least :data:`FIT_DATASETS` and, of :mod:`mangrove.validation.baxel_truth`,
        ``EXTRACT_DATASETS`` and ``TRUTH_DATASETS``.
    """
    true, names = baxel_truth(extract, truth), fit_lines().name
    snr, ok = extract["snr"], fit["status"] == FitStatus.OK
    line_snr = np.divide(
        true["line_flux"], fit["line_flux_err"], out=np.zeros_like(true["line_flux"]), where=_known(fit)
    )
    gas = line_snr[:, names.index("Halpha_6565")] > MIN_HALPHA_SNR
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


def comparisons(extracts: Sequence, fits: Sequence, truths: Sequence) -> Iterator[dict[str, TruthComparison]]:
    """:func:`compare` of galaxies, one at a time, from the paths of their artefacts."""
    for extract, fit, truth in zip(extracts, fits, truths, strict=True):
        yield compare(
            artefacts.read(extract, "extract", EXTRACT_DATASETS),
            artefacts.read(fit, "fit", FIT_DATASETS),
            artefacts.read(truth, "truth", TRUTH_DATASETS),
        )


def pool(galaxies: Iterable[Mapping[str, TruthComparison]]) -> dict[str, TruthComparison]:
    """Comparisons of all galaxies joined, and all free lines together as one more quantity."""
    parts: dict[str, list[TruthComparison]] = {}
    for i, galaxy in enumerate(galaxies):
        for name, found in galaxy.items():
            parts.setdefault(name, []).append(found._replace(galaxy=np.full(found.snr.size, i)))
    joined = {name: join(found) for name, found in parts.items()}
    return joined | {ALL_LINES: join([found for name, found in joined.items() if name.startswith("flux ")])}


def recovery_table(pooled: Mapping[str, TruthComparison]) -> list[RecoveryRow]:
    """Bias and width of the pulls of each quantity in each range of S/N, and whether they keep to the limits.

    Parameters
    ----------
    pooled : mapping
        From :func:`pool`.
    """
    names = [*_UNITS, *(f"flux {line}" for line in STRONG_LINES), ALL_LINES]
    return [_row(name, text, pooled[name].between(*limits)) for text, limits in SNR_RANGES.items() for name in names]


def _known(fit: Artefact) -> np.ndarray:
    return np.isfinite(fit["line_flux_err"]) & (fit["line_flux_err"] > 0)


def _row(name: str, snr_range: str, found: TruthComparison) -> RecoveryRow:
    pull, n = found.pull, found.snr.size
    mean, std, inside = (float(f(pull)) if n else np.nan for f in (np.mean, np.std, lambda p: np.mean(np.abs(p) < 1.0)))
    offset = float(np.median(found.measured - found.truth)) if n else np.nan
    error = clustered_error(pull, found.galaxy)
    width, width_error = robust_width(pull), robust_width_error(pull, found.galaxy) if n else np.nan
    return RecoveryRow(
        quantity=name,
        unit=_UNITS.get(name, _FLUX_UNIT),
        snr_per_pixel=snr_range,
        n_value=n,
        n_galaxy=np.unique(found.galaxy).size,
        median_offset=offset,
        mean_pull=mean,
        mean_pull_error=error,
        std_pull=std,
        robust_width=width,
        robust_width_error=width_error,
        fraction_within_1_sigma=inside,
        limit_abs_mean=MEAN_LIMIT,
        limit_width_low=WIDTH_LIMITS[0],
        limit_width_high=WIDTH_LIMITS[1],
        holds=_verdict((mean, error), (width, width_error)) if n >= MIN_COUNT else "too few",
    )


def _verdict(mean: tuple[float, float], width: tuple[float, float]) -> str:
    """Whether a mean and a width, each with its error (NaN: unknown, taken as none), keep to the limits."""
    beyond = [abs(mean[0]) - MEAN_LIMIT, max(WIDTH_LIMITS[0] - width[0], width[0] - WIDTH_LIMITS[1])]
    if max(beyond) <= 0:
        return "yes"
    room = FAIL_ERRORS * np.nan_to_num([mean[1], width[1]])
    return "no" if np.any(beyond > room) else "within its error"
