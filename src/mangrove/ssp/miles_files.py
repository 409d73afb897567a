"""Template libraries as a folder of FITS files in the naming of the MILES pages."""

import logging
from pathlib import Path

import numpy as np
from astropy.io import fits

from mangrove.errors import TemplateError
from mangrove.files.bounded_headers import demand_bounded_headers
from mangrove.files.damaged import DAMAGED, words_of
from mangrove.files.packed import unpacking_tool
from mangrove.physics.wavelengths import air_to_vacuum
from mangrove.ssp.checks import check_values, luminosity_factor
from mangrove.ssp.library import SspLibrary
from mangrove.ssp.miles_names import (
    MILES_FWHM,
    MilesName,
    MilesVariant,
    lsf_fwhm,
    parse_miles_name,
    parse_variant,
)
from mangrove.ssp.single_files import IMF, ISOCHRONES, MILES_CITATION, MILES_LICENCE, assemble, emiles_fwhm
from mangrove.ssp.template_axis import vacuum_wavelengths

logger = logging.getLogger(__name__)

_SAME_METALLICITY, _SAME_AGE, _SAME_SPREAD, _SAME_MASS = 0.006, 0.01, 0.01, 0.005
#: Cards that state a line spread in another way than FWHM.
_SPREAD_CARDS = ("SIGMA", "RESOL", "SPECRES", "SPEC_RES", "SPECRP", "SPEC_RP", "LSF", "LSFFWHM")


def read_miles_folder(folder: Path) -> SspLibrary:
    """A folder of FITS files in the MILES naming, of one IMF, one set of isochrones, one [alpha/Fe], one line spread.

    Masses come from a table of the MILES pages (``out_mass_*.txt``, columns IMF, slope, [M/H], age, total mass, mass
    in stars and remnants, ...) in the folder; without one the library has no masses.

    Raises
    ------
    TemplateError
        If the files are not of one kind, some are packed or missing, a name or header says what cannot be used, or two
        tables of masses disagree.
    """
    files, variant = _files_of_one_kind(folder)
    kind = next(iter(files))._replace(metallicity=0.0, age=0.0)
    metallicity, age = (np.array(sorted({getattr(n, axis) for n in files})) for axis in ("metallicity", "age"))
    wave, flux, fwhm = _read_grid(folder, files, variant, metallicity, age)
    masses = _miles_masses(folder, kind, metallicity, age)
    if masses is None:
        logger.warning(
            "%s: no table of masses (out_mass_*.txt) for its files, so labels that need masses will be missing", folder
        )
    spread = _fwhm(folder, kind, variant, wave, fwhm)
    check_values(str(folder), wave, age, metallicity, spread, masses)
    return assemble(
        "E-MILES" if kind.spectral_range == "E" else "MILES",
        wave,
        flux,
        age,
        metallicity,
        spread,
        masses,
        imf=IMF.get(kind.imf, kind.imf).format(slope=kind.slope),
        isochrones=ISOCHRONES.get(kind.isochrones, "not stated"),
        citation=MILES_CITATION,
        licence=MILES_LICENCE,
        source=folder.name,
    )


def _files_of_one_kind(folder: Path) -> tuple[dict[MilesName, Path], MilesVariant]:
    """The files by their population, and what all their names say of the spectra."""
    files: dict[MilesName, Path] = {}
    variants: dict[MilesVariant, str] = {}
    for file in sorted(folder.iterdir()):
        if (tool := unpacking_tool(file.name)) and parse_miles_name(file.stem) and not file.with_suffix("").exists():
            raise TemplateError(f"{file} is compressed in a format that cannot be read; unpack it with '{tool}'.")
        if (name := parse_miles_name(file.name)) is None:
            if ".fit" in file.name.lower():
                logger.warning("%s: the name does not follow the MILES naming; not read", file)
            continue
        variants.setdefault(parse_variant(file.name), file.name)
        if name in files and len(variants) == 1:
            raise TemplateError(
                f"{folder}: {files[name].name} and {file.name} are the same population. Keep one of them."
            )
        files.setdefault(name, file)
    if not files:
        if packed := [file for file in sorted(folder.iterdir()) if unpacking_tool(file.name)]:
            raise TemplateError(
                f"{packed[0]} is compressed in a format that cannot be read; unpack it with '{unpacking_tool(packed[0].name)}'."
            )
        raise TemplateError(
            f"{folder}: no FITS file in the MILES naming, such as Eku1.30Zp0.06T00.0300_iTp0.00_baseFe.fits."
        )
    kinds = {n._replace(metallicity=0.0, age=0.0) for n in files}
    if len(kinds) > 1:
        raise TemplateError(
            f"{folder}: files of {len(kinds)} kinds (IMF, slope, isochrones, [alpha/Fe] or range): {_describe(kinds)}. "
            "Keep one kind in the folder."
        )
    if len(variants) > 1:
        raise TemplateError(
            f"{folder}: files of {len(variants)} kinds (abundances, sampling or resolution), such as "
            f"{' and '.join(list(variants.values())[:2])}. Keep one kind in the folder."
        )
    return files, next(iter(variants))


