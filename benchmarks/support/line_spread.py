"""Line spread and zero of velocity of spectra, window by window, against a library whose own are known."""

import gzip
import io
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from mangrove.physics.wavelengths import C_KMS, SIGMA_TO_FWHM, air_to_vacuum
from mangrove.spectra.fit.templates import broaden, match_lsf
from mangrove.ssp.library import SspLibrary

#: Rest frame, vacuum, Angstrom.
WINDOWS = ((4000.0, 4400.0), (4400.0, 4850.0), (4850.0, 5450.0), (5450.0, 6100.0), (6100.0, 6700.0))
#: NaI D, which the interstellar medium of the Milky Way deepens in every empirical library, Angstrom.
_INTERSTELLAR = (5880.0, 5910.0)
#: The spectra are broadened by this before the fit, so that they may turn out narrower than the templates, km/s.
_EXTRA = 60.0
#: Degree of the additive and of the multiplicative polynomial. Without the first one, templates whose lines are too weak
#: or too strong change the width by several hundred km2/s2.
_DEGREE = 4
_TEMPLATES = "mangadap/data/spectral_templates/"


class Window(NamedTuple):
    """How spectra differ from templates in a window: medians over the spectra, and standard errors of the means.

    Attributes
    ----------
    low, high : float
        Rest wavelength, Angstrom, vacuum.
    velocity, velocity_err : float
        Of the spectra, km/s.
    excess, excess_err : float
        Variance of their lines beyond the declared line spread, km2/s2.
    rms : float
        Of the residuals, relative.
    """

    low: float
    high: float
    velocity: float
    velocity_err: float
    excess: float
    excess_err: float
    rms: float


def compare(library: SspLibrary, spectra, reference: SspLibrary, windows=WINDOWS) -> list[Window]:
    """Fit spectra of one library, on logarithmic wavelengths, with the templates of another at its line spread.

    Parameters
    ----------
    library : SspLibrary
        What the spectra are of: wavelengths and declared line spread.
    spectra : ndarray, shape (n, n_wave)
    reference : SspLibrary
    """
    step = float(np.log(library.wave[-1] / library.wave[0]) / (library.wave.size - 1))
    sigma = library.fwhm / SIGMA_TO_FWHM
    result = []
    for low, high in windows:
        near = (library.wave > 0.97 * low) & (library.wave < 1.03 * high)
        wave = library.wave[near]
        templates = match_lsf(reference, step, wave, sigma[near], (low, high))
        fits_ = np.array([_fit(wave, s[near], step, templates, (low, high)) for s in np.asarray(spectra)])
        # What templates coarser than the declared line spread lack in the convolution.
        coarser = np.interp(wave, templates.wave, templates.lsf_sigma) ** 2 - sigma[near] ** 2
        inside = (wave > low) & (wave < high)
        fits_[:, 1] += np.mean((coarser * (C_KMS / wave) ** 2)[inside])
        middle, error = np.median(fits_, axis=0), fits_.std(axis=0, ddof=1) / np.sqrt(len(fits_))
        result.append(Window(low, high, middle[0], error[0], middle[1], error[1], middle[2]))
    return result


def _fit(wave, flux, step: float, templates, window) -> tuple[float, float, float]:
    """Velocity (km/s), variance (km2/s2) beyond that of the templates, and relative rms of the residuals."""
    from ppxf.ppxf import ppxf

    inside = (wave > window[0]) & (wave < window[1])
    wave, flux = wave[inside], broaden(flux[:, None], step, 0.0, _EXTRA)[inside, 0]
    flux = flux / np.median(flux)
    good = np.flatnonzero((wave < _INTERSTELLAR[0]) | (wave > _INTERSTELLAR[1]))
    pp = ppxf(
        templates.flux / np.median(templates.flux, axis=0),
        flux,
        np.full(flux.size, 0.01),
        C_KMS * step,
        [0.0, _EXTRA],
        bounds=[[-300.0, 300.0], [1.0, 300.0]],
        moments=2,
        degree=_DEGREE,
        mdegree=_DEGREE,
        goodpixels=good,
        lam=wave,
        lam_temp=templates.wave,
        quiet=True,
    )
    return pp.sol[0], pp.sol[1] ** 2 - _EXTRA**2, float(np.std((flux - pp.bestfit)[good]))


def elodie(wheel: Path) -> SspLibrary:
    """SSPs on ELODIE (Maraston & Stroemback 2011) from the wheel of sdss-mangadap: 0.55 Angstrom FWHM, air."""
    spectra = []
    for header, flux, _ in _spectra(wheel, "m11_elodie/"):
        wave = header["CRVAL1"] + header["CDELT1"] * np.arange(flux.size)
        spectra.append(flux)
    return _as_library("M11-ELODIE", air_to_vacuum(wave), spectra, np.full(wave.size, 0.55))


def mastar_stars(wheel: Path) -> SspLibrary:
    """Clustered MaStar stars of a later reduction (MaStarHC2, MPL-10), from the wheel of sdss-mangadap; vacuum."""
    spectra = []
    for header, flux, resolving_power in _spectra(wheel, "mastarhc_v2/"):
        wave = 10.0 ** (header["CRVAL1"] + header["CDELT1"] * np.arange(flux.size))
        spectra.append(flux)
        fwhm = wave / resolving_power  # the same in all files
    return _as_library("MaStarHC2", wave, spectra, fwhm)


def _spectra(wheel: Path, folder: str):
    """Header, flux and resolving power (None without one) of every file of a library in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if name.startswith(_TEMPLATES + folder) and ".fits" in name:
                data = archive.read(name)
                with fits.open(io.BytesIO(gzip.decompress(data) if name.endswith(".gz") else data)) as hdus:
                    power = hdus["SRES"].data.astype(float) if "SRES" in hdus else None
                    yield hdus[0].header, hdus[0].data.astype(float), power


def _as_library(name: str, wave, spectra, fwhm) -> SspLibrary:
    """Spectra as a library of one metallicity; what stands for their age is their number."""
    flux = np.array(spectra)[None]
    return SspLibrary(
        name=name,
        wave=wave,
        flux=flux,
        age=1.0 + np.arange(flux.shape[1]),
        metallicity=np.zeros(1),
        fwhm=fwhm,
        ml_r=None,
        mass_fraction=None,
        imf="",
        isochrones="",
        normalised=True,
    )
