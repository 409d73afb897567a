"""Whatever bytes are uploaded: a message, or the numbers that they hold; never a crash, a hang, or much memory.

The number of cases is that of ``fuzzing.fuzzed``; the cases are the same every time.
"""

import gzip
from pathlib import Path

import numpy as np
import pytest
from fuzzing import VALUES, bounded, damaged, fuzzed, with_card
from hypothesis import assume, example, given
from hypothesis import strategies as st
from spectrum_bytes import all_kinds, csv_bytes, fits_bytes, hdf5_bytes

from mangrove.errors import SpectrumError
from mangrove.explorer.reading_process import ReadingProcess
from mangrove.notebook.inputs import observed_spectrum
from mangrove.notebook.spectrum_columns import SpectrumFile
from mangrove.notebook.spectrum_file import parse_spectrum

#: Seconds that a case may take on a busy machine; memory of the process that reads HDF5, bytes.
PATIENCE, MEMORY_OF_READER = 10.0, 1 << 30
SEEDS = all_kinds()
SEEDS["packed fits"] = gzip.compress(SEEDS["fits"], mtime=0)
#: Cards that say how large things are and what they mean.
CARDS = [
    *("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "TFIELDS", "XTENSION", "EXTEND"),
    *("TTYPE1", "TFORM1", "TFORM2", "TFORM3", "TUNIT1", "TSCAL1", "TZERO2", "TNULL1", "TDIM2", "THEAP", "Z", "ZIMAGE"),
]


@pytest.fixture(scope="module")
def reading():
    process = ReadingProcess(seconds=PATIENCE)
    yield process
    process.close()


def checked(reading: ReadingProcess, content: bytes) -> SpectrumFile | None:
    """The spectrum that bytes are read as, if they are; either way in bounds of time and memory, and of sense.

    HDF5 is read by the process that reads uploads, because damaged files may end its library.
    """
    found, said = None, "the file"
    with bounded(PATIENCE + 5):
        try:
            found = reading.read(content) if b"\x89HDF" in content else parse_spectrum(content)
        except SpectrumError as error:
            said = str(error)
    assert said.startswith("the file") and len(said) < 2000
    assert most_memory(reading) < MEMORY_OF_READER
    if found is not None:
        assert_sane(found)
    return found


def most_memory(reading: ReadingProcess) -> int:
    """The most memory that the process of readings has had, bytes; 0 where it has ended, or the system does not say."""
    status = Path(f"/proc/{reading._process.pid}/status") if reading._process is not None else None
    lines = status.read_text().splitlines() if status is not None and status.is_file() else []
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def assert_sane(found: SpectrumFile) -> None:
    n = found.wave.size
    assert np.isfinite(found.wave).all() and (np.diff(found.wave) > 0).all()
    assert n >= 2 and found.wave[0] >= 1000 and found.wave[-1] <= 33000
    for values in (found.flux, found.ivar, found.mask, found.lsf):
        assert values is None or values.shape == (n,)
    try:
        observed = observed_spectrum(
            found.wave, found.flux, found.ivar if found.ivar is not None else _ones(found), 1.0
        )
    except SpectrumError:
        return
    assert np.isfinite(observed.wave).all()


def _ones(found: SpectrumFile):
    ones = np.ones(found.wave.size)
    return ones * found.flux.unit**-2 if hasattr(found.flux, "unit") else ones


def damaged_seeds(*kinds: str):
    """Good files of some kinds, damaged."""
    return damaged([SEEDS[kind] for kind in kinds])


def test_the_memory_of_the_reader_is_seen(reading):
    """A bound that no number can break would hold always."""
    reading.read(SEEDS["hdf5"])
    before = most_memory(reading)
    n = 900_000
    reading.read(hdf5_bytes({"wave": np.linspace(4000, 7000, n), "flux": np.ones(n)}))
    assert before > 1 << 24 and most_memory(reading) - before > 16 * n


@fuzzed(300, 4.0)
@given(content=damaged_seeds("fits", "packed fits"))
def test_damaged_fits(reading, content):
    checked(reading, content)


@fuzzed(300, 4.0)
@given(content=damaged_seeds("csv"))
def test_damaged_text(reading, content):
    checked(reading, content)


@fuzzed(300, 4.0)
@given(content=damaged_seeds("hdf5", "packed hdf5"))
def test_damaged_hdf5(reading, content):
    checked(reading, content)


@fuzzed(300, 1.5)
@given(
    content=st.binary(max_size=3000),
    kind=st.sampled_from([b"", b"SIMPLE  =", b"\x89HDF\r\n\x1a\n", b"\x1f\x8b", b"wave,flux\n"]),
)
def test_anything(reading, content, kind):
    checked(reading, kind + content)


@fuzzed(300, 5.0)
@given(changes=st.lists(st.tuples(st.sampled_from(CARDS), st.sampled_from(VALUES)), min_size=1, max_size=4))
@example(changes=[("NAXIS1", "0"), ("NAXIS2", "9223372036854775807")])
@example(changes=[("TFIELDS", "99999999999")])
@example(changes=[("TFORM2", "'QD(99)  '"), ("PCOUNT", "99999999999")])
def test_cards_of_other_meaning(reading, changes):
    """Cards that are there get another value, others are put before END."""
    content = SEEDS["fits"]
    for key, value in changes:
        content = with_card(content, key, value)
    checked(reading, content)


LENGTHS = {"Angstrom": 1.0, "nm": 0.1, "um": 1e-4, "micron": 1e-4, "m": 1e-10, "": 1.0}
DENSITIES = {
    "1e-17 erg/s/cm2/Angstrom": 1.0,
    "erg/s/cm2/Angstrom": 1e-17,
    "W/m2/um": 1e-16,
    "1e-20 erg/s/cm2/AA": 1e3,
    "": 1.0,
}
MAKERS = {"fits": fits_bytes, "hdf5": hdf5_bytes, "csv": csv_bytes}


@st.composite
def spectra(draw):
    """A spectrum in mangrove's units, and the bytes of a file that holds it in others."""
    n = draw(st.integers(2, 60))
    start, step = draw(st.floats(1001.0, 20000.0)), draw(st.floats(0.01, 200.0))
    wave = start + step * np.arange(n)
    assume(wave[-1] < 33000.0)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    flux = rng.choice([-1.0, 0.0, 1.0], n) * 10.0 ** rng.uniform(-30.0, 4.0, n)
    error = 10.0 ** rng.uniform(-3.0, 3.0, n)
    z, air = draw(st.none() | st.floats(0.0, 5.0)), draw(st.sampled_from([None, True, False]))
    length, density = draw(st.sampled_from([*LENGTHS])), draw(st.sampled_from([*DENSITIES]))
    kind, errors = draw(st.sampled_from([*MAKERS])), draw(st.sampled_from(["error", "ivar"]))
    scale = DENSITIES[density]
    columns = {
        draw(st.sampled_from(["wave", "wavelength", "lambda"])): wave * LENGTHS[length],
        "flux": flux * scale,
        errors: error * scale if errors == "error" else (error * scale) ** -2.0,
    }
    units = {name: text for name, text in zip(columns, (length, density), strict=False) if text}
    truth = {"wave": wave, "flux": flux, "ivar": error**-2.0, "z": z, "air": air}
    return truth, written(kind, columns, units, z, air)


def written(kind, columns, units, z, air) -> bytes:
    if kind == "fits":
        cards = {f"TUNIT{i}": units[name] for i, name in enumerate(columns, start=1) if name in units}
        cards |= {} if z is None else {"Z": z}
        return fits_bytes(columns, cards if air is None else cards | {"VACUUM": not air})
    if kind == "hdf5":
        return hdf5_bytes(columns, {k: v for k, v in (("z", z), ("air", air)) if v is not None}, units)
    comments = [f"z = {z!r}"] * (z is not None) + [f"air = {air}"] * (air is not None)
    return csv_bytes(columns, tuple(comments), units)


@fuzzed(300, 6.0)
@given(case=spectra())
def test_what_is_read_is_what_was_written(reading, case):
    truth, content = case
    found = checked(reading, content)
    assert found is not None
    for name in ("wave", "flux", "ivar"):
        np.testing.assert_allclose(getattr(found, name), truth[name], rtol=1e-9, atol=1e-30)
    assert found.air == truth["air"]
    assert found.z == truth["z"] or found.z == pytest.approx(truth["z"], rel=1e-12)


@fuzzed(300, 6.0)
@given(
    case=spectra(),
    where=st.integers(0, 59),
    kind=st.sampled_from([*MAKERS]),
    bad=st.sampled_from([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e308, "back", "twice"]),
)
def test_wavelengths_without_order_are_refused(reading, case, where, kind, bad):
    truth, _ = case
    wave = truth["wave"].copy()
    i = where % wave.size
    if isinstance(bad, str):
        i = max(i, 1)
        wave[i] = wave[i - 1] - (1.0 if bad == "back" else 0.0)
    else:
        wave[i] = bad
    content = MAKERS[kind]({"wave": wave, "flux": truth["flux"]})
    assert checked(reading, content) is None


@fuzzed(300, 10.0)
@given(
    values=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=8, max_size=8),
    errors=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=8, max_size=8),
    kind=st.sampled_from([*MAKERS]),
    name=st.sampled_from(["error", "ivar"]),
)
def test_strange_fluxes_and_errors_are_no_data(reading, values, errors, kind, name):
    """A pixel counts with its own numbers or not at all."""
    wave, flux, error = 5000.0 + np.arange(8), np.array(values), np.array(errors)
    found = checked(reading, MAKERS[kind]({"wave": wave, "flux": flux, name: error}))
    np.testing.assert_array_equal(found.flux, flux)
    with np.errstate(all="ignore"):
        wanted = np.where(error > 0, error**-2.0, 0.0) if name == "error" else error
    np.testing.assert_allclose(found.ivar, wanted, rtol=1e-12, atol=1e-300)
