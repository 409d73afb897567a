"""Maps of bins, kinematics and lines of one galaxy in the layout of the MAPS files of MaNGA's DAP.

HDUs, channels, masks and their cards have the DAP's names (Westfall et al. 2019, AJ 158, 231; Belfiore et al. 2019, AJ
158, 160); docs/products.md says where the meaning differs.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from mangrove.artefacts import Artefact, read_text
from mangrove.codes import LabelFlag
from mangrove.data_model import EXTRACT, FLUX, KMS, LABELS
from mangrove.export.columns import inverse_variance_unit
from mangrove.export.dap_names import MASKNAME, baxel_mask, channel_name, outside_mask
from mangrove.export.images import celestial_frame, image_hdu, primary_hdu, spaxels_of, spread
from mangrove.export.source import Source
from mangrove.spectra.labels.galaxy_labels import fit_flag

#: Columns of the table of labels that the maps show.
_KINEMATICS = ("v_star", "sigma_star", "v_gas", "sigma_gas")
_COLUMNS = (
    *(f"{name}{end}" for name in _KINEMATICS for end in ("", "_err", "_flag")),
    *("line_flux_sum", "line_flux_sum_err", "line_flux", "line_flux_err", "line_ew", "line_ew_err", "line_flag"),
    *("status", "chi2_reduced", "snr", "area", "radius", "radius_re"),
)
#: Channels of BINID, as in the DAP, and whether the fit has a part in them: the others are -1 everywhere.
_BINID = {
    "Binned spectra": True,
    "Stellar continua": True,
    "Em. line moments": True,
    "Em. line models": True,
    "Spectral indices": False,
}
#: Flags that are about the equivalent width of a line alone; about its profile, and not about its direct sum.
_OF_WIDTH = LabelFlag.ZERO_CONTINUUM | LabelFlag.LOW_SNR
_OF_PROFILE = LabelFlag.NOT_ONE_GAUSSIAN | LabelFlag.DOUBLET_RATIO_REJECTED
_OF_IVAR = "inverse variance, 0 where there is none"
_NAN, _NONE = np.float32(np.nan), np.float32(0.0)


class _MappedGalaxy(NamedTuple):
    """One galaxy: its spaxels, bits of those in no baxel, celestial frame, columns of its baxels, lines."""

    extract: Artefact
    outside: np.ndarray
    frame: fits.Header
    columns: Mapping[str, np.ndarray]
    line: list[str]
    line_wave: np.ndarray

    def spread(self, values, outside=_NAN) -> np.ndarray:
        return spread(values, self.extract["bin_id"], outside)


class _MeasuredMap(NamedTuple):
    """What becomes an HDU with its IVAR and MASK; values of shape (n_baxel,) or (n_baxel, n_line), and the DAP's names."""

    value: np.ndarray
    error: np.ndarray
    flag: np.ndarray
    unit: str
    meaning: str


def dap_maps(source: Source, i: int) -> fits.HDUList:
    """Maps of galaxy ``i`` in the layout of the DAP's MAPS files.

    Values of spaxels in no baxel are NaN, with an IVAR of 0 and the MASK bit DONOTUSE.

    Raises
    ------
    ArtefactError
        If the artefact 'extract' is not the one that the labels were made from.
    """
    extract, rows = spaxels_of(source, i), source.rows(i)
    columns = {name: source.file[name][rows] for name in _COLUMNS}
    lines = read_text(source.file["line"]).tolist(), source.file["line_wave"][...]
    galaxy = _MappedGalaxy(extract, outside_mask(extract["spaxel_status"]), celestial_frame(extract), columns, *lines)
    primary = primary_hdu(source, i, extract)
    primary.header["DAPFRMT"] = ("MAPS", "layout of the DAP, measured by mangrove")
    primary.header["MASKNAME"] = MASKNAME
    hdus = [primary, *_spaxel_hdus(galaxy), *_bin_hdus(galaxy)]
    for name, measured in _measured(columns, len(galaxy.line)).items():
        hdus += _with_errors(galaxy, name, measured)
    return fits.HDUList([*hdus, *_correction_hdus(galaxy)])


