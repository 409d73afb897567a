"""From the design of a galaxy to smooth maps of light, populations and kinematics on the spaxels.

Everything is laid out on a grid finer than the spaxels, blurred by the point-spread function as light or
as moments weighted by light, and binned to spaxels: beam smearing is in the maps, and what they say of a
spaxel is exactly what its one spectrum is made of.
"""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import gamma, i0e

from mangrove.physics.wavelengths import SIGMA_TO_FWHM
from mangrove.survey.simulation.galaxies import SimulatedGalaxy
from mangrove.survey.simulation.instrument import SPAXEL, spaxel_offsets

_OVERSAMPLING = 3
_MARGIN = 10
_BULGE_SERSIC = 4.0
_MIN_SIGMA_STAR = 52.0
_MAX_EBV = 0.6
_NUCLEUS_RADIUS = 0.6
_NUCLEUS_VELOCITY = 120.0
#: Sharpness of spiral arms, and the radius within which they fade into the disc, in effective radii.
_ARM_SHARPNESS = 1.5
_ARM_START = 0.25
#: Light of the arms over that of the disc.
_ARM_LIGHT = 0.3


class GalaxyMaps(NamedTuple):
    """Maps on the spaxels, each of shape (ny, nx) or (n_population, ny, nx), blurred by the PSF.

    Attributes
    ----------
    light : ndarray, shape (n_population, ny, nx)
        Mean flux of the stars over 5000-6000 Angstrom rest frame before any dust, in proportion.
    log_age, metallicity : ndarray, shape (n_population, ny, nx)
        log10(age/yr) and [M/H] of each population.
    v_star, sigma_star, v_gas, sigma_gas : ndarray, shape (ny, nx)
        km/s.
    ebv_star : ndarray, shape (ny, nx)
        E(B-V) of the stars, mag.
    halpha : dict of ndarray, shape (ny, nx)
        Halpha before dust by ionisation (star_forming, seyfert, liner): EW (Angstrom, rest) times light.
    oxygen : ndarray, shape (ny, nx)
        12 + log(O/H) of the star-forming gas.
    """

    light: np.ndarray
    log_age: np.ndarray
    metallicity: np.ndarray
    v_star: np.ndarray
    sigma_star: np.ndarray
    v_gas: np.ndarray
    sigma_gas: np.ndarray
    ebv_star: np.ndarray
    halpha: dict[str, np.ndarray]
    oxygen: np.ndarray


class _Frame(NamedTuple):
    """The fine grid: offsets and, in the plane of the disc, radius (arcsec) and azimuth from the major axis (rad)."""

    east: np.ndarray
    north: np.ndarray
    radius: np.ndarray
    azimuth: np.ndarray


def galaxy_maps(galaxy: SimulatedGalaxy) -> GalaxyMaps:
    """Lay out a galaxy and blur it with its point-spread function."""
    frame = _frame(galaxy)
    scaled = frame.radius / galaxy.effective_radius
    parts = _light(galaxy, frame)
    light = np.array([p.fraction * parts[p.part] for p in galaxy.populations])
    log_age = np.array([p.log_age + p.age_gradient * np.minimum(scaled, 3) for p in galaxy.populations])
    metallicity = np.array([p.metallicity + p.metallicity_gradient * np.minimum(scaled, 3) for p in galaxy.populations])
    total = light.sum(0)
    halpha = _halpha(galaxy, frame, total)
    v_star, v_gas = _velocity(galaxy, frame, parts)
    sigma_star, sigma_gas = _dispersion(galaxy, frame, halpha)
    v_star, sigma_star = _blurred_moments(galaxy, total, v_star, sigma_star)
    v_gas, sigma_gas = _blurred_moments(galaxy, sum(halpha.values()), v_gas, sigma_gas)
    ebv = np.clip(galaxy.ebv_centre + galaxy.ebv_gradient * np.minimum(scaled, 3), 0.0, _MAX_EBV)
    return GalaxyMaps(
        light=_blurred(galaxy, light),
        log_age=_blurred_mean(galaxy, light, log_age),
        metallicity=_blurred_mean(galaxy, light, metallicity),
        v_star=v_star,
        sigma_star=sigma_star,
        v_gas=v_gas,
        sigma_gas=sigma_gas,
        ebv_star=_blurred_mean(galaxy, total, ebv),
        halpha={name: _blurred(galaxy, values) for name, values in halpha.items()},
        oxygen=_blurred_mean(galaxy, total, galaxy.oxygen + galaxy.oxygen_gradient * np.minimum(scaled, 3)),
    )


