"""Simulated spaxels in number, with the lines that a perfect knowledge of their stars would predict."""

from typing import NamedTuple

import numpy as np

from mangrove.models.emulator.continuum_features import Bins
from mangrove.models.emulator.emission_lines import LINES, PARTS
from mangrove.models.emulator.line_table import LineTable
from mangrove.models.emulator.rest_continuum import bin_continuum
from mangrove.physics.lines import fit_lines
from mangrove.physics.wavelengths import velocity_to_redshift
from mangrove.ssp.library import load_mastar
from mangrove.survey.simulation.design import SIMULATED_SURVEY, design_galaxy, survey_plateifus
from mangrove.survey.simulation.galaxies import random_generator
from mangrove.survey.simulation.gas import STARS_OVER_GAS, add_lines, line_fluxes
from mangrove.survey.simulation.instrument import WAVE, noise_sigma
from mangrove.survey.simulation.maps import galaxy_maps
from mangrove.survey.simulation.stars import populations, stellar_spectra
from mangrove.survey.simulation.truth import line_continua

#: All are seen at one redshift, so that the templates are made once.
REDSHIFT = 0.04
#: Galaxies with roles come first in the simulated survey; only regular ones without active nuclei are drawn.
_KINDS = ("star_forming", "passive")
_N_DRAW = 31
#: Signal to noise is that of this observed range, Angstrom; the error of a line that of so many pixels of it.
_SNR_RANGE = (5600.0, 6750.0)
_LINE_PIXELS = 6
#: Lines that fits tie to a stronger one.
_TIED = {"OIII_4960": "OIII_5008", "NII_6550": "NII_6585"}


class MockTable(NamedTuple):
    """Spaxels for the emulator, and what is to be compared with its predictions.

    Attributes
    ----------
    table : LineTable
        With noise in continua and lines.
    true : ndarray, shape (n, n_line)
        asinh(EW / Angstrom) without noise.
    reference : ndarray, shape (n, n_line)
        The median of asinh(EW) over what the simulator adds to the stellar continuum without leaving a mark on it.
    """

    table: LineTable
    true: np.ndarray
    reference: np.ndarray


class _MockSpaxels(NamedTuple):
    """Spaxels of all galaxies: per row galaxy, stars, dust, gas."""

    galaxy: np.ndarray
    passive: np.ndarray
    light: np.ndarray
    log_age: np.ndarray
    metallicity: np.ndarray
    ebv: np.ndarray
    kinematics: np.ndarray
    ew_star_forming: np.ndarray
    ew_liner: np.ndarray
    oxygen: np.ndarray


def mock_table(n_galaxy: int, n_spaxel: int, snr: float, seed: int) -> MockTable:
    """Draw spaxels of regular simulated galaxies and observe them.

    The reference knows of every spaxel whether its galaxy forms stars, and its populations, dust and continuum exactly.
    The strength of the HII regions (that of the galaxy, of the place in it and of knots) and the gas' metallicity, which
    the simulator draws without regard to the stars, it knows as distributions over all spaxels of that class.

    Parameters
    ----------
    n_galaxy, n_spaxel : int
        Galaxies, and spaxels of each.
    snr : float
        Per pixel.
    seed : int
    """
    rng = random_generator(seed, "mock table")
    spaxels = _spaxels(n_galaxy, n_spaxel, seed, rng)
    stars = stellar_spectra(
        populations(load_mastar(), REDSHIFT),
        *(spaxels.light, spaxels.log_age, spaxels.metallicity, spaxels.ebv, spaxels.kinematics[:, 0], spaxels.kinematics[:, 1]),
        np.ones(len(spaxels.ebv)),
        REDSHIFT,
    )  # fmt: skip
    level = line_continua(stars.flux, spaxels.kinematics[:, 2], REDSHIFT).T
    dustless = spaxels.light.sum(axis=1)
    flux = _line_flux(spaxels, dustless, spaxels.ew_star_forming, spaxels.ew_liner, spaxels.oxygen)
    true = _widths(flux, level)
    reference = _reference(spaxels, dustless, level, rng)
    table = _observed(spaxels, stars.flux, flux, true, snr, rng)
    return MockTable(table, np.arcsinh(true), reference)


