"""Observe a simulated galaxy as single spectra, without a cube: what baxels of it would be."""

from typing import NamedTuple

import numpy as np

from mangrove.ssp.library import SspLibrary
from mangrove.survey.simulation.galaxies import SimulatedGalaxy, random_generator
from mangrove.survey.simulation.instrument import WAVE, lsf_sigma, noise_sigma, spaxel_offsets
from mangrove.survey.simulation.maps import GalaxyMaps, disc_coordinates, galaxy_maps
from mangrove.survey.simulation.simulate import (
    dusty_light,
    field,
    foreground_transmission,
    spaxel_spectra,
    spaxel_truth,
)
from mangrove.survey.simulation.truth import CONTINUUM_RANGE

#: Lowest and highest signal to noise per pixel that is drawn.
SNR_OF_BAXELS = (12.0, 60.0)
#: Signal to noise from which a spaxel is a Voronoi bin of its own.
_TARGET_SNR = 20.0
#: Wavelength (Angstrom) in the range of signal and noise without a sky line.
_CLEAN_SKY = 6200.0
#: Mean number of cosmic rays in a spectrum, their width in pixels, and their height over the continuum.
_N_COSMIC_RAYS, _RAY_PIXELS, _RAY_HEIGHT = 8.0, 3, (1.0, 20.0)
#: Fraction of the spectra with a longer gap (a dead fibre, an arm's edge), and its length in pixels.
_GAP_FRACTION, _GAP_PIXELS = 0.08, (50, 700)


class SimulatedBaxels(NamedTuple):
    """Spectra at n places of a galaxy, ordered by radius.

    Fluxes are observed, behind the Milky Way's dust, in 1e-17 erg/s/cm2/Angstrom/spaxel on the wavelengths
    :data:`mangrove.survey.simulation.instrument.WAVE`.

    Attributes
    ----------
    galaxy : SimulatedGalaxy
    east, north : ndarray, shape (n,)
        Offset from the galaxy's centre, arcsec.
    radius : ndarray, shape (n,)
        In the plane of the disc, arcsec: the semi-major axis of the ellipse.
    signal, noise : ndarray, shape (n,)
        Median flux and median error over 5600-6750 Angstrom, before faults.
    flux, ivar : ndarray of float32, shape (n, 4563)
        With noise, and its inverse variance; ivar is 0 where masked.
    mask : ndarray of bool, shape (n, 4563)
        True where a pixel is no data.
    lsf : ndarray of float32, shape (n, 4563)
        Line spread with the integration over pixels, Gaussian sigma, Angstrom; 0 where masked.
    noiseless : ndarray of float32, shape (n, 4563)
        Expectation of the flux: what it would be without noise and faults.
    truth : dict of ndarray
        Labels by the names of the artefact ``truth``, shape (n,); of lines (n_line, n).
    """

    galaxy: SimulatedGalaxy
    east: np.ndarray
    north: np.ndarray
    radius: np.ndarray
    signal: np.ndarray
    noise: np.ndarray
    flux: np.ndarray
    ivar: np.ndarray
    mask: np.ndarray
    lsf: np.ndarray
    noiseless: np.ndarray
    truth: dict[str, np.ndarray]


