"""A few simulated spectra over a short range, of two galaxies: what the tests of the batched fit share."""

from functools import cache

import numpy as np
from one_spectrum import LINES, LSF, WAVE, Z, noisy

from mangrove.spectra.fit.batched.arrays import galaxies_of, layout_of, lines_of, spectra_of
from mangrove.spectra.fit.batched.batch import Batch
from mangrove.spectra.fit.galaxy import GalaxyFit
from mangrove.spectra.fit.preparation import prepare
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.templates import match_lsf
from mangrove.ssp.loading import load_library

#: From Hbeta on; the second has a redshift a little off, and ends before [NI].
RANGES, REDSHIFTS = ((4840.0, 5460.0), (4810.0, 5190.0)), (Z, Z + 0.0003)


@cache
def galaxies(**settings):
    """Two galaxies with templates of their own."""
    library = load_library("mastar")
    made = []
    for rest_range, z in zip(RANGES, REDSHIFTS, strict=True):
        chosen = FitSettings(rest_range=rest_range, **settings)
        stars = match_lsf(library, 1e-4 * np.log(10), WAVE / (1 + z), LSF / (1 + z), rest_range)
        made.append(GalaxyFit(z, stars, LINES, chosen))
    # A batch has one set of settings; the range is that of each galaxy's templates and spectra already.
    return [galaxy._replace(settings=made[0].settings) for galaxy in made]


@cache
def spectrum(galaxy: int, snr=60.0, seed=0):
    """A noisy spectrum of one of them, with masked pixels."""
    flux, error = noisy(snr, seed)
    mask = np.zeros(WAVE.size, int)
    mask[1500:1510] = 1
    settings = FitSettings(rest_range=RANGES[galaxy])
    z = REDSHIFTS[galaxy]
    return prepare(WAVE, flux, error**-2.0, mask, LSF, z, np.ones(WAVE.size), settings, seed)


def batch(which=(0, 1, 0), snr=60.0, guides=None, components=(0,), **settings):
    """Spectra of the galaxies ``which``, each with noise of its own."""
    known = galaxies(**settings)
    spectra = [spectrum(g, snr, i) for i, g in enumerate(which)]
    layout = layout_of(known, spectra, components)
    arrays = galaxies_of(layout, known, [spectrum(g, snr) for g in range(len(known))])
    guides = guides or [None] * len(which)
    return Batch(layout, arrays, lines_of(layout, LINES), spectra_of(layout, known, which, spectra, guides))
