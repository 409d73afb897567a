"""Write simulated galaxies as the archive's LOGCUBE files."""

import gzip
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from mangrove.physics.wavelengths import SIGMA_TO_FWHM
from mangrove.survey.releases import release as find_release
from mangrove.survey.releases import split_plateifu
from mangrove.survey.simulation.fits_writing import CHECKSUM_NOTE, as_table
from mangrove.survey.simulation.galaxies import SimulatedGalaxy, ifu_position, random_generator
from mangrove.survey.simulation.instrument import (
    SPAXEL,
    WAVE,
    lsf_sigma,
    lsf_sigma_before_pixels,
    noise_correlation,
    spaxel_offsets,
)
from mangrove.whole_files import whole_file

_FLUX_UNIT = "1E-17 erg/s/cm^2/Ang/spaxel"
_IVAR_UNIT = "1/(1E-17 erg/s/cm^2/Ang/spaxel)^2"
# Trapezia (Angstrom) that stand for the SDSS filters.
_BANDS = {
    "G": (3800.0, 4200.0, 5350.0, 5500.0),
    "R": (5400.0, 5650.0, 6700.0, 6950.0),
    "I": (6800.0, 7100.0, 8150.0, 8450.0),
    "Z": (8150.0, 8600.0, 9300.0, 10350.0),
}
_NANOMAGGY = 3.631e-29  # erg/s/cm2/Hz
_MIN_CORRELATION = 0.3
_MANTISSA_BITS = 14


class SimulatedCube(NamedTuple):
    """An observed galaxy.

    Attributes
    ----------
    galaxy : SimulatedGalaxy
    release : str
    flux : ndarray, shape (4563, ny, nx)
        1e-17 erg/s/cm2/Angstrom/spaxel; 0 outside the field.
    ivar : ndarray, shape (4563, ny, nx)
        Inverse variance.
    mask : ndarray of int32, shape (4563, ny, nx)
        MANGA_DRP3PIXMASK.
    lsf_factor : ndarray, shape (ny, nx)
        Factor on the instrument's mean line spread; 0 outside the field.
    """

    galaxy: SimulatedGalaxy
    release: str
    flux: np.ndarray
    ivar: np.ndarray
    mask: np.ndarray
    lsf_factor: np.ndarray

    @property
    def lsf(self) -> np.ndarray:
        """Line spread with the integration over pixels (sigma, Angstrom), shape (4563, ny, nx)."""
        return (lsf_sigma()[:, None, None] * self.lsf_factor).astype(np.float32)

    @property
    def pre_lsf(self) -> np.ndarray:
        """Line spread before the integration over pixels (sigma, Angstrom), shape (4563, ny, nx)."""
        sigma = lsf_sigma()[:, None, None] * np.where(self.lsf_factor > 0, self.lsf_factor, 1)
        before = lsf_sigma_before_pixels(sigma, WAVE[:, None, None])
        return np.where(self.lsf_factor > 0, before, 0).astype(np.float32)


def write_logcube(path, cube: SimulatedCube) -> None:
    """Write a LOGCUBE with the HDUs, headers and units of its release; equal cubes give equal bytes."""
    hdus = _cube_hdus(cube)
    with whole_file(path) as part, part.open("wb") as raw, gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed:
        for hdu in hdus:
            hdu.add_checksum(when=CHECKSUM_NOTE)
        fits.HDUList(hdus).writeto(packed)


def _cube_hdus(cube: SimulatedCube) -> list:
    kind = find_release(cube.release)
    wcs = _cube_wcs(cube.galaxy)
    images = (
        ("FLUX", _rounded(cube.flux), _FLUX_UNIT),
        ("IVAR", _rounded(cube.ivar), _IVAR_UNIT),
        ("MASK", cube.mask, None),
        (kind.lsf_hdu, _rounded(cube.lsf), "Angstrom"),
        (kind.pre_lsf_hdu, _rounded(cube.pre_lsf), "Angstrom"),
    )
    return [
        _primary(cube, kind.drpver),
        *(_image(name, data, unit, wcs) for name, data, unit in images),
        *_resolution_hdus(cube),
        _observations(cube.galaxy),
        *_band_images(cube),
        *(_image(f"{b}PSF", _psf(cube.galaxy), None, _image_wcs(cube.galaxy)) for b in _BANDS),
        *(_correlation(cube, band) for band in _BANDS),
    ]


