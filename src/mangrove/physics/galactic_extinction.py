"""Extinction by dust in the Milky Way."""

import numpy as np

R_V = 3.1


def galactic_transmission(wave, ebv: float) -> np.ndarray:
    """Transmission of the Milky Way's dust, Fitzpatrick (1999) with R_V = 3.1.

    Parameters
    ----------
    wave : ndarray, shape (n_wave,)
        Observed wavelength, vacuum, Angstrom, 1000-33000.
    ebv : float
        E(B-V), mag.

    Returns
    -------
    ndarray, shape (n_wave,)
        Observed flux over flux before extinction; divide by it to correct. Without dust it is 1 at any wavelength.
    """
    if not ebv:
        return np.ones(np.shape(wave))
    import astropy.units as u
    from dust_extinction.parameter_averages import F99

    return F99(Rv=R_V).extinguish(np.asarray(wave, float) * u.AA, Ebv=ebv)
