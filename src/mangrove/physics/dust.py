"""Dust curves of the stellar continuum and of gas, and what a smooth shape says in their terms."""

import numpy as np

CALZETTI_R_V = 4.05
CARDELLI_R_V = 3.1
_SPLIT = 6300.0


def calzetti(wave) -> np.ndarray:
    """A(lambda)/E(B-V) of the stellar continuum, Calzetti et al. (2000, ApJ 533, 682), equation 4, with R_V = 4.05.

    The two published pieces differ by 0.025 where they meet, at 6300 Angstrom. They hold for 1200-22000 Angstrom.

    Parameters
    ----------
    wave : array_like
        Rest frame, Angstrom.
    """
    x = 1e4 / np.asarray(wave, float)
    blue = -2.156 + 1.509 * x - 0.198 * x**2 + 0.011 * x**3
    return 2.659 * np.where(np.asarray(wave) < _SPLIT, blue, -1.857 + 1.040 * x) + CALZETTI_R_V


def cardelli(wave) -> np.ndarray:
    """A(lambda)/E(B-V) of gas, Cardelli, Clayton & Mathis (1989, ApJ 345, 245) with R_V = 3.1.

    Parameters
    ----------
    wave : array_like
        Rest frame, Angstrom, 1000-33333.
    """
    import astropy.units as u
    from dust_extinction.parameter_averages import CCM89

    return CCM89(Rv=CARDELLI_R_V)(np.asarray(wave, float) * u.AA) * CARDELLI_R_V


def polynomial_ebv(wave, shape) -> np.ndarray:
    """E(B-V) that the shape of a multiplicative polynomial stands for, mag, as in Woo & Ellison (2019).

    The least-squares slope of -2.5 log10(shape) against the curve of Calzetti et al. (2000); a constant is free.

    Parameters
    ----------
    wave : ndarray, shape (n_wave,)
        Rest frame, Angstrom.
    shape : ndarray, shape (..., n_wave)
        Positive.

    Returns
    -------
    ndarray, shape (...)
    """
    curve = calzetti(wave)
    curve = curve - curve.mean()
    return -2.5 * np.log10(shape) @ curve / (curve @ curve)
