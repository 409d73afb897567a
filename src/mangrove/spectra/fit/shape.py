"""What shapes the stellar continuum beside the populations: dust relative to a pivot, and the polynomial."""

import numpy as np

from mangrove.physics.constants import LN10
from mangrove.physics.dust import calzetti

#: The polynomial stays above this.
POLYNOMIAL_FLOOR = 0.05
#: Rest wavelength, Angstrom, at which weights count attenuated light while a fit runs.
PIVOT = 5500.0
#: A stellar continuum below this part of the median flux is the rounding error of a difference.
ROUNDING = 1e-9


def legendre(n: int, degree: int) -> np.ndarray:
    """Legendre polynomials of order 1 to degree on n pixels, shape (n, degree)."""
    return np.polynomial.legendre.legvander(np.linspace(-1.0, 1.0, n), degree)[:, 1:]


def relative_curve(wave) -> np.ndarray:
    """Optical depth per E(B-V) relative to that at :data:`PIVOT`, Calzetti et al. (2000)."""
    return 0.4 * LN10 * (calzetti(wave) - calzetti(PIVOT))


def attenuation_at_pivot(ebv):
    """Flux behind dust over flux without it, at :data:`PIVOT`."""
    return 10.0 ** (-0.4 * calzetti(PIVOT) * np.asarray(ebv))


def continuum_shape(theta, wave) -> np.ndarray:
    """Attenuation, relative to :data:`PIVOT`, times polynomial on the wavelengths of a spectrum."""
    return np.exp(-theta[0] * relative_curve(wave)) * polynomial_values(theta[1:], len(wave))


def polynomial_values(coefficients, n: int) -> np.ndarray:
    """The multiplicative polynomial 1 + sum of Legendre terms on n pixels, shape (n,), kept above its floor."""
    values = np.polynomial.legendre.legval(np.linspace(-1.0, 1.0, n), np.append(1.0, coefficients))
    return np.maximum(values, POLYNOMIAL_FLOOR)
