"""Observe a simulated galaxy as an emission-line cube: the pixels around its lines, on a square around its centre."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from mangrove.codes import SpaxelStatus
from mangrove.physics.lines import fit_lines, window_lines
from mangrove.ssp.library import SspLibrary
from mangrove.survey.simulation.galaxies import SimulatedGalaxy, random_generator
from mangrove.survey.simulation.instrument import (
    LOG_STEP,
    SPAXEL,
    WAVE,
    correlated_noise,
    lsf_sigma,
    noise_sigma,
    sky_sigma,
)
from mangrove.survey.simulation.line_cube_survey import LineCubeGalaxy
from mangrove.survey.simulation.maps import galaxy_maps
from mangrove.survey.simulation.simulate import field, foreground_transmission, spaxel_spectra

#: Mean number of cosmic rays in a cube, and their radius, spaxels; all are masked.
_N_COSMIC_RAYS, _RAY_RADIUS = 2.0, 1.2
#: Scatter of a sky residual over the field, in parts of it, and the length over which it varies, spaxels.
_SKY_SCATTER, _SKY_LENGTH = 0.2, 3.0


class SimulatedLineCube(NamedTuple):
    """An observed galaxy; fluxes in 1e-17 erg/s/cm2/Angstrom/spaxel, observed, behind the Milky Way's dust.

    Attributes
    ----------
    flux, ivar : ndarray of float32, shape (n_line, n_pixel, size, size)
        With noise, and its inverse variance; both 0 where there are no data.
    noiseless : ndarray of float32, shape (n_line, n_pixel, size, size)
        Expectation of the flux, sky residual included; 0 beyond the field.
    window_wave : ndarray, shape (n_line, n_pixel)
        Observed wavelength of the pixels, vacuum, Angstrom.
    spaxel_status : ndarray of int8, shape (size, size)
        :class:`mangrove.codes.SpaxelStatus`: binned, or outside the field.
    line_flux : ndarray, shape (n_line,)
        Flux of each line over the square, 1e-17 erg/s/cm2, before Galactic extinction; NaN of a line that the simulation
        does not know by this name.
    """

    flux: np.ndarray
    ivar: np.ndarray
    noiseless: np.ndarray
    window_wave: np.ndarray
    spaxel_status: np.ndarray
    line_flux: np.ndarray


def simulate_line_cube(planned: LineCubeGalaxy, n_pixel: int, size: int, ssp: SspLibrary) -> SimulatedLineCube:
    """Observe a galaxy at the 19 lines of :func:`mangrove.physics.lines.window_lines`.

    Its spaxels are those that its cube would have: stars with their absorption, gas, dust and kinematics blurred by the
    point-spread function, the hexagonal field, noise that is correlated between spaxels and has an honest inverse
    variance. A sky residual is in the flux and not in the variance.

    Parameters
    ----------
    planned : LineCubeGalaxy
    n_pixel : int
        Native pixels around each line; the one nearest to the line at the galaxy's redshift has index ``n_pixel // 2``.
    size : int
        Side of the square, spaxels; the one nearest to the galaxy's centre has index ``size // 2``.
    ssp : SspLibrary
        Must know its masses.
    """
    galaxy = planned.galaxy
    index = _window_index(galaxy.redshift, n_pixel)
    # Windows of close lines share pixels, and these their noise.
    pixels, position = np.unique(index, return_inverse=True)
    position, wave = position.reshape(index.shape), WAVE[pixels]
    inside, y, x = _spaxels(galaxy, size)
    spaxels = spaxel_spectra(galaxy, galaxy_maps(galaxy), inside, ssp)
    clean = spaxels.flux[:, pixels] * foreground_transmission(galaxy)[pixels]
    sigma = noise_sigma(clean, wave)
    clean = clean + _sky_residual(planned, inside, wave)
    rng = random_generator(galaxy.seed, galaxy.plateifu, "noise")
    noise = correlated_noise(rng, pixels.size, galaxy.side)[:, inside].T
    seen = ~_cosmic_rays(rng, inside, pixels.size)

    def on_square(values: np.ndarray) -> np.ndarray:
        image = np.zeros((*index.shape, size, size), np.float32)
        image[:, :, y, x] = values.T[position]
        return image

    status = np.full((size, size), SpaxelStatus.OUTSIDE_FIELD, np.int8)
    status[y, x] = SpaxelStatus.BINNED
    return SimulatedLineCube(
        flux=on_square(np.where(seen, clean + sigma * noise, 0.0)),
        ivar=on_square(np.where(seen, 1.0 / sigma**2, 0.0)),
        noiseless=on_square(clean),
        window_wave=WAVE[index],
        spaxel_status=status,
        line_flux=_of_windows(spaxels.line_flux.sum(axis=1)),
    )


def _window_index(redshift: float, n_pixel: int) -> np.ndarray:
    """Pixels of the instrument around each line, shape (n_line, n_pixel)."""
    observed = np.log(window_lines().wave * (1.0 + redshift))
    nearest = np.rint((observed - np.log(WAVE[0])) / LOG_STEP).astype(int)
    return nearest[:, None] - n_pixel // 2 + np.arange(n_pixel)


def _spaxels(galaxy: SimulatedGalaxy, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spaxels of the field in a square around the galaxy's centre: bool, shape (ny, nx), and their rows and columns in it."""
    east, north = galaxy.pointing
    # East is to the left.
    column, row = (round(galaxy.side // 2 + shift / SPAXEL) for shift in (east, -north))
    y, x = (np.arange(galaxy.side) - centre + size // 2 for centre in (row, column))
    inside = field(galaxy) & ((y >= 0) & (y < size))[:, None] & ((x >= 0) & (x < size))
    rows, columns = np.nonzero(inside)
    return inside, y[rows], x[columns]


def _sky_residual(planned: LineCubeGalaxy, inside: np.ndarray, wave: np.ndarray) -> np.ndarray:
    """Residual of sky subtraction, shape (n_spaxel, n_wave) or 0: a line of the night sky, nearly even over the field."""
    if not np.isfinite(planned.sky_line):
        return np.float32(0.0)
    galaxy, centre = planned.galaxy, planned.sky_line
    rng = random_generator(galaxy.seed, galaxy.plateifu, "sky residual")
    smooth = gaussian_filter(rng.standard_normal(inside.shape), _SKY_LENGTH, mode="wrap")
    level = planned.strength * sky_sigma(np.array([centre]))[0] * (1.0 + _SKY_SCATTER * smooth[inside] / smooth.std())
    profile = np.exp(-0.5 * ((wave - centre) / lsf_sigma(centre)) ** 2)
    return (rng.choice([-1.0, 1.0]) * level[:, None] * profile).astype(np.float32)


def _cosmic_rays(rng, inside: np.ndarray, n_wave: int) -> np.ndarray:
    """What cosmic rays hide, bool, shape (n_spaxel, n_wave)."""
    rows, columns = np.nonzero(inside)
    hidden = np.zeros((rows.size, n_wave), bool)
    for _ in range(rng.poisson(_N_COSMIC_RAYS)):
        i, pixel = rng.integers(rows.size), rng.integers(n_wave)
        hidden[np.hypot(rows - rows[i], columns - columns[i]) < _RAY_RADIUS, pixel] = True
    return hidden


def _of_windows(line_flux: np.ndarray) -> np.ndarray:
    """Fluxes of the fitted lines, shape (n_fit_line,), by the lines that have windows."""
    known = dict(zip(fit_lines().name, line_flux, strict=True))
    return np.array([known.get(name, np.nan) for name in window_lines().name])
