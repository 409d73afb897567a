"""A model on all pixels of a spectrum, with the dust of the Milky Way, as the data are before any correction."""

import numpy as np

from mangrove.spectra.fit.model import Model
from mangrove.spectra.fit.spectrum import Spectrum


def as_observed(wave, z: float, transmission, ready: Spectrum, model: Model | None) -> dict[str, np.ndarray]:
    """What a fit used and found, on all pixels of the data.

    Parameters
    ----------
    wave, transmission : ndarray, shape (n_wave,)
        Observed wavelength, Angstrom, and transmission of the Milky Way's dust there.
    ready : Spectrum
        The part that was fitted.
    model : Model or None
        None where there is no fit.

    Returns
    -------
    dict of ndarray, shape (n_wave,)
        used (whether a pixel counted); stars, gas and model (their sum), NaN outside the fitted range.
    """
    inside = fitted_range(wave, z, ready)
    found = {"used": np.zeros(wave.size, bool)}
    found["used"][inside] = ready.good
    for name in ("stars", "gas"):
        found[name] = np.full(wave.size, np.nan)
        if model is not None:
            found[name][inside] = getattr(model, name) * transmission[inside]
    return found | {"model": found["stars"] + found["gas"]}


def fitted_range(wave, z: float, ready: Spectrum) -> slice:
    """Pixels of the data, shape (n_wave,), that were fitted."""
    n = ready.wave.size
    first = int(np.argmin(np.abs(wave / (1.0 + z) - ready.wave[0]))) if n else 0
    return slice(first, first + n)
