"""Template libraries of one file that a user brings: E-MILES in HDF5, and the npz files of pPXF."""

import logging
import re
from pathlib import Path

import h5py
import numpy as np

from mangrove.errors import TemplateError
from mangrove.physics.photometry import SOLAR_LUMINOSITY, r_weights, solar_r_luminosity
from mangrove.physics.wavelengths import C_KMS, SIGMA_TO_FWHM, air_to_vacuum
from mangrove.ssp.checks import (
    age_factor,
    check_values,
    has_luminosities,
    is_air,
    luminosity_factor,
    wavelength_factor,
)
from mangrove.ssp.hdf5_attributes import stated
from mangrove.ssp.library import SspLibrary, check_library, numbers

logger = logging.getLogger(__name__)

MILES_CITATION = "Vazdekis et al. 2016, MNRAS 463, 3409 (E-MILES)"
MILES_LICENCE = "free for research with citation; not redistributed with mangrove"
#: Initial mass functions by their code in the names of MILES files.
IMF = {
    "un": "unimodal, slope {slope} (1.30 is Salpeter)",
    "bi": "bimodal, slope {slope}",
    "ku": "Kroupa universal",
    "kb": "Kroupa revised",
    "ch": "Chabrier",
}
#: Isochrones by their letter there.
ISOCHRONES = {"P": "Padova (Girardi et al. 2000)", "T": "BaSTI (Pietrinferni et al. 2004)"}
#: Files of the npz kind by a part of their name: IMF, isochrones, citation.
_NPZ = {
    "emiles": ("as packed for pPXF", "Padova (Girardi et al. 2000)", MILES_CITATION),
    "fsps": ("as packed for pPXF", "MIST", "Conroy et al. 2009, ApJ 699, 486; 2010, ApJ 712, 833 (FSPS)"),
    "galaxev": ("as packed for pPXF", "as packed for pPXF", "Bruzual & Charlot 2003, MNRAS 344, 1000 (GALAXEV)"),
    "xsl": ("as packed for pPXF", "as packed for pPXF", "Verro et al. 2022, A&A 661, A50 (XSL)"),
}
#: Arrays of the npz kind that must be there.
_NPZ_ARRAYS = ("lam", "ages", "metals", "templates", "fwhm")
#: Axes of the spectra in HDF5.
_AXES = ("metallicity", "age", "wavelength")
#: Names of datasets with a line spread in another form.
_SPREADS = ("sigma", "lsf", "resolution", "dispersion")
_OTHER_IMF = re.compile(r"salpeter|chabrier|unimodal|bimodal|revised", re.IGNORECASE)
_DEX = re.compile(r"\[M/H\]|\[Fe/H\]|\[Z/H\]|dex")
_R_COVERAGE = 0.99
_REFERENCE_WAVE = 5500.0


def emiles_fwhm(wave) -> np.ndarray:
    """Line spread of E-MILES, Angstrom FWHM (Vazdekis et al. 2016, section 2.3): 3 below 3541 Angstrom, 2.51 to 8950,
    and sigma = 60 km/s beyond.
    """
    wave = np.asarray(wave, float)
    red = 60.0 / C_KMS * wave * SIGMA_TO_FWHM
    return np.where(wave < 3541.4, 3.0, np.where(wave <= 8950.4, 2.51, red))


