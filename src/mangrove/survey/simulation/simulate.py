"""Observe simulated galaxies: cubes with their truth."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import astropy.units as u
import numpy as np
from dust_extinction.parameter_averages import F99

from mangrove.artefacts import Provenance
from mangrove.artefacts import write as write_artefact
from mangrove.physics.lines import fit_lines
from mangrove.ssp.library import SspLibrary
from mangrove.survey.simulation import truth as true
from mangrove.survey.simulation.cubes import SimulatedCube
from mangrove.survey.simulation.galaxies import SimulatedGalaxy, random_generator
from mangrove.survey.simulation.gas import STARS_OVER_GAS, add_lines, line_fluxes
from mangrove.survey.simulation.instrument import (
    WAVE,
    correlated_noise,
    hexagon_depth,
    lsf_factor,
    noise_sigma,
    spaxel_offsets,
)
from mangrove.survey.simulation.maps import GalaxyMaps, galaxy_maps, point_source
from mangrove.survey.simulation.stars import (
    DUST_PIVOT,
    StellarSpectra,
    calzetti,
    populations,
    stellar_spectra,
)

NOCOV, LOWCOV, DEADFIBER, FORESTAR, DONOTUSE = (1 << bit for bit in (0, 1, 2, 3, 10))
_RIM = 0.75  # arcsec
_STAR_FLUX = 40.0
_STAR_MASK_RADIUS = 3.0
_N_COSMIC_RAYS = 25


class SpaxelSpectra(NamedTuple):
    """Noise-free spectra of n spaxels of a galaxy.

    Attributes
    ----------
    inside : ndarray of bool, shape (ny, nx)
        Which spaxels; all else is in their order, row by row.
    stars : StellarSpectra
        Without emission lines.
    line_flux : ndarray, shape (n_line, n)
        Of the lines of :func:`mangrove.physics.lines.fit_lines`, 1e-17 erg/s/cm2/spaxel, after the galaxy's own dust.
    lsf_factor : ndarray, shape (n,)
        Factor on the instrument's mean line spread.
    flux : ndarray, shape (n, 4563)
        Stars and lines before Galactic extinction, 1e-17 erg/s/cm2/Angstrom/spaxel.
    """

    inside: np.ndarray
    stars: StellarSpectra
    line_flux: np.ndarray
    lsf_factor: np.ndarray
    flux: np.ndarray


def simulate_galaxy(galaxy: SimulatedGalaxy, release: str, ssp: SspLibrary) -> tuple[SimulatedCube, dict]:
    """Observe a galaxy.

    Maps of light, of populations, of kinematics and of lines are blurred by the point-spread function,
    kinematics as first and second moments; then every spaxel gets one spectrum: the mixture of its populations
    behind a dust screen with one Gaussian of stellar velocities, and lines with one Gaussian of gas
    velocities. The truth is therefore exact, at the price of profiles that blurring never skews.

    Parameters
    ----------
    galaxy : SimulatedGalaxy
    release : str
        ``dr15`` or ``dr17``.
    ssp : SspLibrary
        Must know its masses.

    Returns
    -------
    cube : SimulatedCube
    truth : dict of ndarray
        The datasets of the artefact ``truth``; NaN outside the field. Lines are in the order of
        :func:`mangrove.physics.lines.fit_lines`, their fluxes as left by the galaxy's own dust, without Galactic
        extinction. Equivalent widths are over the stars' mean flux within 500 km/s of the line.
    """
    maps = galaxy_maps(galaxy)
    spaxels = spaxel_spectra(galaxy, maps, field(galaxy), ssp)
    truth = truth_images(spaxel_truth(galaxy, maps, spaxels), spaxels.inside)
    flux = _with_foreground(galaxy, spaxels.inside, spaxels.flux, ssp)
    return _observed_cube(galaxy, release, spaxels, flux), truth


def write_truth(path, galaxy: SimulatedGalaxy, truth: dict, params: Mapping[str, Any] | None = None) -> None:
    """Write the truth of a galaxy as an artefact; ``params`` are those of the rule."""
    prov = Provenance(params=params or {"plateifu": galaxy.plateifu, "seed": galaxy.seed})
    write_artefact(path, "truth", truth, prov, {"status": "ok", "reason": "", "plateifu": galaxy.plateifu})


def field(galaxy: SimulatedGalaxy) -> np.ndarray:
    """Which spaxels lie inside the hexagonal field, bool, shape (ny, nx)."""
    return hexagon_depth(galaxy.side, galaxy.field_diameter) > 0


def dusty_light(galaxy: SimulatedGalaxy, maps: GalaxyMaps) -> np.ndarray:
    """Flux of the stars near 5500 Angstrom rest behind the galaxy's dust, shape (ny, nx), 1e-17 erg/s/cm2/Angstrom/spaxel."""
    return _scale(galaxy, maps) * _behind_dust(maps)