def _measured(columns: Mapping[str, np.ndarray], n_line: int) -> dict[str, _MeasuredMap]:
    """All HDUs that have an error."""
    of_fit = fit_flag(columns["status"], columns["chi2_reduced"]) & ~np.uint32(LabelFlag.AT_BOUND)
    of_line = columns["line_flag"] & ~np.uint32(_OF_WIDTH)

    def plain(name: str) -> _MeasuredMap:
        spec = LABELS.fields[name]
        return _MeasuredMap(columns[name], columns[f"{name}_err"], columns[f"{name}_flag"], spec.unit, spec.meaning)

    def of_lines(name: str, flag: np.ndarray) -> _MeasuredMap:
        spec = LABELS.fields[name]
        flags = flag | of_fit[:, None]
        return _MeasuredMap(columns[name], columns[f"{name}_err"], flags, spec.unit, spec.meaning)

    def for_all_lines(name: str) -> _MeasuredMap:
        value, error, flag = (np.repeat(part[:, None], n_line, axis=1) for part in plain(name)[:3])
        return plain(name)._replace(value=value, error=error, flag=flag | of_line)

    return {
        "STELLAR_VEL": plain("v_star"),
        "STELLAR_SIGMA": plain("sigma_star"),
        "EMLINE_SFLUX": of_lines("line_flux_sum", of_line & ~np.uint32(_OF_PROFILE)),
        "EMLINE_GFLUX": of_lines("line_flux", of_line),
        "EMLINE_GEW": of_lines("line_ew", columns["line_flag"]),
        "EMLINE_GVEL": for_all_lines("v_gas"),
        "EMLINE_GSIGMA": for_all_lines("sigma_gas"),
    }


def _with_errors(galaxy: _MappedGalaxy, name: str, measured: _MeasuredMap) -> list[fits.ImageHDU]:
    """An HDU, its inverse variance and its mask, with the cards that link them."""
    value, error, flag, unit, meaning = measured
    known = np.isfinite(value) & (error > 0)
    ivar = np.divide(1.0, error.astype(float) ** 2, out=np.zeros(error.shape), where=known).astype(np.float32)
    mask = galaxy.spread(baxel_mask(flag, value), galaxy.outside)
    ends = {"SCIDATA": name, "ERRDATA": f"{name}_IVAR", "QUALDATA": f"{name}_MASK"}
    parts = {
        "SCIDATA": (galaxy.spread(value), unit, meaning, {}),
        "ERRDATA": (
            galaxy.spread(ivar, _NONE),
            inverse_variance_unit(unit),
            _OF_IVAR,
            {"HDUCLAS2": "ERROR", "HDUCLAS3": "INVMSE"},
        ),
        "QUALDATA": (mask, "1", f"bits of {MASKNAME}", {"HDUCLAS2": "QUALITY", "HDUCLAS3": "FLAG32BIT"}),
    }
    hdus = []
    for part, (image, of_part, text, cards) in parts.items():
        links = {card: other for card, other in ends.items() if card != part}
        hdus.append(_hdu(galaxy, ends[part], image, of_part, text, **cards, **links))
        if image.ndim > galaxy.extract["bin_id"].ndim:
            _name_lines(hdus[-1].header, galaxy)
    return hdus