def point_source(galaxy: SimulatedGalaxy, offset: tuple[float, float]) -> np.ndarray:
    """Image of a point source at (east, north) of the galaxy's centre, shape (ny, nx); its sum is 1."""
    east, north = spaxel_offsets(galaxy.side)
    sigma = galaxy.psf_fwhm / SIGMA_TO_FWHM
    distance2 = (east + galaxy.pointing[0] - offset[0]) ** 2 + (north + galaxy.pointing[1] - offset[1]) ** 2
    return np.exp(-0.5 * distance2 / sigma**2) * SPAXEL**2 / (2 * np.pi * sigma**2)


def disc_coordinates(galaxy: SimulatedGalaxy, east, north) -> tuple[np.ndarray, np.ndarray]:
    """Radius (arcsec) and azimuth from the major axis (rad) in the plane of the disc.

    Parameters
    ----------
    east, north : ndarray
        Offsets from the galaxy's centre, arcsec.
    """
    angle = np.deg2rad(galaxy.position_angle)
    major = east * np.sin(angle) + north * np.cos(angle)
    minor = (east * np.cos(angle) - north * np.sin(angle)) / np.cos(np.deg2rad(galaxy.inclination))
    return np.hypot(major, minor), np.arctan2(minor, major)


def _frame(galaxy: SimulatedGalaxy) -> _Frame:
    east, north = spaxel_offsets(galaxy.side, _OVERSAMPLING, _MARGIN)
    east, north = east + galaxy.pointing[0], north + galaxy.pointing[1]
    return _Frame(east, north, *disc_coordinates(galaxy, east, north))


def _sersic(radius, effective_radius: float, n: float):
    """Sersic profile of unit total flux; b_n by Ciotti & Bertin (1999)."""
    b = 2 * n - 1 / 3 + 4 / (405 * n)
    norm = 2 * np.pi * n * np.exp(b) * b ** (-2 * n) * gamma(2 * n) * effective_radius**2
    # The cusp is softened at a tenth of the radius, below the fine grid.
    soft = np.hypot(radius, 0.1 * effective_radius) / effective_radius
    return np.exp(-b * (soft ** (1 / n) - 1)) / norm


def _light(galaxy: SimulatedGalaxy, frame: _Frame) -> dict[str, np.ndarray]:
    """Light of each part on the fine grid, in proportion."""
    flatness = 1 / np.cos(np.deg2rad(galaxy.inclination))
    bulge = _sersic(np.hypot(frame.east, frame.north), galaxy.bulge_radius, _BULGE_SERSIC)
    if galaxy.second_nucleus:
        bulge = bulge + galaxy.nucleus_share * _second_bulge(galaxy, frame)
    disc = _sersic(frame.radius, galaxy.effective_radius, 1.0) * flatness
    disc = (1 - galaxy.bulge_fraction) * disc
    return {"bulge": galaxy.bulge_fraction * bulge, "disc": disc, "arms": _ARM_LIGHT * disc * _arms(galaxy, frame)}


def _arms(galaxy: SimulatedGalaxy, frame: _Frame) -> np.ndarray:
    """Contrast of two logarithmic spiral arms with the smooth disc: its mean around each circle is 1."""
    if not galaxy.arm_pitch:
        return np.ones_like(frame.radius)
    scaled = np.maximum(frame.radius / galaxy.effective_radius, 1e-3)
    phase = 2 * (frame.azimuth - np.log(scaled) / np.tan(np.deg2rad(galaxy.arm_pitch)))
    pattern = np.exp(_ARM_SHARPNESS * (np.cos(phase) - 1)) / i0e(_ARM_SHARPNESS)
    strength = 1 - np.exp(-((scaled / _ARM_START) ** 2))
    return 1 - strength + strength * pattern


def _second_bulge(galaxy: SimulatedGalaxy, frame: _Frame) -> np.ndarray:
    """Compact, so that the point-spread function leaves two peaks."""
    east, north = galaxy.second_nucleus
    return _sersic(np.hypot(frame.east - east, frame.north - north), _NUCLEUS_RADIUS, 1.0)