def simulate_baxels(galaxy: SimulatedGalaxy, n: int, ssp: SspLibrary) -> SimulatedBaxels:
    """Observe a galaxy at ``n`` places of its field, each as one spectrum.

    A place is a spaxel of the galaxy's maps, so that stars, gas, dust, beam and truth are those of its cube. Places are
    drawn as Voronoi bins would lie: spaxels fainter than the bins' target share bins, whose size falls with the square of
    the signal to noise of a spaxel. The signal to noise of a spectrum is drawn evenly in its logarithm over
    :data:`SNR_OF_BAXELS` whatever its place, as a survey's bins have it for many reasons.

    Parameters
    ----------
    galaxy : SimulatedGalaxy
    n : int
        Number of places.
    ssp : SspLibrary
        Must know its masses.

    Raises
    ------
    ValueError
        If the field has fewer than ``n`` spaxels.
    """
    maps = galaxy_maps(galaxy)
    places = _places(galaxy, maps, n)
    spaxels = spaxel_spectra(galaxy, maps, places, ssp)
    east, north = (
        offset[places] + shift for offset, shift in zip(spaxel_offsets(galaxy.side), galaxy.pointing, strict=True)
    )
    radius, _ = disc_coordinates(galaxy, east, north)
    order = np.argsort(radius, kind="stable")
    noiseless = (spaxels.flux * foreground_transmission(galaxy))[order]
    truth = {name: values[..., order] for name, values in spaxel_truth(galaxy, maps, spaxels).items()}
    rng = random_generator(galaxy.seed, galaxy.plateifu, "baxels: noise")
    signal, sigma = _errors(rng, noiseless)
    flux = noiseless + sigma * rng.standard_normal(noiseless.shape, dtype=np.float32)
    mask = _faults(rng, flux, signal)
    lsf = spaxels.lsf_factor[order, None] * lsf_sigma()
    return SimulatedBaxels(
        galaxy=galaxy,
        east=east[order],
        north=north[order],
        radius=radius[order],
        signal=signal,
        noise=_median(sigma),
        flux=flux,
        ivar=np.where(mask, 0.0, 1.0 / sigma**2).astype(np.float32),
        mask=mask,
        lsf=np.where(mask, 0.0, lsf).astype(np.float32),
        noiseless=noiseless,
        truth=truth,
    )


def _places(galaxy: SimulatedGalaxy, maps: GalaxyMaps, n: int) -> np.ndarray:
    """``n`` spaxels of the field, bool, shape (ny, nx)."""
    inside = field(galaxy)
    if n > inside.sum():
        raise ValueError(f"{galaxy.plateifu}: {n} spectra are wanted of a field of {inside.sum()} spaxels")
    light = dusty_light(galaxy, maps)[inside]
    snr = light / noise_sigma(light, np.array([_CLEAN_SKY]))
    density = np.minimum(snr / _TARGET_SNR, 1.0) ** 2
    rng = random_generator(galaxy.seed, galaxy.plateifu, "baxels: places")
    chosen = rng.choice(light.size, n, replace=False, p=density / density.sum())
    places = np.zeros(inside.shape, bool)
    places[tuple(axis[chosen] for axis in np.nonzero(inside))] = True
    return places


def _errors(rng, noiseless: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signal, shape (n,), and standard deviation of the noise, shape (n, 4563), at the signal to noise drawn."""
    snr = np.exp(rng.uniform(*np.log(SNR_OF_BAXELS), len(noiseless)))
    signal, sigma = _median(noiseless), noise_sigma(noiseless)
    return signal, (sigma * (signal / snr / _median(sigma))[:, None]).astype(np.float32)


def _median(spectra: np.ndarray) -> np.ndarray:
    """Over the range in which signal and noise are measured."""
    low, high = CONTINUUM_RANGE
    return np.median(spectra[:, (low <= WAVE) & (high >= WAVE)], axis=1)


def _faults(rng, flux: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Mask, bool, the shape of ``flux``, whose pixels get the faults that it names: cosmic rays and gaps without flux."""
    mask = np.zeros(flux.shape, bool)
    for row, hidden, level in zip(flux, mask, signal, strict=True):
        for _ in range(rng.poisson(_N_COSMIC_RAYS)):
            first = rng.integers(row.size - _RAY_PIXELS)
            row[first : first + _RAY_PIXELS] += level * rng.uniform(*_RAY_HEIGHT)
            hidden[first : first + _RAY_PIXELS] = True
        if rng.uniform() < _GAP_FRACTION:
            length = rng.integers(*_GAP_PIXELS)
            first = rng.integers(row.size - length)
            row[first : first + length] = 0.0
            hidden[first : first + length] = True
    return mask
