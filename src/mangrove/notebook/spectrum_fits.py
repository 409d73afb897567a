"""Spectra in FITS tables, those of SDSS (``spec-*.fits``) among them, read forwards and within bounds."""

import re
import warnings
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO, NamedTuple

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from mangrove.errors import SpectrumError
from mangrove.files import fits_blocks
from mangrove.files.fits_blocks import FitsError, Layout, TrailingError
from mangrove.files.spectral_axis import stated_medium
from mangrove.files.units import flux_factor
from mangrove.notebook.spectrum_columns import FLUX, KNOWN, Columns, LazyColumn, SpectrumFile, no_spectrum, spectrum_of

_KINDS = {"BINTABLE": fits.BinTableHDU, "TABLE": fits.TableHDU}
#: More HDUs than a spectrum with all its exposures has.
_MAX_HDUS = 1000
#: Columns of a table (FITS Standard 4.0, section 7.3.1).
_MAX_FIELDS = 999
#: Largest table that is read, bytes: a million pixels in some thirty columns.
_MAX_TABLE = 1 << 28
#: Formats of numbers: in binary tables with how many there are per row, in tables of text.
_NUMBERS = re.compile(r"(?P<repeat>\d*)[LBIJKED]|[IFED]\d+(\.\d+)?")


class _Table(NamedTuple):
    header: fits.Header
    columns: Columns


def read_fits(file: BinaryIO, size: int) -> SpectrumFile:
    """The first spectrum among the tables of a FITS file.

    Parameters
    ----------
    file : binary file
        At its beginning; seekable.
    size : int
        Its bytes.

    Raises
    ------
    SpectrumError
        If it is damaged, or holds no spectrum.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        try:
            headers, tables = _contents(file, size)
        except FitsError as error:
            raise SpectrumError(f"cannot be read: {error}. Save or download it again.") from error
        found = next((one for one in tables if one.columns.is_spectrum), None)
        if found is None:
            raise no_spectrum(one.columns for one in tables)
        medium = stated_medium(found.header) or stated_medium(headers[0])
        places = [found.header, headers[0], *(one.columns.single_numbers for one in tables)]
        columns = _with_flux_unit(found.columns, [found.header, headers[0]])
        return spectrum_of(columns, places, medium.air if medium else None)


def _with_flux_unit(columns: Columns, headers: list[fits.Header]) -> Columns:
    """The unit of the flux where its column has none: SDSS writes it as BUNIT, which others use for images."""
    name = columns.find(FLUX)
    texts = (str(header.get("BUNIT", "")).strip() for header in headers)
    unit = next((text for text in texts if text and flux_factor(text) is not None), "")
    if columns.known[name].unit.strip() or not unit:
        return columns
    return columns._replace(known={**columns.known, name: columns.known[name]._replace(unit=unit)})


def _contents(file: BinaryIO, size: int) -> tuple[list[fits.Header], list[_Table]]:
    headers, tables = [], []
    try:
        for content, header in fits_blocks.headers(file):
            if len(headers) == _MAX_HDUS:
                raise SpectrumError(f"has more than {_MAX_HDUS} HDUs; give the table with the spectrum alone.")
            layout = fits_blocks.data_layout(header, len(headers))
            if layout.size > size - file.tell():
                raise FitsError(f"it ends in HDU {len(headers)}, whose header announces {layout.size} bytes")
            headers.append(header)
            start = file.tell()
            if (kind := fits_blocks.text(header, "XTENSION")) in _KINDS:
                tables.append(_table(_KINDS[kind], content, file, layout, header))
            file.seek(start + layout.size + layout.padding)
    except TrailingError:
        pass
    return headers, tables


def _table(kind, content: bytes, file: BinaryIO, layout: Layout, header: fits.Header) -> _Table:
    """A table whose values are read if a column has a name that is looked for."""
    n = fits_blocks.number(header, "TFIELDS")
    if not 0 <= n <= _MAX_FIELDS:
        raise FitsError(f"the header card TFIELDS is {n:g}; a table has at most {_MAX_FIELDS} columns")
    names = [str(header.get(f"TTYPE{i + 1}", "")).strip() for i in range(int(n))]
    if KNOWN.isdisjoint(name.lower() for name in names):
        return _Table(header, Columns({}, tuple(names)))
    if layout.size > _MAX_TABLE:
        raise SpectrumError(
            f"has a table of {layout.size} bytes; at most {_MAX_TABLE} are read. Give the spectrum alone."
        )
    # Some programs leave out what fills the last block.
    data = file.read(layout.size).ljust(layout.size + layout.padding, b"\0")
    hdu = kind.fromstring(content + data)
    return _Table(header, Columns(dict(_columns(hdu)), tuple(names)))


def _columns(hdu) -> Iterator[tuple[str, LazyColumn]]:
    rows = int(hdu.header["NAXIS2"])
    for column in hdu.columns:
        if (name := column.name.lower()) in KNOWN:
            form = _NUMBERS.fullmatch(str(column.format).strip())
            repeat = int(form["repeat"] or 1) if form else 1
            read = partial(_values, hdu, column) if form else partial(_refuse, column)
            yield name, LazyColumn((rows,) if repeat == 1 else (rows, repeat), column.unit or "", read)


def _refuse(column) -> np.ndarray:
    raise SpectrumError(
        f"{column.name} has the format {column.format} (TFORM); numbers of fixed length are needed. Write it as D or E."
    )


def _values(hdu, column) -> np.ndarray:
    """Values of a column, NaN where whole numbers are undefined (TNULL)."""
    values = np.asarray(hdu.data[column.name])
    if column.null in (None, "") or values.dtype.kind not in "iu":
        return values
    return np.where(values == column.null, np.nan, values)
