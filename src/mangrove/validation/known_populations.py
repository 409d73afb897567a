"""The fit and the labels on single spectra of known populations: those that it can match exactly, and others."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline

from mangrove.codes import FitStatus
from mangrove.physics.cosmology import universe_age
from mangrove.physics.dust import calzetti, cardelli
from mangrove.physics.lines import fit_lines
from mangrove.spectra.fit.engines import fit_all
from mangrove.spectra.fit.galaxy import GalaxyFit, draw_seed
from mangrove.spectra.fit.preparation import prepare
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.templates import match_lsf
from mangrove.spectra.labels.populations import population_labels, population_values, scatter, template_table
from mangrove.ssp.library import SspLibrary
from mangrove.ssp.loading import load_library, younger_than
from mangrove.survey.simulation.instrument import LOG_STEP
from mangrove.survey.simulation.spectra import mock_spectra
from mangrove.validation.comparison import robust_width

REDSHIFT = 0.03
LABELS = ("log_age_lw", "metallicity_lw", "log_ml_r", "ebv_star", "log_age_mw", "metallicity_mw")
#: The simulation needs these wavelengths, Angstrom, of a library that is not the embedded one.
_SIMULATED_RANGE = (3450.0, 8900.0)
#: S/N of the spectra that the fit can match, and of those that it cannot (their limits are for this one).
_MATCHED_SNR, _OTHER_SNR = (20.0, 30.0, 60.0), 30.0


class Limit(NamedTuple):
    """Largest absolute bias and largest rms of a label; NaN for none."""

    bias: float = np.nan
    rms: float = np.nan


class BiasAndRms(NamedTuple):
    """Bias and rms of a label over 400 spectra, where theory sets no limit."""

    bias: float
    rms: float

    def limit(self, n: int) -> Limit:
        """What n spectra may reach: beyond what was measured by three standard errors of their bias and of their rms."""
        spread = np.sqrt(self.rms**2 - self.bias**2)
        return Limit(abs(self.bias) + 3.0 * spread / np.sqrt(n), self.rms * (1.0 + 3.0 / np.sqrt(2.0 * n)))


class Case(NamedTuple):
    """Spectra of one kind.

    Attributes
    ----------
    name : str
    snr : float
        Per pixel.
    curve : callable
        Of their dust.
    library : str
        Of their populations (:func:`mangrove.ssp.loading.load_library`); the fit takes the embedded one.
    limits : dict of Limit
        By label, for any number of spectra.
    measured : dict of BiasAndRms
        By label, of spectra that the fit cannot match: a row keeps to the smaller limit.
    """

    name: str
    snr: float
    curve: Callable
    library: str
    limits: dict[str, Limit]
    measured: dict[str, BiasAndRms]

    def limit(self, label: str, n: int) -> Limit:
        """What a label of n spectra must keep to."""
        fixed = self.limits.get(label, Limit())
        return Limit(*np.fmin(fixed, self.measured[label].limit(n))) if label in self.measured else fixed


class PopulationRow(NamedTuple):
    """Bias, scatter and width of the pulls of one label in one case."""

    spectra: str
    snr_per_pixel: float
    label: str
    n_value: int
    bias: float
    rms: float
    median_error: float
    robust_pull_width: float
    limit_bias: float
    limit_rms: float
    holds: str


def matched(snr: float) -> Case:
    """Spectra of the fit's own populations (between the points of its grid) and dust curve."""
    age = Limit(0.05, 0.12 if snr < 40 else 0.08)
    limits = {"log_age_lw": age, "metallicity_lw": age, "log_ml_r": Limit(rms=0.10), "ebv_star": Limit(rms=0.03)}
    return Case("same populations and dust curve", snr, calzetti, "mastar", limits, {})


def other_dust(snr: float) -> Case:
    """Spectra behind dust of the curve of Cardelli et al. (1989); ``measured`` is for an S/N of 30."""
    limits = {
        "log_age_lw": Limit(0.10, 0.15),
        "metallicity_lw": Limit(0.08, 0.12),
        "log_ml_r": Limit(rms=0.10),
        "ebv_star": Limit(0.10, 0.11),
    }
    measured = {
        "log_age_lw": BiasAndRms(0.060, 0.103),
        "metallicity_lw": BiasAndRms(-0.044, 0.093),
        "log_ml_r": BiasAndRms(0.027, 0.068),
        "ebv_star": BiasAndRms(-0.079, 0.094),
    }
    return Case("dust of Cardelli et al. (1989)", snr, cardelli, "mastar", limits, measured)