def read_hdf5(path: Path) -> SspLibrary:
    """E-MILES with a Kroupa IMF as one HDF5 file.

    Datasets ``flux`` (metallicity, age, wavelength; L_sun/Angstrom per solar mass formed), ``wavelength`` (air unless
    its attribute ``frame`` is 'vacuum'), ``age`` (Gyr), ``metallicity`` ([M/H], dex) and ``mass_loss_kroupa``, whose
    columns begin with [M/H], age and the mass in stars and remnants per mass formed. Their attributes ``unit`` and
    ``dims`` (or labels of dimensions) are used where present; so is a dataset ``fwhm`` (Angstrom, of each wavelength), in place of E-MILES's own.

    Raises
    ------
    TemplateError
        If an attribute says something that cannot be used, or values cannot be in the units that they should have.
    """
    with h5py.File(path) as file:
        names = ("wavelength", "age", "metallicity", "flux", "mass_loss_kroupa")
        arrays = {name: numbers(file[name][:], f"{path}: {name}") for name in names}
        table = arrays.pop("mass_loss_kroupa")
        spread = numbers(file["fwhm"][()], f"{path}: fwhm") if "fwhm" in file else None
        about = {name: stated(file[name]) for name in file}
        if other_spread := [name for name in file if name.lower() in _SPREADS]:
            raise TemplateError(f"{path}: the resolution must be a dataset fwhm (Angstrom), not {other_spread[0]}.")
        title = str(file.attrs.get("title", ""))
        imf = f"{title} {file.attrs.get('imf', '')}"

    def unit(name: str) -> tuple[str, str]:
        return about[name].get("unit", ""), f"{path}: the unit of {name}"

    if "kroupa" not in imf.lower() and (other := _OTHER_IMF.search(imf)):
        raise TemplateError(
            f"{path}: its title says '{other[0]}', but its masses are for a Kroupa IMF (mass_loss_kroupa)."
        )
    if unit("metallicity")[0] and not _DEX.search(unit("metallicity")[0]):
        raise TemplateError(f"{unit('metallicity')[1]} is '{unit('metallicity')[0]}'; [M/H] in dex is needed.")
    wave = arrays["wavelength"] * wavelength_factor(*unit("wavelength"))
    age = arrays["age"] * age_factor(*unit("age"))
    fwhm = emiles_fwhm(wave) if spread is None else spread * wavelength_factor(*unit("fwhm"))
    fwhm = np.broadcast_to(fwhm, wave.shape).copy()
    formed = table[table[:, 1] > 0]
    check_values(f"{path}: mass_loss_kroupa", wave, formed[:, 1], np.unique(formed[:, 0]), fwhm, formed[:, 2])
    check_values(str(path), wave, age, arrays["metallicity"], fwhm, None)
    masses = interpolate_mass_loss(table, arrays["metallicity"], age)
    shape = (arrays["metallicity"].size, age.size, wave.size)
    air = is_air(about["wavelength"].get("frame", ""), True, f"{path}: the frame of wavelength")
    isochrones = "T" if "BaSTI" in title else "P" if "Padova" in title else ""
    return assemble(
        "E-MILES",
        air_to_vacuum(wave) if air else wave,
        _ordered(path, arrays["flux"], about["flux"].get("dims", ""), shape) * luminosity_factor(*unit("flux")),
        age,
        arrays["metallicity"],
        fwhm,
        masses,
        imf=IMF["ku"],
        isochrones=ISOCHRONES.get(isochrones, "not stated"),
        citation=MILES_CITATION,
        licence=MILES_LICENCE,
        source=path.name,
    )


def _ordered(path: Path, flux: np.ndarray, dims: str, shape: tuple[int, ...]) -> np.ndarray:
    """Spectra with the axes metallicity, age, wavelength, whichever order ``dims`` states."""
    names = [name.strip().lower() for name in dims.split(",")] if dims else list(_AXES)
    if sorted(names) != sorted(_AXES) or flux.ndim != len(_AXES):
        raise TemplateError(
            f"{path}: the axes of flux are '{dims}' ({flux.ndim} of them); it needs {', '.join(_AXES)}."
        )
    flux = flux.transpose([names.index(name) for name in _AXES])
    if flux.shape != shape:
        raise TemplateError(
            f"{path}: flux has the shape {flux.shape} along {', '.join(_AXES)}, but the other datasets have {shape}. Give the "
            "order of its axes in its attribute dims, such as 'age, metallicity, wavelength'."
        )
    return flux


def interpolate_mass_loss(table, metallicity, age) -> np.ndarray:
    """Surviving mass fraction, shape (n_metallicity, n_age), linear in log age and in [M/H].

    Only metallicities that the table follows down to the youngest age take part; beyond the table its edge holds.

    Parameters
    ----------
    table : ndarray, shape (n_row, at least 3)
        [M/H], age (Gyr), mass in stars and remnants per mass formed.
    """
    rows = [table[(table[:, 0] == z) & (table[:, 1] > 0)] for z in np.unique(table[:, 0])]
    rows = [r[np.argsort(r[:, 1])] for r in rows if r.size]
    rows = [r for r in rows if r[:, 1].min() <= age.min()] or rows
    by_age = np.array([np.interp(np.log(age), np.log(r[:, 1]), r[:, 2]) for r in rows])
    return np.array([np.interp(metallicity, [r[0, 0] for r in rows], column) for column in by_age.T]).T


def read_npz(path: Path) -> SspLibrary:
    """A library as pPXF packs it: arrays templates (wave, age, metallicity; L_sun/Angstrom per solar mass formed), lam
    and fwhm (Angstrom), ages (Gyr), metals ([M/H]), and masses (in stars and remnants per mass formed).

    E-MILES is in air there, the others in vacuum: so say the names of pPXF's files; a file of another name says it in a
    text array ``frame`` ('air' or 'vacuum'). Text arrays ``imf`` and ``isochrones`` are used if present. Without masses
    the library has none.

    Raises
    ------
    TemplateError
        If arrays are missing, disagree in shape, or cannot be in these units.
    """
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if missing := [name for name in _NPZ_ARRAYS if name not in arrays]:
        raise TemplateError(f"{path} lacks the array(s) {', '.join(missing)}; it has {', '.join(arrays) or 'none'}.")
    wave, age, metallicity, templates, fwhm = (numbers(arrays[n], f"{path}: the array {n}") for n in _NPZ_ARRAYS)
    fwhm = np.broadcast_to(fwhm, wave.shape).copy()
    masses = numbers(arrays["masses"], f"{path}: the array masses") if "masses" in arrays else None
    expected = (wave.size, age.size, metallicity.size)
    if templates.shape != expected or (masses is not None and masses.shape != expected[1:]):
        shapes = f"templates {templates.shape}" + ("" if masses is None else f", masses {masses.shape}")
        raise TemplateError(
            f"{path}: {shapes}; the shapes must be (lam, ages, metals) = {expected}, and (ages, metals)."
        )
    if masses is None:
        logger.warning("%s: no array 'masses', so labels that need masses will be missing", path)
    check_values(str(path), wave, age, metallicity, fwhm, masses)
    kind, air = _npz_kind(path, _word(path, arrays, "frame", ""))
    imf, isochrones, citation = _NPZ.get(kind, ("not stated", "not stated", "as the file's source asks"))
    return assemble(
        {"emiles": "E-MILES", None: path.stem}.get(kind, str(kind).upper()),
        air_to_vacuum(wave) if air else wave,
        np.moveaxis(templates, 0, -1).swapaxes(0, 1),
        age,
        metallicity,
        fwhm,
        None if masses is None else masses.T,
        imf=_word(path, arrays, "imf", imf),
        isochrones=_word(path, arrays, "isochrones", isochrones),
        citation=citation,
        licence="as packed for pPXF; not redistributed with mangrove",
        source=path.name,
    )