def _fwhm(folder: Path, kind: MilesName, variant: MilesVariant, wave, in_header: float | None) -> np.ndarray:
    """Line spread, Angstrom FWHM, of the names and the headers, which must agree."""
    # E-MILES states its line spread for wavelengths in air.
    air = np.interp(wave, air_to_vacuum(wave), wave)
    own = {"E": emiles_fwhm(air), "M": np.full(wave.size, MILES_FWHM)}.get(kind.spectral_range)
    if in_header is not None and not variant.spread:
        variant = variant._replace(spread="fwhm", value=in_header)
    elif in_header is not None and (variant.spread != "fwhm" or abs(in_header / variant.value - 1.0) > _SAME_SPREAD):
        raise TemplateError(
            f"{folder}: the names state a resolution of {variant.value:g} ({variant.spread}), but the headers an FWHM of "
            f"{in_header:g}. Correct the wrong ones."
        )
    try:
        return lsf_fwhm(variant, wave, own)
    except TemplateError as error:
        raise TemplateError(f"{folder}: {error}") from error


def _read_grid(folder, files, variant, metallicity, age):
    """Vacuum wavelengths, spectra, and the line spread of the headers (None if they do not say)."""
    kind = next(iter(files))
    flux, wave, fwhm = None, None, None
    missing = []
    for i, z in enumerate(metallicity):
        for j, t in enumerate(age):
            file = files.get(kind._replace(metallicity=z, age=t))
            if file is None:
                missing.append(f"[M/H] {z:+.2f} at {t:g} Gyr")
                continue
            new_wave, spectrum, new_fwhm = _read_spectrum(file, variant)
            if flux is None:
                wave, fwhm, flux = new_wave, new_fwhm, np.zeros((metallicity.size, age.size, new_wave.size))
            if not np.array_equal(wave, new_wave) or fwhm != new_fwhm:
                what = "wavelengths" if fwhm == new_fwhm else "FWHM"
                raise TemplateError(f"{file}: its {what} differ from those of the previous files in the folder.")
            flux[i, j] = spectrum
    if missing:
        raise TemplateError(
            f"{folder}: the grid has gaps, first {missing[0]} ({len(missing)} of {metallicity.size * age.size}). "
            "Add these files, or remove all files of that age or metallicity."
        )
    return wave, flux, fwhm


def _read_spectrum(file: Path, variant: MilesVariant) -> tuple[np.ndarray, np.ndarray, float | None]:
    """Vacuum wavelengths, the spectrum in L_sun/Angstrom per solar mass formed, and the header's FWHM."""
    try:
        demand_bounded_headers(file)
        with fits.open(file) as hdus:
            header, data = hdus[0].header.copy(), hdus[0].data
            # astropy takes BITPIX, BSCALE and BLANK out of the header as it applies them to the data.
            if data is None and any(isinstance(hdu, fits.CompImageHDU) for hdu in hdus):
                raise TemplateError(f"{file} is tile-compressed (.fz); unpack it with 'funpack'.")
            if data is None or np.squeeze(data).ndim != 1:
                shape = "none" if data is None else data.shape
                raise TemplateError(f"{file}: its first HDU must hold one spectrum; its data are {shape}.")
            flux = np.squeeze(data).astype(float)
            scale = luminosity_factor(str(header.get("BUNIT", "")).strip(), "BUNIT")
            fwhm = header.get("FWHM")
            if fwhm is None and (others := [key for key in _SPREAD_CARDS if key in header]):
                raise TemplateError(
                    f"{others[0]} is {header[others[0]]!r}: the resolution is read from the names, as in ..._FWHM_5.00.fits, or "
                    "from the card FWHM (Angstrom). Give it there."
                )
            wave = vacuum_wavelengths(header, variant.logarithmic)
            return wave, flux * scale, None if fwhm is None else float(fwhm)
    except TemplateError as error:
        raise TemplateError(str(error) if str(file) in str(error) else f"{file}: {error}") from error
    except DAMAGED as error:
        raise TemplateError(f"{file}: not a readable MILES spectrum ({words_of(error)}).") from error


def _miles_masses(folder: Path, kind: MilesName, metallicity, age) -> np.ndarray | None:
    rows = [(file, row) for file in sorted(folder.glob("*mass*.txt")) for row in _mass_rows(file, kind)]
    masses = np.full((metallicity.size, age.size), np.nan)
    for file, (z, t, mass) in rows:
        near = np.ix_(np.abs(metallicity - z) < _SAME_METALLICITY, np.abs(age / t - 1.0) < _SAME_AGE)
        if np.any(np.abs(masses[near] - mass) > _SAME_MASS):
            raise TemplateError(
                f"{file}: its mass at [M/H] {z:+.2f} and {t:g} Gyr, {mass:g}, differs from that in another row or table "
                "(*mass*.txt). Keep only the table that belongs to the spectra."
            )
        masses[near] = mass
    return None if np.isnan(masses).any() else masses


def _mass_rows(file: Path, kind: MilesName):
    """[M/H], age and mass of the rows of a table that have the IMF of the spectra."""
    other = {"P": "BASTI", "T": "PADOVA"}.get(kind.isochrones)
    if other and other in file.name.upper():
        return
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if len(words) < 6 or words[0].lower() != kind.imf:
            continue
        try:
            slope, z, t, _, mass = map(float, words[1:6])
        except ValueError as error:
            raise TemplateError(
                f"{file}: its row '{line.strip()[:200]}' does not consist of numbers ({error})."
            ) from error
        if abs(slope - kind.slope) < 0.01:
            yield z, t, mass


def _describe(kinds) -> str:
    return ", ".join(sorted(f"{k.spectral_range}{k.imf}{k.slope:.2f} i{k.isochrones}{k.alpha}" for k in kinds))
