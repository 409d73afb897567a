"""Small LOGCUBEs with every HDU of a release, whole or damaged, and what the rule 'extract' needs to read them."""

import gzip
import io

import numpy as np
from astropy.io import fits

PLATEIFU = "8485-1901"
RA, DEC = 150.0, 20.0
SIDE = 6
#: Ten times coarser than MaNGA's scale, so that few pixels reach from [OII] to [SII].
WAVE = 3621.6 * 10 ** (1e-3 * np.arange(300))
LSF_NAMES = {"dr15": ("DISP", "PREDISP"), "dr17": ("LSFPOST", "LSFPRE")}
#: The galaxy's row in the sample sheet and the settings of the rule.
PARAMS = {
    "plateifu": PLATEIFU,
    "mangaid": "1-1",
    "z": 0.03,
    "ebv": 0.02,
    "ra": RA,
    "dec": DEC,
    "r_e": 2.0,
    "pa": 30.0,
    "ba": 0.6,
    "spectrum": -1,
    "engine": "powerbin",
    "target_snr": 20.0,
    "min_snr": 2.0,
    "continuum_range": [5600.0, 6750.0],
    "covariance": "manga",
    "window_pixels": 10,
}


def logcube(release: str = "dr17", signal=8.0, seed: int = 0) -> fits.HDUList:
    """A LOGCUBE of unit noise; ``signal``, shape (6, 6) or a number, is the flux of each spaxel."""
    rng = np.random.default_rng(seed)
    shape = (WAVE.size, SIDE, SIDE)
    flux = rng.normal(np.broadcast_to(signal, shape), 1.0).astype(np.float32)
    lsf, pre_lsf = LSF_NAMES[release]
    cubes = {
        "FLUX": flux,
        "IVAR": np.ones(shape, np.float32),
        "MASK": np.zeros(shape, np.int32),
        lsf: np.full(shape, 1.2, np.float32),
        pre_lsf: np.full(shape, 1.1, np.float32),
    }
    primary = fits.PrimaryHDU()
    primary.header.update({"PLATEIFU": PLATEIFU, "MANGAID": "1-1", "DRP3QUAL": 0, "VERSDRP3": "v3_1_1"})
    hdus = fits.HDUList([primary, *(_image(name, values) for name, values in cubes.items())])
    hdus += [fits.ImageHDU(WAVE, name="WAVE"), fits.ImageHDU(np.full(WAVE.size, 1900.0), name="SPECRES")]
    column = fits.Column("EXPNUM", "8A", array=["00200000"] * 9)
    hdus.append(fits.BinTableHDU.from_columns([column], name="OBSINFO"))
    hdus += [_image(f"{band}IMG", flux.mean(axis=0)) for band in "GRIZ"]
    hdus += [_image(f"{band}PSF", np.ones((SIDE, SIDE), np.float32)) for band in "GRIZ"]
    return hdus


def as_bytes(hdus: fits.HDUList) -> bytes:
    """The plain file."""
    file = io.BytesIO()
    hdus.writeto(file, output_verify="silentfix")
    return file.getvalue()


def write(path, content: fits.HDUList | bytes, packed: bool | None = None):
    """Write HDUs or the bytes of a file, packed if the name ends in .gz unless told otherwise; returns the path."""
    content = content if isinstance(content, bytes) else as_bytes(content)
    packed = path.suffix == ".gz" if packed is None else packed
    path.write_bytes(gzip.compress(content, 1, mtime=0) if packed else content)
    return path


def _image(name: str, values: np.ndarray) -> fits.ImageHDU:
    hdu = fits.ImageHDU(values, name=name)
    centre = SIDE // 2 + 1.0
    hdu.header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg"})
    hdu.header.update({"CRVAL1": RA, "CRVAL2": DEC, "CRPIX1": centre, "CRPIX2": centre})
    hdu.header.update({"CD1_1": -0.5 / 3600, "CD2_2": 0.5 / 3600})
    if values.ndim == 3:
        step = WAVE[0] * 1e-3 * np.log(10)
        hdu.header.update({"CTYPE3": "WAVE-LOG", "CUNIT3": "Angstrom", "CRVAL3": WAVE[0], "CRPIX3": 1.0, "CD3_3": step})
        hdu.header["BUNIT"] = "1E-17 erg/s/cm^2/Ang/spaxel"
    return hdu
