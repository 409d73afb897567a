"""The spectra of bins: means over their spaxels, with the noise that the spatial covariance leaves."""

from typing import NamedTuple

import numpy as np

from mangrove.spectra.binning.voronoi import covariance_factor
from mangrove.survey.cube import Cube

#: Wavelengths taken at a time, which bounds the memory of copies in double precision.
_BLOCK = 256
_SMALLEST, _LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


class Baxels(NamedTuple):
    """Co-added spectra of bins.

    Attributes
    ----------
    flux, ivar : ndarray of float32, shape (n_baxel, n_wave)
        Mean over the good spaxels, 1e-17 erg/s/cm2/Angstrom/spaxel; ivar includes the spatial covariance and is 0
        where masked.
    mask : ndarray of bool, shape (n_baxel, n_wave)
        Fewer than half of the spaxels are good.
    lsf : ndarray of float32, shape (n_baxel, n_wave)
        Mean line spread, Gaussian sigma, Angstrom, observed frame; 0 where no spaxel is good.
    """

    flux: np.ndarray
    ivar: np.ndarray
    mask: np.ndarray
    lsf: np.ndarray


def coadd(cube: Cube, bin_id: np.ndarray, covariance) -> Baxels:
    """Mean spectra of the bins.

    At each wavelength flux = sum / n_good and ivar = n_good^2 / (factor(n_good)^2 sum(variance)) over the good
    spaxels; a pixel where fewer than half of the spaxels are good is masked, as dropping bright members makes steps.
    """
    members = np.nonzero(bin_id.ravel() >= 0)[0]
    members = members[np.argsort(bin_id.ravel()[members], kind="stable")]
    n_spaxel = np.bincount(bin_id.ravel()[members])
    out = Baxels(
        *(np.zeros((n_spaxel.size, cube.wave.size), kind) for kind in (np.float32, np.float32, bool, np.float32))
    )
    for start in range(0, cube.wave.size if members.size else 0, _BLOCK):
        block = slice(start, start + _BLOCK)
        for whole, part in zip(out, _coadd_block(cube, block, members, n_spaxel, covariance), strict=True):
            whole[:, block] = part
    return out


def _coadd_block(cube: Cube, block: slice, members: np.ndarray, n_spaxel: np.ndarray, covariance) -> Baxels:
    """Mean spectra over a slice of the wavelengths; members are flat spaxel indices, bin after bin."""
    starts = np.concatenate([[0], np.cumsum(n_spaxel)[:-1]]).astype(int)

    def spaxels(values):
        return values[block].reshape(len(values[block]), -1)[:, members]

    def total(values):
        return np.add.reduceat(values, starts, axis=1).T

    good = spaxels(cube.good)
    flux = np.where(good, spaxels(cube.flux), 0.0).astype(np.float64)
    ivar = spaxels(cube.ivar).astype(np.float64)
    variance = np.divide(1.0, ivar, out=np.zeros_like(ivar), where=good)
    n_good = total(good.astype(np.int32))
    mask = (n_good < 0.5 * n_spaxel[:, None]) | (n_good == 0)
    n = np.maximum(n_good, 1)
    noise2 = covariance_factor(n, covariance) ** 2 * total(variance)
    out_ivar = np.divide(n.astype(np.float64) ** 2, noise2, out=np.zeros_like(noise2), where=~mask)
    # An inverse variance that single precision cannot hold is no measurement.
    mask |= (out_ivar < _SMALLEST) | (out_ivar > _LARGEST)
    out_flux, out_ivar = np.where(mask, 0.0, total(flux) / n), np.where(mask, 0.0, out_ivar)
    lsf = cube.lsf[block, None] if cube.lsf.ndim == 1 else spaxels(cube.lsf)
    out_lsf = total(np.where(good, lsf, 0.0)) / np.maximum(n_good, 1)
    return Baxels(out_flux.astype(np.float32), out_ivar.astype(np.float32), mask, out_lsf.astype(np.float32))


def baxel_snr(wave, baxels: Baxels, continuum_range: list[float]) -> np.ndarray:
    """Signal to noise per pixel, shape (n_baxel,): median flux over median error in the range; 0 without good pixels."""
    window = (wave >= continuum_range[0]) & (wave <= continuum_range[1])
    snr = np.zeros(len(baxels.flux), np.float32)
    for i, bad in enumerate(baxels.mask):
        use = window & ~bad
        if use.any():
            snr[i] = np.median(baxels.flux[i, use]) / np.median(1.0 / np.sqrt(baxels.ivar[i, use]))
    return snr