def spaxel_spectra(galaxy: SimulatedGalaxy, maps: GalaxyMaps, inside: np.ndarray, ssp: SspLibrary) -> SpaxelSpectra:
    """Noise-free spectra of some spaxels (bool, shape (ny, nx)) of a galaxy.

    Parameters
    ----------
    galaxy : SimulatedGalaxy
    maps : GalaxyMaps
        Of this galaxy.
    inside : ndarray of bool, shape (ny, nx)
    ssp : SspLibrary
        Must know its masses.
    """
    rng = random_generator(galaxy.seed, galaxy.plateifu, "line spread")
    factor = lsf_factor(rng, galaxy.side)[inside]
    ebv = maps.ebv_star[inside]
    scale = _scale(galaxy, maps)
    stars = stellar_spectra(
        populations(ssp, galaxy.redshift),
        scale * maps.light[:, inside].T,
        maps.log_age[:, inside].T,
        maps.metallicity[:, inside].T,
        ebv,
        maps.v_star[inside],
        maps.sigma_star[inside],
        factor,
        galaxy.redshift,
    )
    halpha = {name: scale * (1 + galaxy.redshift) * values[inside] for name, values in maps.halpha.items()}
    line_flux = line_fluxes(halpha, maps.oxygen[inside], ebv / STARS_OVER_GAS)
    flux = stars.flux.copy()
    add_lines(flux, line_flux, maps.v_gas[inside], maps.sigma_gas[inside], factor, galaxy.redshift)
    return SpaxelSpectra(inside, stars, line_flux, factor, flux)


def spaxel_truth(galaxy: SimulatedGalaxy, maps: GalaxyMaps, spaxels: SpaxelSpectra) -> dict[str, np.ndarray]:
    """Truth of n spaxels by the names of the artefact ``truth``, shape (n,) each, those of lines (n_line, n)."""
    inside, stars = spaxels.inside, spaxels.stars
    ebv = maps.ebv_star[inside]
    velocity = maps.v_gas[inside]
    line_ew = spaxels.line_flux / true.line_continua(stars.flux, velocity, galaxy.redshift) / (1 + galaxy.redshift)
    labels = true.stellar_labels(stars, maps.log_age[:, inside].T, maps.metallicity[:, inside].T, galaxy.redshift)
    labels |= {
        "v_star": maps.v_star[inside],
        "sigma_star": maps.sigma_star[inside],
        "v_gas": velocity,
        "sigma_gas": maps.sigma_gas[inside],
        "line_flux": spaxels.line_flux,
        "line_ew": line_ew,
        "ebv_star": ebv,
        "ebv_gas": ebv / STARS_OVER_GAS,
    }
    labels["continuum"] = true.continuum_level(spaxels.flux * foreground_transmission(galaxy))
    labels["d_bpt_class"] = true.d_bpt_class(spaxels.line_flux, line_ew[fit_lines().index("Halpha_6565")])
    return labels


def truth_images(labels: dict[str, np.ndarray], inside: np.ndarray) -> dict[str, np.ndarray]:
    """The datasets of the artefact ``truth`` from the labels of its spaxels.

    Parameters
    ----------
    labels : dict of ndarray
        See :func:`spaxel_truth`.
    inside : ndarray of bool, shape (ny, nx)
        Which spaxels they are of, row by row; all others get NaN, and class 0.
    """
    truth = {name: _map(inside, values) for name, values in labels.items() if name != "d_bpt_class"}
    truth["d_bpt_class"] = np.zeros(inside.shape, np.int8)
    truth["d_bpt_class"][inside] = labels["d_bpt_class"]
    truth["line"] = np.array(fit_lines().name)
    return truth


def foreground_transmission(galaxy: SimulatedGalaxy) -> np.ndarray:
    """Of the Milky Way's dust in front of a galaxy, shape (4563,), by Fitzpatrick (1999), R_V = 3.1."""
    return F99(Rv=3.1).extinguish(WAVE * u.AA, Ebv=galaxy.ebv_galactic).astype(np.float32)


