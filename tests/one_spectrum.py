"""One simulated spectrum of known stars and lines, and its fit: what the tests of the fit share."""

from functools import cache

import numpy as np
from engines import fitted

from mangrove.physics.lines import fit_lines
from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.galaxy import GalaxyFit
from mangrove.spectra.fit.preparation import prepare
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.templates import broaden, match_lsf
from mangrove.ssp.loading import load_library

Z = 0.04
#: The pixels of the library at the redshift: spectra are made without interpolation, which would broaden them.
WAVE = load_library("mastar").wave * (1 + Z)
#: Line spread a little coarser than MaStar everywhere, so that templates must be convolved to it.
LSF = WAVE / 1200.0 / 2.3548
LINES = fit_lines()
SETTINGS = FitSettings()
V_STAR, SIGMA_STAR, V_GAS, SIGMA_GAS = 120.0, 150.0, -80.0, 90.0
#: Observed flux of the lines put in, the unit of the spectrum times Angstrom.
FLUX = {"Halpha_6565": 30.0, "NII_6585": 12.0, "Hbeta_4863": 10.0, "OIII_5008": 15.0, "OII_3727": 9.0}


@cache
def stars():
    library = load_library("mastar")
    return match_lsf(library, 1e-4 * np.log(10), WAVE / (1 + Z), LSF / (1 + Z))


def noise_free(line_scale=1.0, response=0.2):
    """A 3 Gyr population with a curved response, and lines as analytic Gaussians of known area."""
    templates = stars()
    index = np.flatnonzero((templates.age == 3.0) & (templates.metallicity == 0.0))[0]
    rest = WAVE / (1 + Z)
    moved = broaden(templates.flux[:, [index]], 1e-4 * np.log(10), V_STAR, SIGMA_STAR)[:, 0]
    spectrum = moved * (1.0 + response * np.sin(rest / 900.0))
    for name, area in FLUX.items():
        weak = [
            (LINES.wave[i], LINES.ratio[i]) for i in range(len(LINES.name)) if LINES.partner[i] == LINES.index(name)
        ]
        for rest_wave, ratio in weak:
            centre = rest_wave * (1 + Z) * np.exp(V_GAS / C_KMS)
            sigma = np.hypot(np.interp(centre, WAVE, LSF), centre * SIGMA_GAS / C_KMS)
            profile = np.exp(-0.5 * ((WAVE - centre) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
            spectrum = spectrum + line_scale * area * ratio * profile
    return spectrum


def noisy(snr=60.0, seed=0, scale=1.0, response=0.2):
    clean = noise_free(response=response)
    error = np.full(WAVE.size, np.median(clean) / snr)
    return clean + scale * error * np.random.default_rng(seed).normal(size=WAVE.size), error * scale


def fit(flux, error, mask=None, z=Z, settings=SETTINGS, engine="ppxf"):
    (pair,) = fit_several([(flux, error)], mask, z, settings, engine)
    return pair


def fit_several(rows, mask=None, z=Z, settings=SETTINGS, engine="ppxf"):
    """Spectrum and result for each flux with its error."""
    mask = np.zeros(WAVE.size) if mask is None else mask
    spectra = [prepare(WAVE, f, e**-2.0, mask, LSF, z, np.ones(WAVE.size), settings) for f, e in rows]
    return list(zip(spectra, fitted(engine, GalaxyFit(z, stars(), LINES, settings), spectra), strict=True))
