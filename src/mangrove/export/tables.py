"""The tables of an export: one row per galaxy, and one row per baxel."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial

import numpy as np
from astropy.io import fits

from mangrove.artefacts import read_text
from mangrove.codes import BaxelQuality, BptClass, DBptClass, FitStatus, GalaxyQuality, LabelFlag, LineStatus
from mangrove.data_model import LABELS
from mangrove.export import columns as col
from mangrove.export.fits_files import add_bits, add_codes, table_hdu
from mangrove.export.source import Source
from mangrove.survey.sample import MISSING


class _Lazy(Mapping):
    """Values by name, each made when it is asked for: a survey's columns need not be in memory together."""

    def __init__(self, makers: Mapping[str, Callable[[], np.ndarray]]):
        self._makers = makers

    def __getitem__(self, name: str) -> np.ndarray:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def galaxy_table(source: Source) -> fits.HDUList:
    """The table of galaxies, in the order of the sample sheet."""
    sheet = {column.name: _sheet_values(source, column) for column in col.SHEET_COLUMNS}
    values = sheet | {
        "drpver": [about["drpver"] or g.drpver for about, g in zip(source.about, source.galaxies, strict=True)],
        "status": source.file["galaxy_status"].asstr()[...],
        "reason": source.file["galaxy_reason"].asstr()[...],
        "n_baxel": source.n_baxel,
        "n_good": source.n_good,
        "snr_median": _median_snr(source),
        "quality": source.galaxy_quality,
    }
    hdu = table_hdu("GALAXIES", list(col.GALAXY_COLUMNS), values, len(source.galaxies))
    add_bits(hdu.header, "QBIT", GalaxyQuality)
    return _with_source(source, hdu)


def baxel_table(source: Source) -> fits.HDUList:
    """The table of baxels, galaxy by galaxy: keys, place, kinematics, lines, labels."""
    file, lines = source.file, read_text(source.file["line"])
    columns = list(col.BAXEL_KEYS)

    # The columns of the lines come one after the other: their dataset is read once.
    @lru_cache(maxsize=1)
    def whole(name: str) -> np.ndarray:
        return file[name][...]

    makers: dict[str, Callable] = {
        "plateifu": lambda: source.of_galaxy([g.plateifu for g in source.galaxies]),
        "mangaid": lambda: source.of_galaxy([g.mangaid for g in source.galaxies]),
        "esweight": lambda: source.of_galaxy(_number([g.esweight for g in source.galaxies])),
        "baxel": partial(whole, "baxel"),
        "quality": lambda: source.quality,
    }
    for name in LABELS.fields:
        new = {}
        if col.per_baxel(name):
            new[col.plain_column(name)] = partial(whole, name)
        elif col.per_line(name):
            new = {col.line_column(name, line): partial(_one_line, whole, name, i) for i, line in enumerate(lines)}
        columns += new
        makers |= {column.name: maker for column, maker in new.items()}
    hdu = table_hdu("BAXELS", columns, _Lazy(makers), int(source.n_baxel.sum()))
    add_bits(hdu.header, "QBIT", BaxelQuality)
    add_bits(hdu.header, "FBIT", LabelFlag)
    add_codes(hdu.header, "STAT", FitStatus)
    add_codes(hdu.header, "LSTAT", LineStatus)
    add_codes(hdu.header, "BPT", BptClass)
    add_codes(hdu.header, "DBPT", DBptClass)
    hdu.header["COMMENT"] = "QBITn: bits of quality; FBITn: bits of the labels' flags (columns ending in _flag)."
    hdu.header["COMMENT"] = "STATn, LSTATn, BPTn, DBPTn: values of fit_status, of the status of lines, of the classes."
    return _with_source(source, hdu)


def _with_source(source: Source, hdu: fits.BinTableHDU) -> fits.HDUList:
    hdu.header.extend(source.header, end=True)
    return fits.HDUList([fits.PrimaryHDU(header=source.header), hdu])


def _sheet_values(source: Source, column: col.Column):
    values = [getattr(galaxy, column.name) for galaxy in source.galaxies]
    if column.format == "D":
        return _number(values)
    return np.array(values, bool) if column.format == "L" else values


def _number(values) -> np.ndarray:
    """Numbers of the sheet, NaN where they are missing."""
    values = np.asarray(values, float)
    return np.where(values == MISSING, np.nan, values)


def _median_snr(source: Source) -> np.ndarray:
    snr = source.file["snr"][...]
    parts = (snr[source.rows(i)] for i in range(len(source.galaxies)))
    return np.array([np.median(part) if part.size else np.nan for part in parts])


def _one_line(whole: Callable[[str], np.ndarray], name: str, i: int) -> np.ndarray:
    return whole(name)[:, i]