def _primary(cube: SimulatedCube, version: str):
    galaxy = cube.galaxy
    plate, ifu = split_plateifu(galaxy.plateifu)
    hdu = fits.PrimaryHDU()
    cards = {
        "VERSDRP3": (version, "version of the data reduction"),
        "PLATEID": (plate, "plate"),
        "IFUDSGN": (str(ifu), "IFU design"),
        "PLATEIFU": (galaxy.plateifu, "plate and IFU design"),
        "MANGAID": (galaxy.mangaid, "identifier of the target"),
        "OBJRA": (galaxy.ra, "[deg] right ascension of the object"),
        "OBJDEC": (galaxy.dec, "[deg] declination of the object"),
        "IFURA": (ifu_position(galaxy)[0], "[deg] right ascension of the IFU"),
        "IFUDEC": (ifu_position(galaxy)[1], "[deg] declination of the IFU"),
        "EBVGAL": (galaxy.ebv_galactic, "[mag] Galactic E(B-V)"),
        "DRP3QUAL": (galaxy.drp3qual, "MANGA_DRP3QUAL"),
        "DRP3PIXM": ("MANGA_DRP3PIXMASK", "bits of MASK"),
    }
    cards |= {f"{b}FWHM": (galaxy.psf_fwhm, f"[arcsec] point-spread function in {b.lower()}") for b in _BANDS}
    for key, value in cards.items():
        hdu.header[key] = value
    return hdu


def _image_wcs(galaxy: SimulatedGalaxy) -> dict:
    ra, dec = ifu_position(galaxy)
    step = SPAXEL / 3600.0
    centre = galaxy.side // 2 + 1.0
    return {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg",
            "CRVAL1": ra, "CRVAL2": dec, "CRPIX1": centre, "CRPIX2": centre, "CD1_1": -step, "CD2_2": step,
            "RADESYS": "FK5", "EQUINOX": 2000.0}  # fmt: skip


def _cube_wcs(galaxy: SimulatedGalaxy) -> dict:
    step = WAVE[0] * np.log(WAVE[1] / WAVE[0])
    return _image_wcs(galaxy) | {
        "CTYPE3": "WAVE-LOG",
        "CUNIT3": "Angstrom",
        "CRVAL3": WAVE[0],
        "CRPIX3": 1.0,
        "CD3_3": step,
    }


def _image(name: str, data, unit: str | None, wcs: dict):
    hdu = fits.ImageHDU(data, name=name)
    for key, value in wcs.items():
        hdu.header[key] = value
    if unit:
        hdu.header["BUNIT"] = unit
    return hdu


def _resolution_hdus(cube: SimulatedCube) -> list:
    """WAVE, and resolving power with its scatter over the spaxels, after and before pixel integration."""
    factor = cube.lsf_factor[cube.lsf_factor > 0]
    post = lsf_sigma()
    power = WAVE / (SIGMA_TO_FWHM * factor.mean() * post)
    pre_power = WAVE / (SIGMA_TO_FWHM * lsf_sigma_before_pixels(factor.mean() * post))
    scatter = factor.std() / factor.mean()
    wave = fits.ImageHDU(WAVE, name="WAVE")
    wave.header["BUNIT"] = "Angstrom"
    vectors = {"SPECRES": power, "SPECRESD": scatter * power, "PRESPECRES": pre_power,
               "PRESPECRESD": scatter * pre_power}  # fmt: skip
    return [wave, *(fits.ImageHDU(data, name=name) for name, data in vectors.items())]


