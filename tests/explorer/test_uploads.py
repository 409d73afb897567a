"""Uploads: what the bytes of a file become, what is refused with which message, and who may see what was uploaded."""

import base64
import gc
import gzip
import io
import os
import signal
import time
import tracemalloc
import weakref

import h5py
import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable
from spectrum_bytes import FLUX, IVAR, WAVE, Z, all_kinds, csv_bytes, fits_bytes, hdf5_bytes, plain_columns

from mangrove.api import read_spectrum
from mangrove.errors import SpectrumError
from mangrove.explorer.reading_process import ReadingProcess
from mangrove.explorer.security import UPLOAD_BYTES
from mangrove.explorer.uploads import Upload, UploadStore, shown_name, uploaded
from mangrove.notebook.spectrum_columns import MAX_PIXELS
from mangrove.notebook.spectrum_file import parse_spectrum

KINDS = all_kinds()


@pytest.fixture(scope="module")
def reading():
    process = ReadingProcess()
    yield process
    process.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_spectrum_in_memory_is_that_of_its_file(tmp_path, reading, kind):
    """Without a telling name: the content says what it is."""
    path = tmp_path / "spectrum"
    for content in (KINDS[kind], gzip.compress(KINDS[kind])):
        path.write_bytes(content)
        for found in (parse_spectrum(content), read_spectrum(path), reading.read(content)):
            np.testing.assert_allclose(found.wave, WAVE, rtol=1e-12)
            np.testing.assert_allclose(found.flux, FLUX, rtol=1e-12)
            np.testing.assert_allclose(found.ivar, IVAR, rtol=1e-12)
            assert (found.z, found.air, found.lsf) == (Z, None, None) and not found.mask.any()


UNITS = {
    "nm": ("nm", WAVE / 10),
    "micron": ("um", WAVE / 1e4),
    "microns": ("microns", WAVE / 1e4),
    "metres": ("m", WAVE / 1e10),
    "Angstrom": ("Angstrom", WAVE),
    "none": ("", WAVE),
}
FLUXES = {
    "cgs": ("erg/s/cm2/Angstrom", 1e-17),
    "1e-20 cgs": ("1e-20 erg/s/cm2/Angstrom", 1e3),
    "SI": ("W/m2/um", 1e-16),
    "none": ("", 1.0),
}


@pytest.mark.parametrize("flux", FLUXES)
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("kind", ["fits", "hdf5", "csv"])
def test_units_are_converted(kind, unit, flux):
    text, wave = UNITS[unit]
    flux_text, scale = FLUXES[flux]
    columns = {"wave": wave, "flux": FLUX * scale, "error": IVAR**-0.5 * scale}
    units = {name: value for name, value in (("wave", text), ("flux", flux_text), ("error", flux_text)) if value}
    if kind == "fits":
        content = fits_bytes(columns, {f"TUNIT{i}": units[n] for i, n in enumerate(columns, start=1) if n in units})
    else:
        content = {"hdf5": hdf5_bytes, "csv": csv_bytes}[kind](columns, units=units)
    found = parse_spectrum(content)
    np.testing.assert_allclose(found.wave, WAVE, rtol=1e-9)
    np.testing.assert_allclose(found.flux, FLUX, rtol=1e-9)
    np.testing.assert_allclose(found.ivar, IVAR, rtol=1e-9)
    assert found.flux_stated == bool(flux_text)


def test_flux_per_frequency_keeps_its_unit_between_processes(reading):
    content = csv_bytes({"wave": WAVE, "flux": FLUX, "error": FLUX / 100}, units={"flux": "mJy", "error": "uJy"})
    for found in (parse_spectrum(content), reading.read(content)):
        assert found.flux.unit == u.mJy
        np.testing.assert_allclose((found.ivar**-0.5).to_value(u.uJy), FLUX / 100, rtol=1e-9)


def test_errors_in_a_unit_of_their_own_are_converted_or_refused():
    columns = {"wave": WAVE, "flux": FLUX, "ivar": IVAR}
    units = {"flux": "1e-17 erg/s/cm2/Angstrom", "ivar": "(1e-16 erg/s/cm2/Angstrom)**-2"}
    np.testing.assert_allclose(parse_spectrum(csv_bytes(columns, units=units)).ivar, IVAR / 100, rtol=1e-9)
    for wrong in ({"ivar": units["ivar"]}, {**units, "ivar": "1 / mJy2"}):
        with pytest.raises(SpectrumError, match="both need a unit of one kind"):
            parse_spectrum(csv_bytes(columns, units=wrong))


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_csv_states_redshift_and_medium_in_comments(separator):
    for medium, air in (("air = true", True), ("medium: vacuum", False), ("AIRORVAC: air", True)):
        comments = ("a galaxy", f"Redshift: {Z}", medium)
        found = parse_spectrum(csv_bytes(plain_columns(), comments, {"wave": "Angstrom"}, separator))
        assert (found.z, found.air) == (Z, air)


