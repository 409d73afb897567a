"""From a baxel of an artefact to a spectrum ready to fit."""

import numpy as np

from mangrove.codes import FitStatus
from mangrove.spectra.fit.bounds import MIN_PIXELS
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.observed import corrected


def prepare(wave, flux, ivar, mask, lsf, z: float, transmission, settings: FitSettings, seed: int = 0) -> Spectrum:
    """Cut a baxel's spectrum to the fitted range and mask the night sky.

    Parameters
    ----------
    wave, flux, ivar, mask, lsf : ndarray, shape (n_wave,)
        Observed frame, as in the artefact 'extract'.
    z : float
        Catalogue redshift.
    transmission : ndarray, shape (n_wave,)
        Of the Milky Way's dust; flux and error are divided by it.
    seed : int
        Of the draws.
    """
    rest = wave / (1.0 + z)
    use = (rest >= settings.rest_range[0]) & (rest <= settings.rest_range[1])
    fitted = (values[use] for values in (wave, flux, ivar, np.asarray(mask), transmission))
    values, error, good = corrected(*fitted, settings.sky_half_width)
    # pPXF wants a finite, positive error everywhere; masked pixels do not count.
    error[~good] = error[good].max() if good.any() else 1.0
    return Spectrum(
        wave=rest[use],
        flux=values,
        error=error,
        good=good,
        lsf_sigma=fill_lsf(wave, lsf)[use] / (1.0 + z),
        seed=seed,
    )


def fill_lsf(wave, lsf) -> np.ndarray:
    """Line spread function (LSF), shape (n_wave,), interpolated over pixels without one (0); unchanged if no pixel has one."""
    known = lsf > 0
    return np.interp(wave, wave[known], lsf[known]) if known.any() else np.asarray(lsf, float)


def status_without_fit(spectrum: Spectrum, settings: FitSettings) -> FitStatus | None:
    """Why a spectrum cannot be fitted; None if it can."""
    n_good = int(spectrum.good.sum())
    if n_good == 0:
        return FitStatus.ALL_MASKED
    if n_good < max(MIN_PIXELS, settings.min_good_fraction * spectrum.good.size):
        return FitStatus.TOO_FEW_PIXELS
    return FitStatus.NO_STELLAR_CONTINUUM if np.median(np.abs(spectrum.flux[spectrum.good])) == 0.0 else None
