"""What a spectrum is made of at given kinematics: weights of the templates and a multiplicative polynomial."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from mangrove.spectra.templates import GasTemplates, StellarTemplates, broaden
from mangrove.wavelengths import C_KMS

#: The polynomial stays above this; its coefficients have no other limit.
POLYNOMIAL_FLOOR = 0.05
#: The whole library and the polynomial may improve chi2 by no more than this at the final kinematics.
CHI2_TOLERANCE = 0.1
_TURNS = 4


class Spectrum(NamedTuple):
    """A spectrum ready to fit, cut to the fitted range; Galactic extinction removed.

    Attributes
    ----------
    wave : ndarray, shape (n_wave,)
        Vacuum, divided by 1 + catalogue redshift, Angstrom, log-linear.
    flux, error : ndarray, shape (n_wave,)
        Flux density (observed frame) and its standard deviation; finite everywhere.
    good : ndarray of bool, shape (n_wave,)
    sigma : ndarray, shape (n_wave,)
        Line spread, Gaussian sigma, Angstrom, in the frame of ``wave``.
    """

    wave: np.ndarray
    flux: np.ndarray
    error: np.ndarray
    good: np.ndarray
    sigma: np.ndarray

    @property
    def log_step(self) -> float:
        """Step in ln(wavelength)."""
        return float(np.log(self.wave[-1] / self.wave[0]) / (self.wave.size - 1))


class LinearProblem:
    """The fit of all templates and of the polynomial to a spectrum at given kinematics; shapes as in pPXF."""

    def __init__(self, spectrum: Spectrum, stars: StellarTemplates, gas: GasTemplates, degree: int):
        self.spectrum, self.stars, self.gas = spectrum, stars, gas
        self.good, self.error = spectrum.good, spectrum.error[spectrum.good]
        self.data = spectrum.flux[self.good] / self.error
        x = np.linspace(-1.0, 1.0, spectrum.wave.size)
        self.legendre = np.polynomial.legendre.legvander(x, degree)[self.good, 1:]

    def solve(self, kinematics, coefficients) -> tuple[np.ndarray, np.ndarray, float]:
        """Non-negative weights, polynomial coefficients and chi2.

        Stars times polynomial is linearised in the coefficients (Gauss-Newton); their columns are projected out of
        the non-negative problem, as they have no sign.

        Parameters
        ----------
        kinematics : array_like, shape (2, 2)
            Velocity and dispersion of stars and of gas, km/s.
        coefficients : ndarray, shape (degree,)
            Where to start.
        """
        stars, gas = self._design(kinematics)
        n = stars.shape[1]
        weights, chi2 = _non_negative(np.hstack([stars * self._shape(coefficients), gas]), self.data)
        for _ in range(_TURNS if coefficients.size else 0):
            columns = (stars @ weights[:n])[:, None] * self.legendre
            matrix = np.hstack([stars * self._shape(coefficients), gas])
            basis = np.linalg.qr(columns)[0]
            projected = matrix - basis @ (basis.T @ matrix)
            trial, _ = _non_negative(projected, self.data - basis @ (basis.T @ self.data))
            step = np.linalg.lstsq(columns, self.data - matrix @ trial, rcond=None)[0]
            moved = np.hstack([stars * self._shape(coefficients + step), gas])
            trial, reached = _non_negative(moved, self.data)
            if reached > chi2 - CHI2_TOLERANCE / 10.0:
                break
            weights, coefficients, chi2 = trial, coefficients + step, reached
        return weights, coefficients, chi2

    def _design(self, kinematics) -> tuple[np.ndarray, ...]:
        """Broadened templates of stars and of gas over the error, at the good pixels."""
        parts = zip((self.stars.flux, self.gas.flux), kinematics, strict=True)
        return tuple(on_data(t, self.spectrum, self.stars, *k)[self.good] / self.error[:, None] for t, k in parts)

    def _shape(self, coefficients) -> np.ndarray:
        return np.maximum(1.0 + self.legendre @ coefficients, POLYNOMIAL_FLOOR)[:, None]


def _non_negative(matrix, data) -> tuple[np.ndarray, float]:
    """Non-negative least squares and its chi2, on the triangular factor, which has as few rows as columns."""
    length = np.linalg.norm(matrix, axis=0)
    length[length == 0] = 1.0
    r = np.linalg.qr(np.column_stack([matrix / length, data]), mode="r")
    weights, distance = nnls(r[:, :-1], r[:, -1])
    return weights / length, float(distance**2)


def on_data(templates, spectrum, stars, velocity: float, sigma: float) -> np.ndarray:
    """Templates, shape (n_template_wave, n), broadened and shifted, on the pixels of the data."""
    start = int(np.floor(np.log(spectrum.wave[0] / stars.wave[0]) / spectrum.log_step))
    broadened = broaden(templates, spectrum.log_step, velocity - _offset(spectrum, stars), sigma)
    return broadened[start : start + spectrum.wave.size]


def _offset(spectrum, stars) -> float:
    """Velocity, km/s, from the template pixel taken as the first to the first pixel of the data."""
    exact = np.log(spectrum.wave[0] / stars.wave[0]) / spectrum.log_step
    return C_KMS * spectrum.log_step * (exact - np.floor(exact))


def polynomial_values(coefficients, n: int) -> np.ndarray:
    """The multiplicative polynomial 1 + sum of Legendre terms on n pixels, shape (n,), kept above its floor."""
    values = np.polynomial.legendre.legval(np.linspace(-1.0, 1.0, n), np.append(1.0, coefficients))
    return np.maximum(values, POLYNOMIAL_FLOOR)
