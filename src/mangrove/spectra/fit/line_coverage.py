"""Which emission lines a spectrum covers."""

import math

import numpy as np

from mangrove.codes import LineStatus
from mangrove.errors import SpectrumError
from mangrove.physics.lines import LineList
from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.bounds import SIGMA_GAS_BOUND, START_SIGMA_GAS

#: A line whose centre is nearer to an end of the range, pixels, lies outside.
LINE_MARGIN = 4
#: Smallest part of a line's flux that must fall on good pixels.
MIN_COVERED = 0.5
#: No gas shows a line whose nearest good pixel is farther away, km/s: 1000, and three times its largest dispersion.
_REACH = 1000.0 + 3.0 * SIGMA_GAS_BOUND[1]
_TINY = 1e-300


def line_status_of(spectrum, lines: LineList, velocity: float = 0.0, sigma: float = START_SIGMA_GAS) -> np.ndarray:
    """Whether each line lies in the range, with at least half of its flux on good pixels.

    Parameters
    ----------
    velocity, sigma : float
        Of the gas, km/s; the line spread is added to its dispersion.
    """
    centre = lines.wave * np.exp(velocity / C_KMS)
    width = np.hypot(sigma / C_KMS, np.interp(centre, spectrum.wave, spectrum.lsf_sigma) / centre)
    offset = np.log(spectrum.wave[:, None] / centre)
    profile = np.exp(-0.5 * (offset / np.maximum(width, spectrum.log_step)) ** 2)
    covered = (profile * spectrum.good[:, None]).sum(axis=0) / np.maximum(profile.sum(axis=0), _TINY)
    status = np.where(covered >= MIN_COVERED, LineStatus.OK, LineStatus.MASKED).astype(np.int8)
    status[_outside(spectrum, lines, centre)] = LineStatus.OUTSIDE_RANGE
    return status


def fitted_lines(spectrum, lines: LineList) -> np.ndarray:
    """Whether each line has a template, shape (n_line,): those in the range of a spectrum that good pixels can show.

    Of a line in the midst of masked pixels, good ones hold but the ringing of its profile, which would follow noise. Lines
    that are tied together have a template if one of them can be seen; where none can be, all have one.

    Raises
    ------
    SpectrumError
        If none does.
    """
    inside = ~_outside(spectrum, lines, lines.wave)
    if not inside.any():
        raise SpectrumError(
            f"no emission line lies in the rest frame range {spectrum.wave[0]:.0f}-{spectrum.wave[-1]:.0f} Angstrom "
            "of the fit, and stars and gas are fitted together. Widen fit.rest_range, or give a longer spectrum."
        )
    good = np.log(spectrum.wave[spectrum.good])
    distance = np.abs(np.log(lines.wave)[:, None] - good).min(axis=1, initial=np.inf)
    near = inside & (C_KMS * distance < _REACH)
    together = lines.partner[:, None] == lines.partner
    seen = inside & np.any(together & near, axis=1)
    return seen if seen.any() else inside


def _outside(spectrum, lines: LineList, centre) -> np.ndarray:
    place = np.log(centre / spectrum.wave[0]) / spectrum.log_step
    outside = (place < LINE_MARGIN) | (place > spectrum.wave.size - 1 - LINE_MARGIN)
    # A tied line is measured through its partner; without the partner there is nothing to tie it to.
    return outside | outside[lines.partner]


def pixel_width(wave, z, velocity, log_step):
    """Width, Angstrom, of the observed pixel at a line: weights of lines are sums over pixels, their fluxes over wavelength.

    Parameters
    ----------
    wave : array_like
        Of lines at rest, Angstrom.
    z, velocity, log_step : array_like
        Redshift of the galaxy, velocity of the gas, km/s, and step in ln(wavelength). Arrays of JAX give one.
    """
    return wave * (1.0 + z) * math.e ** (velocity / C_KMS) * log_step