def _spaxels(n_galaxy: int, n_spaxel: int, seed: int, rng) -> _MockSpaxels:
    parts = []
    names = iter(survey_plateifus(3 * n_galaxy + 40)[len(SIMULATED_SURVEY) :])
    while len(parts) < n_galaxy:
        galaxy = design_galaxy(next(names), seed)
        if galaxy.kind not in _KINDS:
            continue
        maps = galaxy_maps(galaxy)
        total = maps.light.sum(axis=0).ravel()
        # Where a survey would see it: the brighter half of the field.
        chosen = rng.choice(np.flatnonzero(total > np.median(total)), n_spaxel, replace=False)
        kinematics = np.array(
            [getattr(maps, name).ravel()[chosen] for name in ("v_star", "sigma_star", "v_gas", "sigma_gas")]
        )
        stars = [
            getattr(maps, name).reshape(len(maps.light), -1)[:, chosen] for name in ("light", "log_age", "metallicity")
        ]
        widths = [maps.halpha[name].ravel()[chosen] / total[chosen] for name in ("star_forming", "liner")]
        rows = np.full(n_spaxel, len(parts)), np.full(n_spaxel, galaxy.kind == "passive")
        light = stars[0] / total[chosen]
        parts.append(
            (*rows, light.T, stars[1].T, stars[2].T, maps.ebv_star.ravel()[chosen], kinematics.T, *widths, maps.oxygen.ravel()[chosen])
        )  # fmt: skip
    return _MockSpaxels(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _line_flux(spaxels: _MockSpaxels, light, star_forming, liner, oxygen) -> np.ndarray:
    """Fluxes of the fitted lines, shape (n, n_fit_line), from EW of Halpha before dust."""
    halpha = {name: ew * light * (1 + REDSHIFT) for name, ew in (("star_forming", star_forming), ("liner", liner))}
    return line_fluxes(halpha, oxygen, spaxels.ebv / STARS_OVER_GAS).T


def _widths(flux: np.ndarray, level: np.ndarray) -> np.ndarray:
    """EW of the emulator's lines, Angstrom, rest frame, shape (n, n_line)."""
    names, ew = fit_lines().name, flux / level / (1 + REDSHIFT)
    return np.column_stack([ew[:, [names.index(part) for part in PARTS[line]]].sum(axis=1) for line in LINES])


def _reference(spaxels: _MockSpaxels, light, level, rng) -> np.ndarray:
    """Median over draws of the gas of other spaxels of the same class."""
    draws = []
    for _ in range(_N_DRAW):
        other = np.empty(len(light), int)
        for passive in (False, True):
            own = np.flatnonzero(spaxels.passive == passive)
            other[own] = rng.choice(own, own.size)
        gas = (values[other] for values in (spaxels.ew_star_forming, spaxels.ew_liner, spaxels.oxygen))
        draws.append(np.arcsinh(_widths(_line_flux(spaxels, light, *gas), level)))
    return np.median(draws, axis=0)


def _observed(spaxels: _MockSpaxels, stars, flux, true, snr: float, rng) -> LineTable:
    """The table with noise; lines are hidden from the continuum as in real spectra."""
    spectra = np.array(stars, np.float32)
    add_lines(spectra, flux.T, spaxels.kinematics[:, 2], spaxels.kinematics[:, 3], np.ones(len(spectra)), REDSHIFT)
    window = (_SNR_RANGE[0] < WAVE) & (_SNR_RANGE[1] > WAVE)
    sigma = noise_sigma(spectra)
    sigma *= (np.median(stars[:, window], axis=1) / np.median(sigma[:, window], axis=1) / snr)[:, None]
    spectra += (sigma * rng.standard_normal(spectra.shape)).astype(np.float32)
    bins = Bins.equal().within(WAVE[0] / (1 + REDSHIFT), WAVE[-1] / (1 + REDSHIFT))
    redshift = velocity_to_redshift(spaxels.kinematics[:, 2], REDSHIFT)
    means = bin_continuum(WAVE, spectra, np.ones(spectra.shape, bool), redshift, bins)
    error = np.full(true.shape, np.sqrt(_LINE_PIXELS) * 1.4 / snr / (1 + REDSHIFT))
    ew = true + error * rng.standard_normal(true.shape)
    for weak, strong in _TIED.items():
        i, k = LINES.index(weak), LINES.index(strong)
        ratio = true[:, i] / true[:, k]
        ew[:, i], error[:, i] = ratio * ew[:, k], ratio * error[:, k]
    names = np.array([f"mock-{i}" for i in spaxels.galaxy])
    return LineTable(bins, LINES, names, means, None, ew.astype(np.float32), (error**-2).astype(np.float32))
