"""Template libraries of any content: the spectra, axes and masses that they hold, or a TemplateError; never a crash."""

import io
import itertools
import shutil

import h5py
import numpy as np
import pytest
from astropy.io import fits
from fuzzing import VALUES, damaged, fuzzed, outcome, with_card
from hypothesis import example, given
from hypothesis import strategies as st

from mangrove.errors import TemplateError
from mangrove.physics.wavelengths import C_KMS, SIGMA_TO_FWHM, air_to_vacuum
from mangrove.ssp import loading
from mangrove.ssp.library import SspLibrary

WAVE = 5300.0 + 4.0 * np.arange(101)
AGE, METALLICITY = np.array([0.5, 2.0, 10.0]), np.array([-0.4, 0.06])
GRID = np.ix_(METALLICITY, AGE)
#: Spectra (metallicity, age, wavelength) in solar luminosities per Angstrom and solar mass formed, and masses.
FLUX = 1e-4 * (1.0 + 0.1 * GRID[0] + 0.0 * GRID[1])[..., None] / AGE[:, None] ** 0.5 * (WAVE / 5500.0) ** 0.3
MASSES = 0.9 - 0.1 * np.log10(GRID[1]) + 0.05 * GRID[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("templates")


def load(path) -> SspLibrary | None:
    """The library of a path, if it is one, whose arrays then fit together and are fit for use."""
    # Other than a user, who has one library, the tests read another one at the same path again and again.
    loading._load.cache_clear()
    found = outcome(TemplateError, loading.load_library, str(path))
    if found is not None:
        grid = (found.metallicity.size, found.age.size)
        assert found.flux.shape == (*grid, found.wave.size) and found.fwhm.shape == found.wave.shape
        assert all(np.all(np.diff(axis) > 0) for axis in (found.wave, found.age, found.metallicity))
        for values in (found.flux, found.wave, found.age, found.fwhm):
            assert np.isfinite(values).all() and (values > 0).all()
        assert np.isfinite(found.metallicity).all() and np.abs(found.metallicity).max() < 5
        assert found.age[0] > 0 and found.age[-1] <= 20
        for values in (found.ml_r, found.mass_fraction):
            assert values is None or (values.shape == grid and np.isfinite(values).all() and (values > 0).all())
    return found


def npz(**changed) -> bytes:
    """A file of pPXF; an array that is None is left out."""
    arrays = {"templates": FLUX.T, "masses": MASSES.T, "lam": WAVE, "ages": AGE, "metals": METALLICITY, "fwhm": 2.5}
    arrays = {name: values for name, values in (arrays | {"frame": "vacuum"} | changed).items() if values is not None}
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def hdf5(changed=(), attributes=()) -> bytes:
    """E-MILES in one file; datasets and attributes (of a dataset, name) may be others."""
    rows = [(z, t, MASSES[i, j]) for (i, z), (j, t) in itertools.product(enumerate(METALLICITY), enumerate(AGE))]
    datasets = {"flux": FLUX, "wavelength": WAVE, "age": AGE, "metallicity": METALLICITY}
    datasets |= {"mass_loss_kroupa": np.array(rows), "fwhm": np.full(WAVE.size, 2.5)} | dict(changed)
    file = io.BytesIO()
    with h5py.File(file, "w") as content:
        for name, values in datasets.items():
            content[name] = values
        for (name, key), value in dict(attributes).items():
            content[name].attrs[key] = value
    return file.getvalue()


def packed() -> bytes:
    """The layout of the embedded library."""
    datasets = {"flux": FLUX, "wave": WAVE, "age": AGE, "metallicity": METALLICITY, "resolving_power": WAVE / 2.5}
    datasets |= {"ml_r": MASSES, "mass_fraction": MASSES}
    file = io.BytesIO()
    with h5py.File(file, "w") as content:
        for name, values in datasets.items():
            content[name] = values
        for name in ("name", "imf", "isochrones", "citation", "licence", "source"):
            content.attrs[name] = name
        content.attrs["normalised"] = True
    return file.getvalue()


def miles(i: int, j: int, scale=1.0, **cards) -> bytes:
    """One file of the MILES pages, in vacuum as its cards say."""
    hdu = fits.PrimaryHDU((FLUX[i, j] * scale).astype(np.float64))
    hdu.header.update({"CTYPE1": "WAVE", "CRVAL1": WAVE[0], "CDELT1": 4.0, "CRPIX1": 1.0} | cards)
    file = io.BytesIO()
    fits.HDUList([hdu]).writeto(file)
    return file.getvalue()


PLACES = [*itertools.product(range(METALLICITY.size), range(AGE.size))]


def name_of(i: int, j: int, end: str = "_baseFe") -> str:
    return f"Mku1.30Z{'m' if METALLICITY[i] < 0 else 'p'}{abs(METALLICITY[i]):.2f}T{AGE[j]:07.4f}_iTp0.00{end}.fits"


def mass_table(changed: str = "") -> str:
    rows = [f"KU 1.30 {METALLICITY[i]:.2f} {AGE[j]:.4f} 1.0 {MASSES[i, j]:.6f} 0.4" for i, j in PLACES]
    return "\n".join(["#IMF slope [M/H] Age Mtotal M(*+remn) M*", *rows, changed])


def write_folder(folder, files: dict[str, bytes], table: str):
    """A folder that holds these files alone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "out_mass_KU_BASTI.txt").write_text(table, encoding="utf-8")
    return folder


SINGLE = {"npz": npz(), "h5": hdf5(), "packed.h5": packed()}
SPECTRUM = miles(0, 0)
CARDS = [
    *("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "BSCALE", "BZERO", "BLANK", "BUNIT", "CTYPE1", "CUNIT1", "CRVAL1"),
    *("CRPIX1", "CDELT1", "CD1_1", "PC1_1", "DC-FLAG", "FWHM", "SIGMA", "AIRORVAC", "VACUUM", "EXTEND", "WAT0_001"),
]
WORDS = ["'AWAV'", "'WAVE-LOG'", "'VELO'", "'nm'", "'km'", "'Lsun/AA'", "3.72", "8.5", "5500.0", "-4.0", "1e-4"]


@fuzzed(40, 5.0)
@given(data=st.data(), kind=st.sampled_from([*SINGLE]))
def test_damaged_files(place, apart, data, kind):
    path = place / f"own_vacuum.{kind}"
    path.write_bytes(data.draw(damaged([SINGLE[kind]], head=3000)))
    load(path) if kind == "npz" else apart(load, path)


@fuzzed(30, 29.0)
@given(content=damaged([SPECTRUM]), table=st.none() | damaged([mass_table().encode()], head=400))
def test_folders_with_a_damaged_file(place, content, table):
    files = {name_of(i, j): miles(i, j) for i, j in PLACES} | {name_of(0, 0): content}
    folder = write_folder(place / "miles", files, mass_table())
    if table is not None:
        (folder / "out_mass_KU_BASTI.txt").write_bytes(table)
    load(folder)


@fuzzed(30, 28.0)
@given(
    changes=st.lists(st.tuples(st.sampled_from(CARDS), st.sampled_from(VALUES + WORDS)), min_size=1, max_size=3),
    everywhere=st.booleans(),
)
@example(changes=[("CUNIT1", "'10**(99999999) m'")], everywhere=False)
def test_cards_of_other_meaning(place, changes, everywhere):
    files = {}
    for i, j in PLACES:
        files[name_of(i, j)] = miles(i, j)
        for key, value in changes if everywhere or (i, j) == (0, 0) else ():
            files[name_of(i, j)] = with_card(files[name_of(i, j)], key, value)
    load(write_folder(place / "cards", files, mass_table()))


STRANGE = st.sampled_from(
    [np.nan, np.inf, -1.0, 0.0, 1e300, 1e-300, "twice", "empty", "scalar", "text", "complex", "bool"]
)


def strange(values: np.ndarray, how, where: int) -> np.ndarray:
    """An array with one value, or of a shape or type, that it should not have."""
    values = np.array(values)
    match how:
        case "twice":
            return np.stack([values, values])
        case "empty":
            return values[:0]
        case "scalar":
            return values.ravel()[0]
        case "text":
            return values.astype("S8")
        case "complex" | "bool":
            return values.astype(how)
    changed = values.astype(float).ravel()
    changed[where % changed.size] = how
    return changed.reshape(values.shape)


@fuzzed(40, 8.0)
@given(kind=st.sampled_from(["npz", "h5"]), data=st.data(), how=STRANGE, where=st.integers(0, 5000))
def test_arrays_that_no_library_has(place, kind, data, how, where):
    """What is taken is either as it was written, or ends where a spectrum has no value: no number takes another's place."""
    path = place / f"strange.{kind}"
    if kind == "npz":
        arrays = {"templates": FLUX.T, "masses": MASSES.T, "lam": WAVE, "ages": AGE, "metals": METALLICITY}
        name = data.draw(st.sampled_from([*arrays]))
        path.write_bytes(npz(**{name: strange(arrays[name], how, where)}))
    else:
        arrays = {"flux": FLUX, "wavelength": WAVE, "age": AGE, "metallicity": METALLICITY}
        name = data.draw(st.sampled_from([*arrays]))
        path.write_bytes(hdf5({name: strange(arrays[name], how, where)}))
    found = load(path)
    if found is not None and name in ("templates", "flux"):
        wave = WAVE if kind == "npz" else air_to_vacuum(WAVE)
        at = np.searchsorted(wave, found.wave)
        np.testing.assert_array_equal(found.wave, wave[at])
        differs = ~np.isclose(found.flux, FLUX[..., at], rtol=1e-9)
        assert differs.sum() <= 1 and (found.flux[differs] == how).all()


LENGTHS = {"": 1.0, "Angstrom": 1.0, "nm": 0.1, "um": 1e-4, "m": 1e-10}
TIMES = {"": 1.0, "Gyr": 1.0, "Myr": 1e3, "yr": 1e9}
LIGHTS = {"": 1.0, "L_sun / Angstrom / M_sun": 1.0, "Lsun/nm": 10.0, "erg / s / Angstrom / M_sun": 3.828e33}
NAMES = ("metallicity", "age", "wavelength")


@fuzzed(40, 20.0)
@given(
    length=st.sampled_from([*LENGTHS]),
    time=st.sampled_from([*TIMES]),
    light=st.sampled_from([*LIGHTS]),
    key=st.sampled_from(["unit", "units", "UNIT"]),
    axes=st.permutations(range(3)),
    frame=st.sampled_from(["", "air", "vacuum", "Vacuum"]),
    ages=st.permutations(range(3)),
    seed=st.integers(0, 2**32 - 1),
)
def test_one_library_in_any_unit_and_order(place, length, time, light, key, axes, frame, ages, seed):
    """Spectra, axes, line spread and masses are those that were written, whatever they were written in."""
    rng = np.random.default_rng(seed)
    flux, fwhm = FLUX * rng.uniform(0.5, 2.0, FLUX.shape), rng.uniform(2.0, 4.0, WAVE.size)
    ages = list(ages)
    changed = {
        "flux": (flux[:, ages] * LIGHTS[light]).transpose(axes),
        "wavelength": WAVE * LENGTHS[length],
        "age": AGE[ages] * TIMES[time],
        "fwhm": fwhm * LENGTHS[length],
    }
    units = {"flux": light, "wavelength": length, "age": time, "fwhm": length}
    attributes = {(name, key): unit for name, unit in units.items() if unit}
    attributes |= {("flux", "dims"): ", ".join(NAMES[k] for k in axes)}
    attributes |= {("wavelength", "frame"): frame} if frame else {}
    path = place / "units.h5"
    path.write_bytes(hdf5(changed, attributes))
    found = load(path)
    assert found is not None
    np.testing.assert_allclose(found.wave, WAVE if frame.lower() == "vacuum" else air_to_vacuum(WAVE), rtol=1e-9)
    np.testing.assert_allclose(found.flux, flux, rtol=2e-3 if "erg" in light else 1e-9)
    np.testing.assert_allclose(found.age, AGE, rtol=1e-9)
    np.testing.assert_allclose(found.metallicity, METALLICITY)
    np.testing.assert_allclose(found.fwhm, fwhm, rtol=1e-9)
    assert not found.normalised
    np.testing.assert_allclose(found.mass_fraction, MASSES, rtol=1e-9)


@fuzzed(40, 9.0)
@given(
    air=st.booleans(),
    ages=st.permutations(range(3)),
    metals=st.permutations(range(2)),
    single=st.booleans(),
    masses=st.booleans(),
    spread=st.none() | st.floats(0.5, 20.0),
    seed=st.integers(0, 2**32 - 1),
)
def test_one_file_of_ppxf_in_any_order(place, air, ages, metals, single, masses, spread, seed):
    rng = np.random.default_rng(seed)
    ages, metals = list(ages), list(metals)
    flux = (FLUX * rng.uniform(0.5, 2.0, FLUX.shape)).astype(np.float32 if single else np.float64)
    fwhm = rng.uniform(2.0, 4.0, WAVE.size) if spread is None else spread
    changed = {"templates": flux[metals][:, ages].T, "masses": MASSES[metals][:, ages].T if masses else None}
    changed |= {"ages": AGE[ages], "metals": METALLICITY[metals], "fwhm": fwhm, "frame": "air" if air else "vacuum"}
    path = place / "own.npz"
    path.write_bytes(npz(**changed))
    found = load(path)
    assert found is not None
    np.testing.assert_allclose(found.wave, air_to_vacuum(WAVE) if air else WAVE)
    np.testing.assert_array_equal(found.flux, flux.astype(float))
    np.testing.assert_array_equal(found.age, AGE)
    np.testing.assert_array_equal(found.metallicity, METALLICITY)
    np.testing.assert_allclose(found.fwhm, np.broadcast_to(fwhm, WAVE.shape))
    assert (found.mass_fraction is None) == (not masses)
    if masses:
        np.testing.assert_array_equal(found.mass_fraction, MASSES)


UNITS_OF_CARDS = {"Angstrom": 1.0, "nm": 0.1, "um": 1e-4}


@fuzzed(30, 45.0)
@given(
    unit=st.sampled_from([*UNITS_OF_CARDS]),
    light=st.sampled_from(["", "Lsun/nm"]),
    kind=st.sampled_from(["WAVE", "AWAV", ""]),
    spread=st.sampled_from(["", "_FWHM_5.00", "_sigma_200", "_R_1100", "card"]),
    reference=st.floats(-50.0, 150.0),
    masses=st.booleans(),
)
def test_one_folder_of_miles_in_any_unit_and_frame(place, unit, light, kind, spread, reference, masses):
    scale, cards = UNITS_OF_CARDS[unit], {"FWHM": 5.0} if spread == "card" else {}
    cards |= {"CUNIT1": unit, "CTYPE1": kind, "CRPIX1": reference, "CDELT1": 4.0 * scale}
    cards |= {"CRVAL1": (WAVE[0] + 4.0 * (reference - 1.0)) * scale} | ({"BUNIT": light} if light else {})
    end = f"_baseFe{'' if spread == 'card' else spread}"
    files = {name_of(i, j, end): miles(i, j, LIGHTS[light], **cards) for i, j in PLACES}
    found = load(write_folder(place / "units", files, mass_table() if masses else ""))
    assert found is not None
    wave = WAVE if kind == "WAVE" else air_to_vacuum(WAVE)
    np.testing.assert_allclose(found.wave, wave, rtol=1e-9)
    np.testing.assert_allclose(found.flux, FLUX, rtol=1e-9)
    np.testing.assert_array_equal(found.age, AGE)
    np.testing.assert_allclose(found.metallicity, METALLICITY)
    fwhm = {"": 2.51, "_sigma_200": SIGMA_TO_FWHM * 200.0 / C_KMS * wave, "_R_1100": wave / 1100.0}.get(spread, 5.0)
    np.testing.assert_allclose(found.fwhm, np.maximum(np.broadcast_to(fwhm, wave.shape), 2.51))
    assert (found.mass_fraction is not None) == masses
    if masses:
        np.testing.assert_allclose(found.mass_fraction, MASSES, atol=1e-6)