def other_library(snr: float, library: str) -> Case:
    """Spectra of another library's populations; ``measured`` is for E-MILES (BaSTI, Kroupa) and an S/N of 30."""
    limits = {
        "log_age_lw": Limit(0.10, 0.16),
        "metallicity_lw": Limit(0.25, 0.30),
        "log_ml_r": Limit(rms=0.13),
        "ebv_star": Limit(0.03, 0.04),
    }
    measured = {
        "log_age_lw": BiasAndRms(-0.005, 0.111),
        "metallicity_lw": BiasAndRms(-0.153, 0.199),
        "log_ml_r": BiasAndRms(-0.013, 0.097),
        "ebv_star": BiasAndRms(-0.018, 0.024),
    }
    return Case("populations of another library", snr, calzetti, library, limits, measured)


def cases(library: str) -> list[Case]:
    """The cases of a run's table.

    Parameters
    ----------
    library : str
        Of populations that the fit does not know (:func:`mangrove.ssp.loading.load_library`); empty for none.
    """
    found = [*map(matched, _MATCHED_SNR), other_dust(_OTHER_SNR)]
    return [*found, other_library(_OTHER_SNR, library)] if library else found


def recover(
    case: Case, n: int, settings: FitSettings, engine: str, n_process: int, seed: int = 1
) -> list[PopulationRow]:
    """Draw n spectra of a case, fit them with the embedded templates, and compare labels with truth.

    Parameters
    ----------
    engine : str
        What fits them (:mod:`mangrove.spectra.fit.engines`).
    """
    mock = mock_spectra(on_step(load_library(case.library)), n, case.snr, REDSHIFT, seed, curve=case.curve)
    library = younger_than(load_library("mastar"), universe_age(REDSHIFT))
    rest, nothing = mock.wave / (1.0 + REDSHIFT), np.zeros(mock.wave.size)
    stars = match_lsf(library, LOG_STEP, rest, mock.lsf / (1.0 + REDSHIFT), settings.rest_range, settings.reach)
    spectra = [
        prepare(mock.wave, f, e**-2.0, nothing, mock.lsf, REDSHIFT, nothing + 1.0, settings, draw_seed(seed, "mock", i))
        for i, (f, e) in enumerate(zip(mock.flux, mock.error, strict=True))
    ]
    results = fit_all(engine, GalaxyFit(REDSHIFT, stars, fit_lines(), settings), spectra, n_process)
    # The spectra have no gas, so an undetermined gas width says nothing about the stars.
    good = np.isin([r.status for r in results], (FitStatus.OK, FitStatus.GAS_AT_BOUND))
    columns = {name: np.array([getattr(r, name) for r in results]) for name in _NEEDED}
    table = template_table(library, stars.age, stars.metallicity)
    labels = population_labels(columns["weights"], population_values(columns["weights_draw"], table), table)
    measured = {name: (label.value, label.error) for name, label in labels.items()}
    measured["ebv_star"] = columns["ebv_star"], scatter(columns["ebv_draw"])
    return [population_row(case, name, *(v[good] for v in (*measured[name], mock.truth[name]))) for name in LABELS]


_NEEDED = ("weights", "weights_draw", "ebv_star", "ebv_draw")


def population_row(case: Case, name: str, value, error, truth) -> PopulationRow:
    """Bias, scatter and pulls of a label's values, shape (n,); NaN, and no limit kept, of no values.

    Values whose error is zero (all noisy copies at a bound) have no pull.
    """
    offset, n = value - truth, value.size
    limit = case.limit(name, max(n, 1))
    bias, rms, median = (np.mean(offset), np.sqrt(np.mean(offset**2)), np.median(error)) if n else (np.nan,) * 3
    holds = "no" if not n or abs(bias) > limit.bias or rms > limit.rms else "yes"
    has_pull = error > 0
    return PopulationRow(
        spectra=case.name,
        snr_per_pixel=case.snr,
        label=name,
        n_value=n,
        bias=float(bias),
        rms=float(rms),
        median_error=float(median),
        robust_pull_width=robust_width(offset[has_pull] / error[has_pull]),
        limit_bias=limit.bias,
        limit_rms=limit.rms,
        holds="no limit" if np.all(np.isnan(limit)) else holds,
    )


def on_step(library: SspLibrary) -> SspLibrary:
    """A library on log-linear wavelengths with MaNGA's step, as the simulation wants it."""
    steps = np.diff(np.log(library.wave))
    if np.allclose(steps, LOG_STEP, rtol=1e-6):
        return library
    low, high = _SIMULATED_RANGE
    wave = low * np.exp(LOG_STEP * np.arange(int(np.log(high / low) / LOG_STEP)))
    flux = CubicSpline(library.wave, library.flux, axis=-1)(wave)
    return library._replace(wave=wave, flux=flux, fwhm=np.interp(wave, library.wave, library.fwhm))