def _spaxel_hdus(galaxy: _MappedGalaxy) -> list[fits.ImageHDU]:
    """Signal and signal to noise of single spaxels, over the continuum range of the bins."""
    signal, noise = galaxy.extract["signal"], galaxy.extract["noise"]
    inverse = np.divide(1.0, noise, out=np.zeros(noise.shape), where=np.isfinite(signal) & (noise > 0))
    snr = np.where(inverse > 0, signal * inverse, 0.0).astype(np.float32)
    ivar = (inverse**2).astype(np.float32)
    links, kind = {"SCIDATA": "SPX_MFLUX"}, {"HDUCLAS2": "ERROR", "HDUCLAS3": "INVMSE"}
    meaning = EXTRACT.fields["signal"].meaning
    return [
        _hdu(galaxy, "SPX_MFLUX", signal, FLUX, meaning, ERRDATA="SPX_MFLUX_IVAR"),
        _hdu(galaxy, "SPX_MFLUX_IVAR", ivar, inverse_variance_unit(FLUX), _OF_IVAR, **kind, **links),
        _hdu(galaxy, "SPX_SNR", snr, "1", "SPX_MFLUX divided by its error, per pixel; 0 where there is none"),
    ]


def _bin_hdus(galaxy: _MappedGalaxy) -> list[fits.ImageHDU]:
    """Bins: identity in every step of the DAP, place, area, signal to noise, chi2."""
    columns, bin_id = galaxy.columns, galaxy.extract["bin_id"].astype(np.int32)
    steps = np.stack([bin_id if taken else np.full_like(bin_id, -1) for taken in _BINID.values()])
    binid = _hdu(galaxy, "BINID", steps, "1", "baxel, -1 outside all baxels")
    place = galaxy.spread(np.stack([columns["radius"], columns["radius_re"]], axis=1))
    ellcoo = _hdu(galaxy, "BIN_LWELLCOO", place, "1", "luminosity-weighted elliptical coordinates of the baxels")
    for k, name in enumerate(_BINID, start=1):
        binid.header[f"C{k}"] = (name, f"Data in channel {k}")
    for k, (name, unit) in enumerate({"Elliptical radius": "arcsec", "R/Re": ""}.items(), start=1):
        ellcoo.header[f"C{k}"], ellcoo.header[f"U{k}"] = name, unit
    plain = {"BIN_AREA": "area", "BIN_SNR": "snr", "RCHI2": "chi2_reduced"}
    specs = {name: LABELS.fields[column] for name, column in plain.items()}
    return [
        binid,
        ellcoo,
        *(
            _hdu(galaxy, name, galaxy.spread(columns[column]), specs[name].unit, specs[name].meaning)
            for name, column in plain.items()
        ),
    ]


def _correction_hdus(galaxy: _MappedGalaxy) -> list[fits.ImageHDU]:
    """What the DAP's users take off in quadrature: nothing, as the dispersions are corrected already."""
    corrected = "0: the dispersion is already corrected for the LSF"
    none = np.zeros(galaxy.outside.shape, np.float32)
    of_lines = _hdu(galaxy, "EMLINE_INSTSIGMA", np.stack([none] * len(galaxy.line)), KMS, corrected)
    _name_lines(of_lines.header, galaxy)
    return [_hdu(galaxy, "STELLAR_SIGMACORR", none, KMS, corrected), of_lines]


def _hdu(galaxy: _MappedGalaxy, name: str, values: np.ndarray, unit: str, meaning: str, **cards: str) -> fits.ImageHDU:
    hdu = image_hdu(name, values, unit, meaning, galaxy.frame)
    hdu.header.update({"MASKNAME": MASKNAME, "HDUCLASS": "SDSS", "HDUCLAS1": "CUBE", "HDUCLAS2": "DATA"} | cards)
    return hdu


def _name_lines(header: fits.Header, galaxy: _MappedGalaxy) -> None:
    """Cards C01 (the DAP's name), N01 (ours) and W01 (vacuum wavelength) and so on."""
    for k, (line, wave) in enumerate(zip(galaxy.line, galaxy.line_wave, strict=True), start=1):
        header[f"C{k:02d}"] = (channel_name(line), f"Data in channel {k}")
        header[f"N{k:02d}"] = (line, "its name in mangrove")
        header[f"W{k:02d}"] = (float(wave), "[Angstrom] rest wavelength, vacuum")
