"""Template libraries behind one loader: the embedded one, and those that a user brings."""

import hashlib
from functools import cache
from pathlib import Path

import h5py
import numpy as np

from mangrove.errors import TemplateError
from mangrove.files.damaged import DAMAGED, words_of
from mangrove.files.packed import N_FIRST, unpacking
from mangrove.ssp.hdf5_attributes import stated
from mangrove.ssp.library import SspLibrary, check_library, load_mastar, read_packed
from mangrove.ssp.single_files import read_hdf5, read_npz

#: The library that travels with mangrove.
EMBEDDED = "mastar"

_GRIDS = ("flux", "ml_r", "mass_fraction")
#: Units that the layout of resources/mastar_ssp.h5 has; a file that states others is in another layout.
_PACKED_UNITS = {
    "wave": "Angstrom (vacuum)",
    "age": "Gyr",
    "metallicity": "dex, [M/H]",
    "resolving_power": "wave / FWHM",
}
_HELP = (
    "Give 'mastar' (embedded), or download a library to a folder of your own, for example data/templates: "
    "E-MILES as FITS files from the MILES pages (research.iac.es/proyecto/miles; Kroupa universal IMF, BaSTI "
    "isochrones, and out_mass_KU_BASTI.txt beside them) -> 'templates: data/templates/emiles'; or a file of "
    "github.com/micappe/ppxf_data, such as spectra_emiles_9.0.npz -> 'templates: data/templates/spectra_emiles_9.0.npz'."
)


def load_library(name: str) -> SspLibrary:
    """A library of stellar populations as the configuration names it: vacuum, one flux convention.

    Parameters
    ----------
    name : str
        'mastar', or a path: an HDF5 file (E-MILES, or the layout of ``resources/mastar_ssp.h5``), an npz file of
        pPXF, or a folder of FITS files in the MILES naming.

    Raises
    ------
    TemplateError
        If it is not there or cannot be read; the text says where libraries come from and where to put them.
    """
    if name == EMBEDDED:
        return load_mastar()
    return _load(_path(name))


def content_hash(name: str) -> str:
    """Hash of the files of a library; empty for the embedded one. TemplateError if it is not there."""
    if name == EMBEDDED:
        return ""
    path = _path(name)
    files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\n".encode())
        with file.open("rb") as f:
            digest.update(hashlib.file_digest(f, "sha256").digest())
    return digest.hexdigest()[:16]


def _path(name: str) -> Path:
    path = Path(name).expanduser()
    if not path.exists():
        raise TemplateError(
            f"template library '{name}' (fit.templates) is neither 'mastar' nor a file or folder at "
            f"{path.absolute()}. {_HELP}"
        )
    return path.resolve()


@cache
def _load(path: Path) -> SspLibrary:
    try:
        if path.is_dir():
            # Only here: each start of the workflow imports this module, and coordinates of images take long to import.
            from mangrove.ssp.miles_files import read_miles_folder

            return read_miles_folder(path)
        if path.suffix.lower() == ".npz":
            return read_npz(path)
        if h5py.is_hdf5(path):
            with h5py.File(path) as file:
                packed = "resolving_power" in file
                units = {name: stated(file[name]).get("unit", "") for name in file}
            if not packed:
                return read_hdf5(path)
            _check_packed_units(path, units)
            return read_packed(path)
        with path.open("rb") as file:
            how = unpacking(file.read(N_FIRST))
    except TemplateError as error:
        raise TemplateError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    except DAMAGED as error:
        raise TemplateError(
            f"{path}: not a template library that mangrove can read ({words_of(error)}). {_HELP}"
        ) from error
    if how:
        raise TemplateError(f"{path} is {how}.")
    raise TemplateError(f"{path}: not an HDF5 file, an .npz file or a folder of FITS files. {_HELP}")


def _check_packed_units(path: Path, units: dict[str, str]) -> None:
    """Refuse a packed library whose datasets state other units than their layout has."""
    for name, unit in _PACKED_UNITS.items():
        # Words behind the unit explain it.
        if units.get(name) and not units[name].startswith(unit):
            raise TemplateError(
                f"{path}: the unit of {name} is '{units[name]}'; a packed library has '{unit}'. Convert it."
            )


def younger_than(library: SspLibrary, age: float) -> SspLibrary:
    """The populations up to an age; the oldest is one at that age where the grid reaches beyond it.

    A coarse grid would lose much if its points above the ceiling only went: MaStar ends with 9 and 14 Gyr, and the
    universe at z = 0.03 is 13.1 Gyr old. Spectra and masses between grid points are linear in log age, in log flux.

    Parameters
    ----------
    age : float
        Gyr; for a galaxy, the age of the universe at its redshift (:func:`mangrove.physics.cosmology.universe_age`).

    Raises
    ------
    TemplateError
        If even the youngest population is older.
    """
    if library.age[-1] <= age:
        return library
    if library.age[0] > age:
        raise TemplateError(
            f"template library '{library.name}' begins at {library.age[0]:g} Gyr, older than the limit of {age:g} Gyr."
        )
    n = int(np.searchsorted(library.age, age, side="right"))
    if library.age[n - 1] == age:
        grids = {name: _first(getattr(library, name), n) for name in _GRIDS}
        return check_library(library._replace(age=library.age[:n].copy(), **grids))
    part = np.log(age / library.age[n - 1]) / np.log(library.age[n] / library.age[n - 1])
    grids = {name: _up_to(getattr(library, name), n, part) for name in _GRIDS}
    return check_library(library._replace(age=np.append(library.age[:n], age), **grids))


def _first(grid, n: int):
    return None if grid is None else grid[:, :n].copy()


def _up_to(grid, n: int, part: float):
    """A grid's first n ages and one between the n-th and the next."""
    if grid is None:
        return None
    between = np.exp((1.0 - part) * np.log(grid[:, n - 1]) + part * np.log(grid[:, n]))
    return np.concatenate([grid[:, :n], between[:, None]], axis=1)
