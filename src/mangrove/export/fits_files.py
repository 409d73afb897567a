"""FITS files as the export writes them: atomic, with checksums, and without a clock, so that equal data give equal bytes."""

import gzip
import io
import os
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable

from mangrove.codes import Bits, Code
from mangrove.export.columns import Column, fits_unit, is_logarithm
from mangrove.whole_files import whole_file

#: Card that announces CONTINUE cards.
LONG_TEXTS = ("LONGSTRN", "OGIP 1.0", "long texts continue in CONTINUE cards")
_WIDEST_CARD_TEXT = 68
_GZIP_LEVEL = 6


def write_fits(path: Path, hdus: fits.HDUList) -> None:
    """Write HDUs with CHECKSUM and DATASUM, packed if the name ends in .gz; the file gets its name when it is whole."""
    # What astropy does to headers and tables while writing must be done before the sums.
    hdus.update_extend()
    _settle(hdus)
    for hdu in hdus:
        hdu.add_checksum(when="sum of this HDU")
    with whole_file(path) as part, part.open("wb") as file:
        if path.suffix == ".gz":
            # No name and no time within: equal data, equal bytes.
            with gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0) as packed:
                hdus.writeto(packed)
        else:
            hdus.writeto(file)


def table_hdu(name: str, columns: list[Column], values: Mapping, n_row: int) -> fits.BinTableHDU:
    """A binary table with units, UCDs and descriptions.

    Columns of logarithms have no TUNIT, since the standard has none for them: the description ends in their unit, and
    astropy finds it in the comments where its own tables have it.

    Parameters
    ----------
    columns : list of Column
    values : mapping of str to array
        Values of each column by its name, shape (n_row,); asked for one by one, so it may read them from a file.
    """
    texts = {c.name: _ascii(values[c.name]) for c in columns if c.format == "A"}
    formats = {c.name: f"{max(1, texts[c.name].itemsize)}A" if c.format == "A" else c.format for c in columns}
    declared = [fits.Column(c.name, formats[c.name], _standard_unit(c.unit), null=c.null) for c in columns]
    hdu = fits.BinTableHDU.from_columns(declared, nrows=n_row, name=name)
    for column in columns:
        hdu.data[column.name][...] = texts.pop(column.name) if column.name in texts else values[column.name]
    hdu.header.append(LONG_TEXTS)
    for i, column in enumerate(columns, start=1):
        unit = f" [{fits_unit(column.unit)}]" if is_logarithm(column.unit) else ""
        hdu.header.extend([(f"TUCD{i}", column.ucd), (f"TCOMM{i}", column.description + unit)], end=True)
    for comment in _astropy_units([column for column in columns if is_logarithm(column.unit)]):
        hdu.header["COMMENT"] = comment
    return hdu


def add_bits(header: fits.Header, prefix: str, bits: type[Bits]) -> None:
    """Name the bits of a column: card ``QBIT0`` holds the name of bit 0 (value 1), its comment what it means."""
    for bit in bits:
        header[f"{prefix}{bit.bit_length() - 1}"] = (bit.name, bit.meaning)


def add_codes(header: fits.Header, prefix: str, codes: type[Code]) -> None:
    """Name the values of a column: card ``STAT3`` holds the name of the value 3, its comment what it means."""
    for code in codes:
        header[f"{prefix}{code.value}"] = (code.word, code.meaning)


def fits_text(text: str) -> str:
    """Printable ASCII, as long as one card holds."""
    plain = str(text).encode("ascii", "replace").decode()
    return "".join(c if c.isprintable() else " " for c in plain)[:_WIDEST_CARD_TEXT]


def _standard_unit(unit: str) -> str | None:
    """TUNIT of a column; None for no card."""
    return None if is_logarithm(unit) else fits_unit(unit) or None


def _astropy_units(columns: list[Column]) -> list[str]:
    """Comments by which astropy knows the units of columns for which FITS has no word, as it writes them itself."""
    if not columns:
        return []
    sample = QTable({column.name: [1.0] * u.Unit(fits_unit(column.unit)) for column in columns})
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # It warns that other programs than astropy will not find the units: they find them in the descriptions.
        warnings.filterwarnings("ignore", message="The unit 'dex")
        sample.write(buffer, format="fits")
    buffer.seek(0)
    return list(fits.getheader(buffer, 1)["COMMENT"])


def _settle(hdus: fits.HDUList) -> None:
    """Have text and logical columns encoded and the cards of columns written, by writing the tables to nowhere."""
    tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
    if tables:
        with Path(os.devnull).open("wb") as nowhere:
            fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(nowhere)


def _ascii(values) -> np.ndarray:
    return np.char.encode(np.asarray(values, dtype=str), "ascii", "replace")
