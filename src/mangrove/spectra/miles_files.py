"""Template libraries as a folder of FITS files in the naming of the MILES pages."""

import logging
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from mangrove.errors import TemplateError
from mangrove.spectra.library_files import IMF, ISOCHRONES, MILES_CITATION, MILES_LICENCE, assemble, emiles_fwhm
from mangrove.ssp import SspLibrary
from mangrove.wavelengths import air_to_vacuum

logger = logging.getLogger(__name__)

_FILE_NAME = re.compile(
    r"(?P<range>[A-Z])(?P<imf>[a-z]{2})(?P<slope>\d+\.\d+)Z(?P<sign>[mp])(?P<metallicity>\d+\.\d+)T(?P<age>\d+\.\d+)"
    r"(?:_i(?P<isochrones>[PT])(?P<alpha>[mp]\d+\.\d+))?(?:_\w+)?(?:\.\w+)*\.fits(?:\.gz)?"
)
_SAME_METALLICITY, _SAME_AGE = 0.006, 0.01


class MilesName(NamedTuple):
    """What the name of a MILES file says; age in Gyr, metallicity and alpha in dex, alpha None if not given."""

    spectral_range: str
    imf: str
    slope: float
    metallicity: float
    age: float
    isochrones: str
    alpha: float | None


def parse_miles_name(name: str) -> MilesName | None:
    """Parts of a name like ``Eku1.30Zp0.06T00.0300_iTp0.00_baseFe.fits``; None for other names."""
    match = _FILE_NAME.fullmatch(name)
    if not match:
        return None
    signed = {"m": -1.0, "p": 1.0}
    alpha = match["alpha"]
    return MilesName(
        match["range"],
        match["imf"],
        float(match["slope"]),
        signed[match["sign"]] * float(match["metallicity"]),
        float(match["age"]),
        match["isochrones"] or "",
        signed[alpha[0]] * float(alpha[1:]) if alpha else None,
    )


def read_miles_folder(folder: Path) -> SspLibrary:
    """A folder of FITS files in the MILES naming, of one IMF, one set of isochrones and one [alpha/Fe].

    Masses come from a table of the MILES pages (``out_mass_*.txt``, columns IMF, slope, [M/H], age, total mass, mass
    in stars and remnants, ...) in the folder; without one the library has no masses.
    """
    files = {parse_miles_name(f.name): f for f in sorted(folder.iterdir()) if parse_miles_name(f.name)}
    if not files:
        raise TemplateError(
            f"{folder}: no FITS file in the MILES naming, such as Eku1.30Zp0.06T00.0300_iTp0.00_baseFe.fits."
        )
    kinds = {n._replace(metallicity=0.0, age=0.0) for n in files}
    if len(kinds) > 1:
        raise TemplateError(
            f"{folder}: files of {len(kinds)} kinds (IMF, slope, isochrones, [alpha/Fe] or range): {_describe(kinds)}. "
            "Keep one kind in the folder."
        )
    kind = kinds.pop()
    metallicity, age = (np.array(sorted({getattr(n, axis) for n in files})) for axis in ("metallicity", "age"))
    wave, flux = _read_grid(folder, files, kind, metallicity, age)
    masses = _miles_masses(folder, kind, metallicity, age)
    if masses is None:
        logger.warning("%s: no table of masses (out_mass_*.txt) for its files: no labels that need a mass", folder)
    return assemble(
        "E-MILES" if kind.spectral_range == "E" else "MILES",
        air_to_vacuum(wave),
        flux,
        age,
        metallicity,
        emiles_fwhm(wave) if kind.spectral_range == "E" else np.full(wave.size, 2.51),
        masses,
        imf=IMF.get(kind.imf, kind.imf).format(slope=kind.slope),
        isochrones=ISOCHRONES.get(kind.isochrones, "not stated"),
        citation=MILES_CITATION,
        licence=MILES_LICENCE,
        source=folder.name,
    )


def _read_grid(folder, files, kind, metallicity, age):
    flux, wave = None, None
    missing = []
    for i, z in enumerate(metallicity):
        for j, t in enumerate(age):
            file = files.get(kind._replace(metallicity=z, age=t))
            if file is None:
                missing.append(f"[M/H] {z:+.2f} at {t:g} Gyr")
                continue
            new_wave, spectrum = _read_spectrum(file)
            if flux is None:
                wave, flux = new_wave, np.zeros((metallicity.size, age.size, new_wave.size))
            if not np.array_equal(wave, new_wave):
                raise TemplateError(f"{file}: other wavelengths than the files before it in the folder.")
            flux[i, j] = spectrum
    if missing:
        raise TemplateError(
            f"{folder}: the grid has gaps, first {missing[0]} ({len(missing)} of {metallicity.size * age.size}). "
            "Add these files, or take all files of that age or metallicity away."
        )
    return wave, flux


def _read_spectrum(file: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with fits.open(file) as hdus:
            header, flux = hdus[0].header, np.asarray(hdus[0].data, float).ravel()
            step = header.get("CDELT1", header.get("CD1_1"))
            return header["CRVAL1"] + step * (np.arange(flux.size) + 1 - header.get("CRPIX1", 1.0)), flux
    except (OSError, KeyError, TypeError) as error:
        raise TemplateError(f"{file}: not a readable MILES spectrum ({error}).") from error


def _miles_masses(folder: Path, kind: MilesName, metallicity, age) -> np.ndarray | None:
    rows = [row for file in sorted(folder.glob("*mass*.txt")) for row in _mass_rows(file, kind)]
    masses = np.full((metallicity.size, age.size), np.nan)
    for z, t, mass in rows:
        near = np.abs(metallicity - z) < _SAME_METALLICITY, np.abs(age / t - 1.0) < _SAME_AGE
        masses[np.ix_(*near)] = mass
    return None if np.isnan(masses).any() else masses


def _mass_rows(file: Path, kind: MilesName):
    """[M/H], age and mass of the rows of a table that have the IMF of the spectra."""
    other = {"P": "BASTI", "T": "PADOVA"}.get(kind.isochrones)
    if other and other in file.name.upper():
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if len(words) < 6 or words[0].lower() != kind.imf:
            continue
        slope, z, t, _, mass = map(float, words[1:6])
        if abs(slope - kind.slope) < 0.01:
            yield z, t, mass


def _describe(kinds) -> str:
    return ", ".join(sorted(f"{k.spectral_range}{k.imf}{k.slope:.2f} i{k.isochrones}{k.alpha}" for k in kinds))
