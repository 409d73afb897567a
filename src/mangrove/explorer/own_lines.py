"""The emulator's lines of a spectrum beside those that its fit measured.

JAX is imported when they are asked for: it takes a second, and other views need none.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mangrove.codes import PredictionFlag
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.line_emulator import emulator_of
from mangrove.explorer.own_spectrum import Taken
from mangrove.models.emulator.emission_lines import LINES
from mangrove.notebook.spectrum_columns import SpectrumFile
from mangrove.physics.wavelengths import velocity_to_redshift
from mangrove.spectra.observed import corrected

if TYPE_CHECKING:
    from mangrove.models.emulator.emulator import Emulator
    from mangrove.notebook.spectrum_fit import SpectrumFit


class LinesBeside(NamedTuple):
    """Predicted and measured lines; equivalent widths in Angstrom, rest frame, emission positive, NaN where unknown.

    Attributes
    ----------
    names : tuple of str, length n_line
    listed : ndarray, shape (n_line,)
        EW that a survey like the training one would list: compare this one with the measured.
    low, median, high : ndarray, shape (n_line,)
        16, 50 and 84 % of the intrinsic distribution.
    measured, error : ndarray, shape (n_line,)
        Of the fit.
    edges : ndarray, shape (n_bin + 1,)
        Of the bins, Angstrom, rest frame.
    flux_bins : ndarray, shape (n_bin,)
        Mean flux of the continuum in them, 1e-17 erg/s/cm2/Angstrom: what the emulator saw.
    flags : tuple of PredictionFlag
    """

    names: tuple[str, ...]
    listed: np.ndarray
    low: np.ndarray
    median: np.ndarray
    high: np.ndarray
    measured: np.ndarray
    error: np.ndarray
    edges: np.ndarray
    flux_bins: np.ndarray
    flags: tuple[PredictionFlag, ...]


def lines_beside(run: ExploredRun, spectrum: SpectrumFile, about: Taken, fit: "SpectrumFit") -> LinesBeside:
    """Predict the lines of a spectrum from its continuum, binned as that of the run's baxels.

    Raises
    ------
    ModelError
        If the run has no emulator.
    """
    from mangrove.models.emulator.baxel_table import line_widths
    from mangrove.models.emulator.continuum_features import luminosity_of

    model = emulator_of(run)
    flux = flux_in_bins(model, spectrum, about, fit)
    luminosity = luminosity_of(flux, np.full(1, about.z, np.float32)) if model.uses_luminosity else None
    prediction = model(flux, luminosity)
    low, high = (np.sinh(np.asarray(end)[0]) for end in prediction.mixture.interval())
    measured, error = (values[0] for values in line_widths(fit.stored))
    mine = [LINES.index(name) for name in model.lines]
    return LinesBeside(
        names=model.lines,
        listed=np.asarray(prediction.ew)[0],
        low=low,
        median=np.sinh(np.asarray(prediction.mixture.median())[0]),
        high=high,
        measured=measured[mine],
        error=error[mine],
        edges=np.array(model.bins.edges),
        flux_bins=flux[0],
        flags=tuple(flag for flag in PredictionFlag if int(prediction.flag[0]) & flag),
    )


def flux_in_bins(model: "Emulator", spectrum: SpectrumFile, about: Taken, fit: "SpectrumFit") -> np.ndarray:
    """Mean flux of the continuum in the bins of a model, Galactic extinction and lines removed, shape (1, n_bin).

    Lines are hidden where the fit has the gas, as in the table that the run's emulator learned from.
    """
    from mangrove.models.emulator.rest_continuum import bin_continuum
    from mangrove.notebook.inputs import observed_spectrum

    data = observed_spectrum(spectrum.wave, spectrum.flux, spectrum.ivar, about.lsf, spectrum.mask, about.air)
    width = fit.inputs.artefact.attrs["sky_half_width"]
    flux, _, good = corrected(data.wave, data.flux, data.ivar, data.mask, fit.inputs.transmission, width)
    velocity = np.nan_to_num(fit["v_gas"].value)
    z = velocity_to_redshift(np.full(1, velocity), about.z)
    return bin_continuum(data.wave, flux[None], good[None], z, model.bins)