def _npz_kind(path: Path, frame: str) -> tuple[str | None, bool]:
    """Which of pPXF's libraries a file is by its name, None for another, and whether it is in air, by ``frame`` first."""
    kinds = [kind for kind in _NPZ if kind in path.stem.lower()]
    in_name = [word for word in re.split(r"[^a-z]+", path.stem.lower()) if word in ("air", "vac", "vacuum")]
    frame = frame or (in_name[0] if len(in_name) == 1 else "")
    if len(kinds) != 1 and not frame:
        raise TemplateError(
            f"{path}: it is unknown whether its wavelengths are in air or in vacuum. Keep the name of pPXF's file (which "
            f"contains one of {', '.join(_NPZ)}), or add a text array 'frame' that says 'air' or 'vacuum'."
        )
    kind = kinds[0] if len(kinds) == 1 else None
    return kind, is_air(frame, kind == "emiles", f"{path}: the array frame")


def _word(path: Path, arrays: dict[str, np.ndarray], name: str, usual: str) -> str:
    """A text array's one value, in bytes or not."""
    values = np.ravel(arrays.get(name, usual))
    if values.size != 1:
        raise TemplateError(f"{path}: the array {name} has {values.size} values; a single word is needed.")
    return values[0].decode(errors="replace") if isinstance(values[0], bytes) else str(values[0])


def assemble(name, wave, flux, age, metallicity, fwhm, mass_fraction, **about) -> SspLibrary:
    """A library from arrays of spectra in L_sun/Angstrom per solar mass formed, and M/L_r from its own spectra.

    Cut to the range about 5500 Angstrom where every spectrum is positive: E-MILES below 0.1 Gyr ends at 8950. Spectra
    whose old populations cannot have their luminosities are taken as normalised: the library has no masses then.
    """
    order = np.ix_(np.argsort(metallicity), np.argsort(age))
    flux, age, metallicity = flux[order], np.sort(age), np.sort(metallicity)
    keep = _positive_range(wave, flux, about["source"])
    wave, flux, fwhm = wave[keep], flux[..., keep], fwhm[keep]
    weight, coverage = r_weights(wave)
    ml_r, normalised = None, False
    if coverage > _R_COVERAGE:
        light = solar_r_luminosity(flux @ weight * SOLAR_LUMINOSITY)
        normalised = not has_luminosities(age, light)
        if normalised:
            logger.warning(
                "%s: its spectra cannot be in L_sun/Angstrom per solar mass formed, so labels that need masses will be missing",
                about["source"],
            )
    mass_fraction = None if normalised or mass_fraction is None else mass_fraction[order]
    if mass_fraction is not None and coverage > _R_COVERAGE:
        ml_r = mass_fraction / light
    library = SspLibrary(
        name=name,
        wave=wave,
        flux=flux,
        age=age,
        metallicity=metallicity,
        fwhm=fwhm,
        ml_r=ml_r,
        mass_fraction=mass_fraction,
        normalised=normalised,
        **about,
    )
    return check_library(library)


def _positive_range(wave, flux, source: str) -> slice:
    positive = np.all(np.isfinite(flux) & (flux > 0), axis=(0, 1))
    centre = int(np.argmin(np.abs(wave - _REFERENCE_WAVE)))
    bad = np.flatnonzero(~positive)
    below, above = bad[bad < centre], bad[bad > centre]
    keep = slice(below[-1] + 1 if below.size else 0, above[0] if above.size else wave.size)
    if lost := int(positive.sum() - positive[keep].sum()):
        logger.warning(
            "%s: only pixels %d to %d are used, because a spectrum is not positive (or is undefined) next to them; %d good "
            "pixels beyond are lost",
            source,
            keep.start,
            keep.stop - 1,
            lost,
        )
    return keep