def text(*lines):
    return "\n".join(lines).encode()


ROWS = ("5000,1,1", "5001,2,1")
REFUSED = {
    "empty": (b"", "is empty"),
    "blank": (b" \n \n", "is empty"),
    "garbage": (bytes(range(256)), "neither a FITS table, nor HDF5, nor text"),
    "a pickle": (b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x04spam\x94.", "neither a FITS table"),
    "a web page": (b"<!DOCTYPE html><html></html>", "is a web page or XML"),
    "zip": (b"PK\x03\x04" + bytes(100), "compressed .zip.; unpack it with 'unzip'"),
    "half a gzip": (gzip.compress(KINDS["fits"])[:200], "damaged"),
    "half a FITS": (KINDS["fits"][:-3000], "ends in HDU 1"),
    "half an HDF5": (KINDS["hdf5"][:-3000], "cannot be read as a spectrum"),
    "no names": (text(*ROWS), "line 1 has numbers, but the columns have no names"),
    "only names": (text("wave,flux"), "has 0 values; a spectrum has at least two pixels"),
    "no flux": (text("wave,counts,ivar", *ROWS), "holds no spectrum: .* there are wave, counts, ivar"),
    "two wavelengths": (
        text("wave,wavelength,flux", *ROWS),
        "wave and wavelength, and which one is meant is not clear",
    ),
    "two fluxes": (text("wave,flux,flux", *ROWS), "flux and flux, and which one is meant"),
    "two separators": (text("wave;flux,ivar", *ROWS), "has both ',' and ';'"),
    "a ragged row": (text("wave,flux,ivar", *ROWS, "5002,1"), "line 4 has 2 fields, but the header names 3"),
    "decimal commas": (text("wave;flux", "5000,1;1,5", "5001,1;1,5"), "line 2: '5000,1' is no number"),
    "underscores": (text("wave,flux", "5_000,1", "5001,1"), "line 2: '5_000' is no number"),
    "units below names": (
        text("wave,flux", "nm,Jy", "500,1", "501,1"),
        "line 2: 'nm' is no number. .* units in the header",
    ),
    "unit of time": (text("wave [s],flux", "5000,1", "5001,1"), "wave is in 's'; a unit of length"),
    "nm without unit": (
        text("wave,flux", "500,1", "501,1"),
        "without a unit and so taken to be in Angstrom.*State their unit",
    ),
    "falling": (text("wave,flux", "5001,1", "5000,1"), "pixel 2 has 5000 Angstrom after 5001"),
    "twice": (text("wave,flux", "5000,1", "5000,1"), "pixel 2 has 5000 Angstrom after 5000"),
    "no wavelength": (text("wave,flux", "5000,1", "nan,1"), "the wavelength of pixel 2 is nan"),
    "two redshifts": (text("# z = 0.1", "# z = 0.2", "wave,flux", "5000,1", "5001,1"), "z is 0.2, but 0.1 further up"),
    "strange redshift": (text("# z = soon", "wave,flux", "5000,1", "5001,1"), "line 1: 'soon' is no number"),
    "strange medium": (text("# air = thin", "wave,flux", "5000,1", "5001,1"), "air is 'thin'"),
    "both media": (text("# air = no", "# medium = air", "wave,flux", "5000,1", "5001,1"), "contradict each other"),
    "words": (fits_bytes({"wave": np.array(["a", "b"]), "flux": [1.0, 2.0]}), "wave has the format 1A"),
    "two spectra": (fits_bytes({"wave": np.ones((3, 9)), "flux": np.ones((3, 9))}), "one spectrum per file is needed"),
    "unequal": (hdf5_bytes({"wave": WAVE, "flux": FLUX[:-1]}), "flux has 299 values for 300 wavelengths"),
    "a power": (text("wave [10**99999999 m],flux", "5000,1", "5001,1"), "a unit of length is needed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_said(reading, case):
    content, reason = REFUSED[case]
    with pytest.raises(SpectrumError, match=rf"(?s)^my\.file: .*{reason}"):
        reading.read(content, "my.file")
    assert reading.n_lost == 0


def variable_length() -> bytes:
    column = fits.Column("flux", "PD()", array=np.array([FLUX, FLUX[:5]], dtype=object))
    file = io.BytesIO()
    hdus = [fits.PrimaryHDU(), fits.BinTableHDU.from_columns([fits.Column("wave", "D", array=WAVE[:2]), column])]
    fits.HDUList(hdus).writeto(file)
    return file.getvalue()


def giant(kind: str, n: int) -> bytes:
    """A small file that holds n pixels, if all were unpacked."""
    file = io.BytesIO()
    with h5py.File(file, "w") as f:
        for name in ("wave", "flux"):
            chunks = (n,) if kind == "chunk" else (1 << 20,)
            f.create_dataset(name, (n,), "f8", chunks=chunks, compression="gzip")
    return file.getvalue()


def looped() -> bytes:
    """A group that holds itself."""
    file = io.BytesIO()
    with h5py.File(file, "w") as f:
        f["a/b"] = WAVE
        f["a/c"] = f["a"]
    return file.getvalue()


def announced(rows: int) -> bytes:
    return KINDS["fits"].replace(b"NAXIS2  =                  300", f"NAXIS2  = {rows:20d}".encode())


BOMBS = {
    "gzip": (gzip.compress(bytes(1 << 28)), "unpacks to more than 128 MiB"),
    "variable length": (variable_length(), "numbers of fixed length are needed"),
    "HDF5 of 10^9 pixels": (giant("rows", 10**9), f"at most {MAX_PIXELS} are read"),
    "a group in itself": (looped(), "groups more than 20 deep"),
    "announced": (announced(10**9), "announces 24000000000 bytes"),
    "nearly all": (announced(2**62), "announces"),
    "rows of nothing": (fits_bytes({"wave": np.zeros((2, 0)), "flux": np.zeros((2, 0))}), "shape|values"),
    "many lines": (b"wave,flux\n" + b"1,1\n" * (MAX_PIXELS + 1), f"at most {MAX_PIXELS} are read"),
}


@pytest.mark.parametrize("case", BOMBS)
def test_little_bytes_never_take_much_memory(case):
    content, reason = BOMBS[case]
    tracemalloc.start()
    try:
        with pytest.raises(SpectrumError, match=reason):
            parse_spectrum(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 500e6


def test_a_file_cannot_point_to_other_files(tmp_path):
    """External links, virtual datasets and raw data elsewhere: none of them is followed."""
    other = tmp_path / "other.h5"
    other.write_bytes(KINDS["hdf5"])
    (tmp_path / "raw").write_bytes(WAVE.tobytes())
    layout = h5py.VirtualLayout(shape=(WAVE.size,), dtype="f8")
    layout[:] = h5py.VirtualSource(str(other), "wave", shape=(WAVE.size,))
    cases = {
        "link": lambda f: f.__setitem__("wave", h5py.ExternalLink(str(other), "/wave")),
        "raw": lambda f: f.create_dataset("wave", (WAVE.size,), "f8", external=str(tmp_path / "raw")),
        "virtual": lambda f: f.create_virtual_dataset("wave", layout),
    }
    for name, put in cases.items():
        path = tmp_path / f"{name}.h5"
        with h5py.File(path, "w") as f:
            put(f)
            f["flux"] = FLUX
        with pytest.raises(SpectrumError, match=r"kept in other files|holds no spectrum"):
            parse_spectrum(path.read_bytes())


def test_bits_of_sdss_that_leave_no_data_mask_pixels():
    bits = np.zeros(WAVE.size, np.int32)
    bits[[3, 5, 7]] = 1 << 24, 1 << 16, -(1 << 31) | 1 << 22
    columns = plain_columns() | {"and_mask": bits}
    for content in (fits_bytes(columns), hdf5_bytes(columns), csv_bytes(columns)):
        assert np.flatnonzero(parse_spectrum(content).mask).tolist() == [3, 7]


def test_undefined_whole_numbers_are_not_numbers():
    content = fits_bytes({"wave": WAVE, "flux": np.arange(WAVE.size, dtype=np.int32)}, {"TNULL2": 5})
    assert np.flatnonzero(np.isnan(parse_spectrum(content).flux)).tolist() == [5]


def test_flux_has_the_unit_of_sdss_headers():
    content = fits_bytes(plain_columns(), {"BUNIT": "1E-16 erg/cm^2/s/Ang"})
    np.testing.assert_allclose(parse_spectrum(content).flux, 10 * FLUX)
    assert not parse_spectrum(fits_bytes(plain_columns(), {"BUNIT": "electron"})).flux_stated


def test_a_reader_that_ends_is_replaced(reading):
    """As damaged HDF5 ends it: with a signal."""
    reading.read(KINDS["csv"])
    before = reading.n_lost
    os.kill(reading._process.pid, signal.SIGSEGV)
    reading._process.wait()
    assert reading.read(KINDS["csv"]).z == Z
    assert reading.n_lost == before, "it had ended before the upload"


def test_a_reader_that_takes_too_long_is_ended():
    slow = ReadingProcess(seconds=0.01)
    with pytest.raises(SpectrumError, match=r"x\.csv is damaged: reading it failed altogether or took too long"):
        slow.read(KINDS["csv"], "x.csv")
    assert slow.n_lost == 1
    slow.close()


def data_url(content: bytes) -> str:
    return "data:application/x-python-pickle;base64," + base64.b64encode(content).decode()


def test_what_the_browser_sends_is_decoded_and_limited():
    assert uploaded(data_url(KINDS["csv"])) == KINDS["csv"]
    assert len(uploaded(data_url(bytes(UPLOAD_BYTES)))) == UPLOAD_BYTES
    for wrong, reason in (
        (data_url(bytes(UPLOAD_BYTES + 1)), "more than 20 MiB"),
        (data_url(b""), "is empty"),
        ("data:;base64,%%%", "did not arrive whole"),
        ("data:;base64,äöü", "did not arrive whole"),
        ("base64", "no file arrived"),
        (None, "no file arrived"),
        ({"a": 1}, "no file arrived"),
    ):
        with pytest.raises(SpectrumError, match=reason):
            uploaded(wrong)


def test_names_of_files_are_text_only():
    assert shown_name("spec.fits\n\x1b[31m") == "spec.fits[31m"
    assert len(shown_name("x" * 10_000)) == 255, "no file system has longer ones"
    assert shown_name(None) == shown_name({"a": 1}) == shown_name("\n") == "the file"


def test_uploads_are_kept_for_who_has_the_token_and_for_a_while():
    now = [0.0]
    store = UploadStore(most=3, seconds=10.0, clock=lambda: now[0])
    spectrum = parse_spectrum(KINDS["csv"])
    tokens = [store.keep(Upload(str(k), spectrum)) for k in range(4)]
    assert len(set(tokens)) == 4 and all(len(token) >= 43 for token in tokens), "256 bits each"
    assert store.of(tokens[0]) is None, "only three are kept"
    assert [store.of(token).name for token in tokens[1:]] == ["1", "2", "3"]
    for wrong in (None, "", "1", 7, ["a"], {"b": 1}):
        assert store.of(wrong) is None
    store.drop(tokens[1])
    store.drop({"no": "token"})
    assert store.of(tokens[1]) is None and store.of(tokens[2])
    now[0] = 10.5
    assert store.of(tokens[2]) is None and store.of(tokens[3]) is None


def test_an_upload_is_forgotten_in_time_though_nobody_asks():
    store = UploadStore(seconds=0.2)
    kept = []
    for name in ("first", "second"):
        upload = Upload(name, parse_spectrum(KINDS["csv"]))
        store.keep(upload)
        kept.append(weakref.ref(upload))
        del upload
    assert all(upload() is not None for upload in kept)
    give_up = time.monotonic() + 10
    while any(upload() is not None for upload in kept) and time.monotonic() < give_up:
        time.sleep(0.05)
        gc.collect()
    assert [upload() for upload in kept] == [None, None]


def test_uploads_and_their_fits_take_bounded_memory():
    spectrum = parse_spectrum(KINDS["csv"])
    size = Upload("one", spectrum).nbytes
    assert size == sum(part.nbytes for part in spectrum if isinstance(part, np.ndarray)) > 0
    store = UploadStore(nbytes=2 * size)
    tokens = [store.keep(Upload(str(k), spectrum)) for k in range(3)]
    assert [store.of(token) is not None for token in tokens] == [False, True, True]
    # As a fit does that comes later: what matters is the memory of its arrays.
    store.of(tokens[2]).fit = {"spectrum": QTable({"flux": np.ones(size)}), "stored": {"v_star": np.ones(1)}}
    assert store.of(tokens[1]) is None and store.of(tokens[2]).nbytes == size + 8 * size + 8, "the latest stays"
