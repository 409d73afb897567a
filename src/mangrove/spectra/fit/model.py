"""Model spectra of fits: stars and gas on the pixels of the data."""

from typing import NamedTuple

import numpy as np

from mangrove.physics.lines import LineList
from mangrove.spectra.fit.line_coverage import fitted_lines, pixel_width
from mangrove.spectra.fit.shape import attenuation_at_pivot
from mangrove.spectra.fit.spectrum import Spectrum, moving_gas, shaped_stellar_continuum
from mangrove.spectra.fit.templates import GasTemplates, StellarTemplates, gas_templates, with_components


class Model(NamedTuple):
    """A fit as spectra on the wavelengths of the data: stars and gas, shape (n_wave,) each."""

    stars: np.ndarray
    gas: np.ndarray


def model_spectrum(spectrum: Spectrum, z: float, fit, stars: StellarTemplates, lines: LineList) -> Model:
    """The model of a fit from its stored parameters: what its chi2 is of.

    Parameters
    ----------
    fit : FitResult
        Or any object with these attributes for one baxel.
    """
    mixture = stars.flux @ fit.weights * attenuation_at_pivot(fit.ebv_star)
    theta = np.append(fit.ebv_star - fit.ebv_polynomial, fit.polynomial)
    stellar_continuum = shaped_stellar_continuum(mixture, theta, spectrum, stars, fit.v_star, fit.sigma_star_fit)
    kinematics = np.column_stack([fit.component_v, fit.component_sigma])
    used = np.flatnonzero(np.isfinite(kinematics[:, 0]))
    flux = np.asarray(fit.component_flux)
    gas = with_components(gas_in_range(spectrum, stars, lines), lines, used[1:])
    width = pixel_width(lines.wave[gas.free], z, kinematics[gas.component, 0], spectrum.log_step)
    weights = flux[gas.component, gas.free] / width
    return Model(stellar_continuum, total_emission(gas, weights, spectrum, stars, kinematics[used]))


def total_emission(gas: GasTemplates, weights, spectrum: Spectrum, stars: StellarTemplates, kinematics) -> np.ndarray:
    """Gas templates times weights on the pixels of the data, shape (n_wave,).

    Parameters
    ----------
    kinematics : array_like, shape (n_component, 2)
        Velocity and dispersion of each of ``gas.components``, km/s.
    """
    sums = [gas.flux @ np.where(gas.component == component, weights, 0.0) for component in gas.components]
    one_each = GasTemplates(np.column_stack(sums), np.zeros(len(sums), int), np.array(gas.components))
    return moving_gas(one_each, spectrum, stars, kinematics).sum(axis=1)


def gas_in_range(spectrum: Spectrum, stars: StellarTemplates, lines: LineList) -> GasTemplates:
    """Templates of the lines that can be seen at the line spread of the data, of one component.

    Raises
    ------
    SpectrumError
        If no emission line lies in the range.
    """
    use = fitted_lines(spectrum, lines)
    return gas_templates(lines, use, stars.wave, np.interp(lines.wave, spectrum.wave, spectrum.lsf_sigma))
