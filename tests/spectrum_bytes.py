"""Small spectra as the bytes of files of every kind, for tests of what reads them."""

import io

import h5py
import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Table

N = 300
WAVE = np.linspace(4000.0, 7000.0, N)
FLUX = 3.0 + np.sin(WAVE / 200.0)
IVAR = np.full(N, 4.0)
Z = 0.02


def fits_bytes(columns: dict, header: dict | None = None) -> bytes:
    """A FITS file with a table; columns may be quantities."""
    hdu = fits.table_to_hdu(Table(columns))
    hdu.header.update(header or {})
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(file)
    return file.getvalue()


def hdf5_bytes(columns: dict, attributes: dict | None = None, units: dict | None = None, **options) -> bytes:
    """An HDF5 file with a dataset for each column."""
    file = io.BytesIO()
    with h5py.File(file, "w") as f:
        for name, values in columns.items():
            f.create_dataset(name, data=values, **options)
            if units and name in units:
                f[name].attrs["units"] = units[name]
        f.attrs.update(attributes or {})
    return file.getvalue()


def csv_bytes(columns: dict, comments: tuple[str, ...] = (), units: dict | None = None, separator: str = ",") -> bytes:
    """A CSV file; units stand in brackets behind the names."""
    names = [f"{name} [{units[name]}]" if units and name in units else name for name in columns]
    rows = [
        separator.join(map(repr, row)) for row in zip(*(np.asarray(v).tolist() for v in columns.values()), strict=True)
    ]
    return "\n".join([*(f"# {text}" for text in comments), separator.join(names), *rows, ""]).encode()


def plain_columns() -> dict:
    """Wavelengths in Angstrom, flux in 1e-17 erg/s/cm2/Angstrom, inverse variances."""
    return {"wave": WAVE, "flux": FLUX, "ivar": IVAR}


def all_kinds() -> dict[str, bytes]:
    """The same spectrum as FITS, HDF5 and CSV."""
    columns = plain_columns()
    return {
        "fits": fits_bytes(columns | {"wave": WAVE * u.AA}, {"Z": Z}),
        "hdf5": hdf5_bytes(columns, {"z": Z}, {"wave": "Angstrom"}),
        "packed hdf5": hdf5_bytes(columns, {"z": Z}, compression="gzip", chunks=(64,)),
        "csv": csv_bytes(columns, (f"z = {Z}",)),
    }