def _halpha(galaxy: SimulatedGalaxy, frame: _Frame, light: np.ndarray) -> dict[str, np.ndarray]:
    """Halpha by ionisation on the fine grid: equivalent width times light."""
    knots = np.ones_like(light)
    for east, north, amplitude in galaxy.knots:
        knots += amplitude * np.exp(-((frame.east - east) ** 2 + (frame.north - north) ** 2) / (2 * 0.8**2))
    scaled = frame.radius / galaxy.effective_radius
    disc_share = 1.0 if galaxy.kind == "blueberry" else 0.25 + 0.75 * (1 - np.exp(-2 * scaled))
    distance = np.hypot(frame.east - galaxy.agn_offset[0], frame.north - galaxy.agn_offset[1])
    nuclear = np.exp(-0.5 * (distance / galaxy.nuclear_radius) ** 2)
    active = galaxy.kind == "seyfert" or galaxy.role == "offset_agn"
    peak = light.max() if galaxy.role != "offset_agn" else 0.35 * light.max()
    return {
        "star_forming": galaxy.ew_halpha * disc_share * knots * _arms(galaxy, frame) * light,
        "seyfert": galaxy.ew_nuclear * nuclear * (0.5 * light + 0.1 * peak) if active else 0.0 * light,
        "liner": (galaxy.ew_old_stars if active else galaxy.ew_nuclear) * light,
    }


def _velocity(galaxy: SimulatedGalaxy, frame: _Frame, parts) -> tuple[np.ndarray, np.ndarray]:
    """Velocity of stars and gas on the fine grid: a thin disc with an arctan rotation curve."""
    curve = 2 / np.pi * np.arctan(frame.radius / galaxy.turnover_radius)
    rotation = galaxy.v_max * np.sin(np.deg2rad(galaxy.inclination)) * curve * np.cos(frame.azimuth)
    bulge_share = parts["bulge"] / (parts["bulge"] + parts["disc"])
    stars = rotation * (0.92 - 0.4 * bulge_share)
    if galaxy.second_nucleus:
        # Its stars move at one speed, and count as far as they give light.
        second = galaxy.bulge_fraction * galaxy.nucleus_share * _second_bulge(galaxy, frame)
        stars = stars + second / (parts["bulge"] + parts["disc"]) * (_NUCLEUS_VELOCITY - stars)
    return stars + galaxy.v_systemic, rotation + galaxy.v_systemic


def _dispersion(galaxy: SimulatedGalaxy, frame: _Frame, halpha) -> tuple[np.ndarray, np.ndarray]:
    """Velocity dispersion of stars and gas on the fine grid."""
    fall = np.exp(-frame.radius / galaxy.effective_radius)
    stars = galaxy.sigma_outer + (galaxy.sigma_centre - galaxy.sigma_outer) * fall
    nuclear = halpha["seyfert"] + halpha["liner"]
    share = nuclear / np.maximum(nuclear + halpha["star_forming"], 1e-30)
    gas = galaxy.sigma_gas + (galaxy.sigma_nuclear_gas - galaxy.sigma_gas) * share * np.maximum(fall, share**2 * 0.5)
    return np.maximum(stars, _MIN_SIGMA_STAR), gas


def _blurred(galaxy: SimulatedGalaxy, values: np.ndarray) -> np.ndarray:
    """Point-spread function over the last two axes, then the mean over each spaxel; the margin falls away."""
    sigma = galaxy.psf_fwhm / SIGMA_TO_FWHM / SPAXEL * _OVERSAMPLING
    blurred = gaussian_filter(values, sigma, axes=(-2, -1), mode="nearest")
    n = blurred.shape[-1] // _OVERSAMPLING
    binned = blurred.reshape(*blurred.shape[:-2], n, _OVERSAMPLING, n, _OVERSAMPLING).mean((-3, -1))
    return binned[..., _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]


def _blurred_mean(galaxy: SimulatedGalaxy, weight: np.ndarray, values: np.ndarray) -> np.ndarray:
    floor = weight + 1e-9 * weight.max() + 1e-300  # a population without light keeps its values
    return _blurred(galaxy, floor * values) / _blurred(galaxy, floor)


def _blurred_moments(galaxy: SimulatedGalaxy, weight, velocity, sigma) -> tuple[np.ndarray, np.ndarray]:
    """Velocity and dispersion of the blurred light, from its first and second moments."""
    mean = _blurred_mean(galaxy, weight, velocity)
    second = _blurred_mean(galaxy, weight, velocity**2 + sigma**2)
    return mean, np.sqrt(second - mean**2)
