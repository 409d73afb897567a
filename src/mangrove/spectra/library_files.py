"""Template libraries of one file that a user brings: E-MILES in HDF5, and the npz files of pPXF."""

from pathlib import Path

import h5py
import numpy as np

from mangrove.spectra.photometry import SOLAR_LUMINOSITY, r_weights, solar_r_luminosity
from mangrove.ssp import SspLibrary, check_library
from mangrove.wavelengths import C_KMS, SIGMA_TO_FWHM, air_to_vacuum

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
    its attribute ``frame`` is 'vacuum'), ``age`` (Gyr), ``metallicity`` and ``mass_loss_kroupa``, whose columns begin
    with [M/H], age and the mass in stars and remnants per mass formed.
    """
    with h5py.File(path) as file:
        wave, age, metallicity, table = (
            file[n][:].astype(float) for n in ("wavelength", "age", "metallicity", "mass_loss_kroupa")
        )
        flux = file["flux"][:].astype(float)
        vacuum = str(file["wavelength"].attrs.get("frame", "air")) == "vacuum"
        title = str(file.attrs.get("title", ""))
    isochrones = "T" if "BaSTI" in title else "P" if "Padova" in title else ""
    return assemble(
        "E-MILES",
        wave if vacuum else air_to_vacuum(wave),
        flux,
        age,
        metallicity,
        emiles_fwhm(wave),
        interpolate_mass_loss(table, metallicity, age),
        imf=IMF["ku"],
        isochrones=ISOCHRONES.get(isochrones, "not stated"),
        citation=MILES_CITATION,
        licence=MILES_LICENCE,
        source=path.name,
    )


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
    """A library as pPXF packs it: arrays templates (wave, age, metallicity), masses, lam, ages, metals, fwhm.

    E-MILES is in air there, the others in vacuum. Text arrays ``imf`` and ``isochrones`` are used if present.
    """
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    wave, age, metallicity, masses = (arrays[n].astype(float) for n in ("lam", "ages", "metals", "masses"))
    kind = next((k for k in _NPZ if k in path.stem.lower()), None)
    imf, isochrones, citation = _NPZ.get(kind, ("not stated", "not stated", "as the file's source asks"))
    return assemble(
        {"emiles": "E-MILES", None: path.stem}.get(kind, str(kind).upper()),
        air_to_vacuum(wave) if kind == "emiles" else wave,
        np.moveaxis(arrays["templates"].astype(float), 0, -1).swapaxes(0, 1),
        age,
        metallicity,
        np.broadcast_to(arrays["fwhm"].astype(float), wave.shape).copy(),
        masses.T,
        imf=str(arrays.get("imf", imf)),
        isochrones=str(arrays.get("isochrones", isochrones)),
        citation=citation,
        licence="as packed for pPXF; not redistributed with mangrove",
        source=path.name,
    )


def assemble(name, wave, flux, age, metallicity, fwhm, mass_fraction, **about) -> SspLibrary:
    """A library from arrays of spectra in L_sun/Angstrom per solar mass formed, and M/L_r from its own spectra.

    Cut to the range about 5500 Angstrom where every spectrum is positive: E-MILES below 0.1 Gyr ends at 8950.
    """
    order = np.ix_(np.argsort(metallicity), np.argsort(age))
    flux, age, metallicity = flux[order], np.sort(age), np.sort(metallicity)
    keep = _positive_range(wave, flux)
    wave, flux, fwhm = wave[keep], flux[..., keep], fwhm[keep]
    ml_r = None
    if mass_fraction is not None:
        mass_fraction = mass_fraction[order]
        weight, coverage = r_weights(wave)
        if coverage > _R_COVERAGE:
            ml_r = mass_fraction / solar_r_luminosity(flux @ weight * SOLAR_LUMINOSITY)
    library = SspLibrary(
        name, wave, flux, age, metallicity, fwhm, ml_r, mass_fraction, about.pop("imf"), about.pop("isochrones"), False
    )
    return check_library(library._replace(**about))


def _positive_range(wave, flux) -> slice:
    positive = np.all(np.isfinite(flux) & (flux > 0), axis=(0, 1))
    centre = int(np.argmin(np.abs(wave - _REFERENCE_WAVE)))
    bad = np.flatnonzero(~positive)
    below, above = bad[bad < centre], bad[bad > centre]
    return slice(below[-1] + 1 if below.size else 0, above[0] if above.size else wave.size)