def _behind_dust(maps: GalaxyMaps) -> np.ndarray:
    return maps.light.sum(0) * 10 ** (-0.4 * maps.ebv_star * calzetti(DUST_PIVOT))


def _scale(galaxy: SimulatedGalaxy, maps: GalaxyMaps) -> float:
    """Factor on light in proportion that gives the brightest spaxel of the field the galaxy's central flux."""
    return galaxy.central_flux / _behind_dust(maps)[field(galaxy)].max()


def _map(inside: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Image, shape (..., ny, nx), of values inside the field, shape (..., n); NaN elsewhere."""
    image = np.full((*values.shape[:-1], *inside.shape), np.nan, np.float32)
    image[..., inside] = values
    return image


def _with_foreground(galaxy: SimulatedGalaxy, inside, flux, ssp: SspLibrary):
    """Galactic extinction, then the star in front (like a K dwarf: the oldest solar template)."""
    flux = flux * foreground_transmission(galaxy)
    if galaxy.foreground_star:
        solar, old = np.argmin(np.abs(ssp.metallicity)), -1
        spectrum = _STAR_FLUX * np.interp(WAVE, ssp.wave, ssp.flux[solar, old])
        star = point_source(galaxy, galaxy.foreground_star)[inside]
        flux = flux + (star[:, None] * spectrum).astype(np.float32)
    return flux


def _observed_cube(galaxy: SimulatedGalaxy, release: str, spaxels: SpaxelSpectra, flux) -> SimulatedCube:
    rng = random_generator(galaxy.seed, galaxy.plateifu, "noise")
    inside, side = spaxels.inside, galaxy.side
    sigma = noise_sigma(flux)
    noise = correlated_noise(rng, WAVE.size, side)
    cube, ivar = np.zeros((2, WAVE.size, side, side), np.float32)
    cube[:, inside] = flux.T + noise[:, inside] * sigma.T
    ivar[:, inside] = 1 / sigma.T**2
    mask = _pixel_mask(galaxy, rng, cube)
    ivar[(mask & (NOCOV | DEADFIBER)) > 0] = 0
    factor = np.zeros(inside.shape)
    factor[inside] = spaxels.lsf_factor
    return SimulatedCube(galaxy, release, cube, ivar, mask, factor)


def _pixel_mask(galaxy: SimulatedGalaxy, rng, cube) -> np.ndarray:
    """MANGA_DRP3PIXMASK, int32, the shape of the cube, whose flux gets the faults that the mask names."""
    depth = hexagon_depth(galaxy.side, galaxy.field_diameter)
    image = np.where(depth <= 0, NOCOV | DONOTUSE, np.where(depth < _RIM, LOWCOV, 0)).astype(np.int32)
    if galaxy.foreground_star:
        east, north = spaxel_offsets(galaxy.side)
        x, y = np.subtract(galaxy.foreground_star, galaxy.pointing)
        image[(np.hypot(east - x, north - y) < _STAR_MASK_RADIUS) & (depth > 0)] |= FORESTAR | DONOTUSE
    mask = np.broadcast_to(image, cube.shape).copy()
    rows, columns = np.nonzero(depth > 0)
    _dead_fibre(rng, mask, cube, rows, columns, depth)
    _cosmic_rays(rng, mask, cube, rows, columns)
    return mask


def _dead_fibre(rng, mask, cube, rows, columns, depth) -> None:
    """A fibre at the rim that gives nothing in the red arm."""
    edge = np.flatnonzero(depth[rows, columns] < 1.5)
    centre = rng.choice(edge)
    near = np.hypot(rows - rows[centre], columns - columns[centre]) < 1.6
    red = WAVE > 6300.0
    mask[np.flatnonzero(red)[:, None], rows[near], columns[near]] |= DEADFIBER | DONOTUSE
    cube[np.flatnonzero(red)[:, None], rows[near], columns[near]] = 0


def _cosmic_rays(rng, mask, cube, rows, columns) -> None:
    """Spikes over a few wavelengths and neighbouring spaxels, flagged but left in."""
    for _ in range(_N_COSMIC_RAYS):
        i, first = rng.integers(rows.size), rng.integers(WAVE.size - 3)
        near = np.hypot(rows - rows[i], columns - columns[i]) < 1.2
        where = np.arange(first, first + 3)[:, None], rows[near], columns[near]
        mask[where] |= DONOTUSE
        cube[where] += np.float32(rng.uniform(2.0, 20.0))