def _observations(galaxy: SimulatedGalaxy):
    """OBSINFO: one row per exposure, three dither positions in each of three sets."""
    plate, ifu = split_plateifu(galaxy.plateifu)
    rng = random_generator(galaxy.seed, galaxy.plateifu, "exposures")
    ra, dec = ifu_position(galaxy)
    n = 9
    columns = {
        "IFUDSGN": np.full(n, str(ifu)),
        "MANGAID": np.full(n, galaxy.mangaid),
        "PLATEID": np.full(n, plate, np.int32),
        "MJD": np.repeat([57000, 57001, 57003], 3).astype(np.int32),
        "EXPNUM": np.array([f"{200000 + i:08d}" for i in range(n)]),
        "SET": np.repeat([1, 2, 3], 3).astype(np.int32),
        "MGDPOS": np.array(["N", "S", "E"] * 3),
        "EXPTIME": np.full(n, 900.0),
        "SEEING": rng.normal(1.5, 0.1, n),
        "TRANSPAR": rng.uniform(0.8, 1.0, n),
        "MGDRA": np.full(n, ra),
        "MGDDEC": np.full(n, dec),
    }
    return fits.table_to_hdu(as_table(columns, "OBSINFO"))


def _band_images(cube: SimulatedCube) -> list:
    """GIMG, RIMG, IIMG, ZIMG: the cube integrated over approximate SDSS bands, nanomaggies per spaxel."""
    images = []
    for band, corners in _BANDS.items():
        weight = np.interp(WAVE, corners, [0, 1, 1, 0]) * WAVE * np.gradient(WAVE)
        pivot2 = weight.sum() / (weight / WAVE**2).sum()
        mean = np.tensordot((weight / weight.sum()).astype(np.float32), cube.flux, 1)
        nanomaggies = mean * 1e-17 * pivot2 / 2.99792458e18 / _NANOMAGGY
        images.append(
            _image(f"{band}IMG", nanomaggies.astype(np.float32), "nanomaggies/pixel", _image_wcs(cube.galaxy))
        )
    return images


def _psf(galaxy: SimulatedGalaxy) -> np.ndarray:
    """Point-spread function at the reference pixel, sum 1, float32, shape (ny, nx)."""
    east, north = spaxel_offsets(galaxy.side)
    image = np.exp(-0.5 * (east**2 + north**2) / (galaxy.psf_fwhm / SIGMA_TO_FWHM) ** 2)
    return (image / image.sum()).astype(np.float32)


def _correlation(cube: SimulatedCube, band: str):
    """Sparse correlation matrix of the spaxels' noise: upper triangle, above a threshold."""
    y, x = np.nonzero(cube.lsf_factor > 0)
    reach = 4
    pairs = []
    index = np.full(cube.lsf_factor.shape, -1)
    index[y, x] = np.arange(y.size)
    for dy in range(reach):
        for dx in range(-reach + 1, reach):
            rho = noise_correlation(np.hypot(dy, dx))
            if (dy, dx) < (0, 0) or rho < _MIN_CORRELATION:
                continue
            yy, xx = y + dy, x + dx
            ok = (yy < len(index)) & (xx >= 0) & (xx < len(index))
            ok[ok] = index[yy[ok], xx[ok]] >= 0
            pairs.append(np.array([y[ok], x[ok], yy[ok], xx[ok], np.full(ok.sum(), rho)]))
    rows = np.concatenate(pairs, axis=1)
    names = ("INDXI_C1", "INDXI_C2", "INDXJ_C1", "INDXJ_C2")
    columns = {name: values.astype(np.int32) for name, values in zip(names, rows[:4], strict=True)}
    hdu = fits.table_to_hdu(as_table(columns | {"RHOIJ": rows[4]}, f"{band}CORREL"))
    corners = _BANDS[band]
    channel = int(np.searchsorted(WAVE, 0.5 * (corners[1] + corners[2])))
    n = cube.lsf_factor.size
    for key, value in {"BBWAVE": WAVE[channel], "BBINDEX": channel, "COVTYPE": "Correlation",
                       "COVSHAPE": f"({n}, {n})"}.items():  # fmt: skip
        hdu.header[key] = value
    return hdu


def _rounded(values: np.ndarray) -> np.ndarray:
    """float32 with the mantissa rounded to 14 bits, far below the noise: the files shrink."""
    drop = 23 - _MANTISSA_BITS
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    half = np.uint32(1 << (drop - 1))
    return ((bits + half) >> np.uint32(drop) << np.uint32(drop)).view(np.float32)
