"""The emulator in use: table files, lines on a continuum, DESI's own files, baxels, a DSPS galaxy."""

import re
import subprocess
import sys
from pathlib import Path

import astropy.units as u
import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from typer.testing import CliRunner

from mangrove import artefacts
from mangrove.cli import app
from mangrove.codes import PredictionFlag
from mangrove.errors import CatalogueError, ModelError
from mangrove.models.emulator.baxel_table import line_widths
from mangrove.models.emulator.continuum_features import Bins, luminosity_of
from mangrove.models.emulator.desi_table import desi_sample
from mangrove.models.emulator.emission_lines import LINES
from mangrove.models.emulator.emulator import Emulator, load
from mangrove.models.emulator.line_spectra import add_lines
from mangrove.models.emulator.line_table import LineTable, read_stored
from mangrove.models.emulator.network import Architecture
from mangrove.models.emulator.prediction_files import predict_file
from mangrove.models.emulator.prepared_table import read_prepared
from mangrove.models.emulator.rest_continuum import bin_continuum
from mangrove.models.emulator.scaled_network import ScaledNetwork
from mangrove.models.emulator.training import normalisation, training_arrays
from mangrove.models.training import model_folder
from mangrove.physics.lines import fit_lines
from mangrove.physics.wavelengths import SIGMA_TO_FWHM
from mangrove.survey.desi import read_coadd
from mangrove.survey.fastspecfit import COLUMNS, read_fastspecfit

ROOT = Path(__file__).parents[2]
N = 60


def rows_of(bins, luminosity):
    rng = np.random.default_rng(3)
    flux = (5 * 10 ** (0.1 * rng.standard_normal((N, bins.n_bin)))).astype(np.float32)
    ew = np.exp(rng.standard_normal((N, len(LINES)))).astype(np.float32)
    lum = luminosity_of(flux, rng.uniform(0.05, 0.3, N).astype("f4")) if luminosity else None
    return LineTable(bins, LINES, np.arange(N).astype(str), flux, lum, ew, np.full_like(ew, 25))


def saved(folder, bins, luminosity):
    """A model folder; a network before training is as good as any here."""
    table = rows_of(bins, luminosity)
    network = ScaledNetwork(Architecture(hidden=(8,)), normalisation(training_arrays(table, luminosity)))
    Emulator(table.bins, table.lines, network, network.first_state(seed=1)).save(folder, {})
    return folder


@pytest.fixture(scope="module")
def colour_model(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("colour") / "model", Bins.equal(3700, 7000, 11), False)


@pytest.fixture(scope="module")
def full_model(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("full") / "model", Bins.equal(), True)


@pytest.mark.parametrize(("source", "target"), [("a.fits", "b.ecsv"), ("a.ecsv", "b.h5"), ("a.h5", "b.fits")])
def test_tables_of_every_format_give_what_the_model_gives(full_model, tmp_path, source, target):
    table = rows_of(Bins.equal(), True)
    redshift = np.linspace(0.05, 0.3, N).astype("f4")
    if source.endswith(".h5"):
        with h5py.File(tmp_path / source, "w") as f:
            f["continuum_flux"], f["redshift"], f["name"] = table.flux_bins, redshift, np.arange(N)
            f["bin_edge"] = table.bins.edges
    else:
        columns = {"name": np.arange(N), "flux_bins": table.flux_bins, "redshift": redshift}
        Table(columns).write(tmp_path / source)
    done = CliRunner().invoke(app, ["predict-lines", str(full_model), str(tmp_path / source), str(tmp_path / target)])
    assert done.exit_code == 0, done.exception
    found = Table.read(tmp_path / target)
    model = load(full_model)
    expected = model(table.flux_bins, luminosity_of(table.flux_bins, redshift))
    i = model.line("Halpha_6565")
    np.testing.assert_allclose(found["Halpha_6565_ew"], expected.ew[:, i], rtol=1e-5)
    np.testing.assert_allclose(found["Halpha_6565_ew_p50"], np.sinh(expected.mixture.median()[:, i]), rtol=1e-3)
    assert (found["Halpha_6565_ew_p16"] < found["Halpha_6565_ew_p50"]).all() and (found["name"] == np.arange(N)).all()


def test_rows_without_a_prediction_are_flagged(full_model, tmp_path):
    table = rows_of(Bins.equal(), True)
    redshift = np.full(N, 0.1, np.float32)
    table.flux_bins[0, 3], redshift[1] = -1, np.nan
    columns = {f"flux_{i + 1}": table.flux_bins[:, i] for i in range(12)} | {"redshift": redshift}
    Table(columns).write(tmp_path / "in.ecsv")
    found = predict_file(full_model, tmp_path / "in.ecsv", tmp_path / "out.ecsv")
    assert found["flag"][0] == PredictionFlag.BAD_FLUX and found["flag"][1] == PredictionFlag.BAD_LUMINOSITY
    assert np.isnan(found["OII_3728_ew"][:2]).all() and np.isfinite(found["OII_3728_ew"][2:]).all()


@pytest.mark.parametrize("numbered", [False, True])
def test_a_table_of_fluxes_alone_is_enough(colour_model, tmp_path, numbered):
    flux = rows_of(Bins.equal(3700, 7000, 11), False).flux_bins
    Table({f"flux_{i + 1}": c for i, c in enumerate(flux.T)} if numbered else {"flux_bins": flux}).write(
        tmp_path / "in.fits"
    )
    found = predict_file(colour_model, tmp_path / "in.fits", tmp_path / "out.ecsv")
    assert len(found) == N and np.isfinite(found["Halpha_6565_ew"]).all()
    assert not [name for name in found.colnames if name.startswith("flux")]


def test_tables_that_do_not_fit_the_model_are_refused(full_model, colour_model, tmp_path):
    table = rows_of(Bins.equal(), True)
    Table({"flux_bins": table.flux_bins}).write(tmp_path / "colours.fits")
    out = tmp_path / "out.fits"
    with pytest.raises(CatalogueError, match="neither the column log_luminosity nor redshift"):
        predict_file(full_model, tmp_path / "colours.fits", out)
    with pytest.raises(ModelError, match="needs 11 bins"):
        predict_file(colour_model, tmp_path / "colours.fits", out)
    other = Table({"flux_bins": table.flux_bins[:, 1:]}, meta={"bin_edges": list(Bins.equal(3400, 6700, 11).edges)})
    other.write(tmp_path / "other.ecsv")
    with pytest.raises(ModelError, match="has the bins"):
        predict_file(colour_model, tmp_path / "other.ecsv", out)
    Table({"flux_1": [1.0], "flux_3": [1.0]}).write(tmp_path / "gap.ecsv")
    for name, reason in (("gap.ecsv", "without gaps"), ("none.fits", "does not exist"), ("in.csv", "does not exist")):
        with pytest.raises(CatalogueError, match=reason):
            predict_file(colour_model, tmp_path / name, out)
    with pytest.raises(CatalogueError, match="must end in"):
        predict_file(full_model, tmp_path / "colours.fits", tmp_path / "out.txt")
    assert not out.exists()


def test_a_folder_without_a_model_says_why(tmp_path):
    model_folder.save_empty(tmp_path / "model", "no galaxy for test", {})
    assert model_folder.reason_if_empty(tmp_path / "model") == "no galaxy for test"
    with pytest.raises(ModelError, match="holds no model: no galaxy for test"):
        load(tmp_path / "model")


WAVE = np.arange(3600.0, 7000.0, 0.7)


def test_added_lines_have_their_width_place_and_flux():
    continuum = (2 + 1e-4 * (WAVE - 5000)).astype(np.float32)
    ew = np.zeros(len(LINES), np.float32)
    ew[LINES.index("OIII_5008")] = 12
    line = np.asarray(add_lines(WAVE, continuum, ew, 2000.0, velocity=150.0, sigma=80.0) - continuum, float)
    centre = 5008.24 * np.exp(150 / 299792.458)
    flux = line.sum() * 0.7
    np.testing.assert_allclose(flux, 12 * np.interp(5008.24, WAVE, continuum), rtol=1e-4)
    mean = (line * WAVE).sum() / line.sum()
    np.testing.assert_allclose(mean, centre, atol=0.02)
    sigma = np.sqrt((line * (WAVE - mean) ** 2).sum() / line.sum() - 0.7**2 / 12)
    np.testing.assert_allclose(sigma, centre * np.hypot(1 / 2000 / SIGMA_TO_FWHM, 80 / 299792.458), rtol=2e-3)


def test_added_lines_keep_their_flux_when_narrower_than_a_pixel_and_oii_is_a_doublet():
    ew = np.full((3, len(LINES)), 5, np.float32)
    added = np.asarray(add_lines(WAVE, np.ones((3, WAVE.size), np.float32), ew, np.array([500.0, 3000.0, 1e6]))) - 1
    np.testing.assert_allclose(added.sum(axis=1) * 0.7, 5 * len(LINES), rtol=1e-3)
    near = (WAVE > 3720) & (WAVE < 3737)
    blue = added[2, near & (WAVE < 3728.5)].sum() / added[2, near].sum()
    np.testing.assert_allclose(blue, 1 / 2.35, rtol=1e-3)


def test_added_lines_differentiate():
    continuum = jnp.ones(WAVE.size, jnp.float32)
    weight = jnp.asarray(np.sin(WAVE / 3.0), jnp.float32)

    def total(ew, velocity, sigma, power):
        return (add_lines(WAVE, continuum, ew, power, velocity=velocity, sigma=sigma) * weight).sum()

    start = [jnp.full(len(LINES), 4.0), jnp.float32(20.0), jnp.float32(70.0), jnp.float32(1500.0)]
    slopes = jax.grad(total, argnums=(0, 1, 2, 3))(*start)
    for i, step in ((1, 8.0), (2, 4.0), (3, 60.0)):
        up, down = (total(*start[:i], start[i] + s, *start[i + 1 :]) for s in (step, -step))
        np.testing.assert_allclose(slopes[i], (up - down) / (2 * step), rtol=0.03)
    one = jnp.zeros(len(LINES)).at[6].set(1.0)
    np.testing.assert_allclose(slopes[0][6], total(start[0] + one, *start[1:]) - total(*start), rtol=1e-3)


def test_lines_beyond_the_spectrum_add_nothing_and_unknown_ones_are_refused():
    wave = np.arange(4000.0, 5500.0)
    ew = np.full(1, 9, np.float32)
    np.testing.assert_array_equal(add_lines(wave, np.ones(wave.size), ew, 2000.0, lines=["Halpha_6565"]), 1)
    with pytest.raises(ModelError, match="unknown line"):
        add_lines(wave, np.ones(wave.size), ew, 2000.0, lines=["Lya"])
    with pytest.raises(ModelError, match="last axis must hold"):
        add_lines(wave, np.ones(wave.size), ew, 2000.0)
    with pytest.raises(ModelError, match="must be the same"):
        add_lines(wave, np.ones(3), ew, 2000.0, lines=["Halpha_6565"])


def write_fastspecfit(path, target_id, redshift, ew, version="3.1.1"):
    """A catalogue in the layout of FastSpecFit, with the columns read and others."""
    columns = [fits.Column("TARGETID", "K", array=target_id), fits.Column("Z", "D", array=redshift)]
    for i, line in enumerate(LINES):
        for name in COLUMNS[line]:
            share = ew[:, i] / len(COLUMNS[line])
            columns += [
                fits.Column(f"{name}_FLUX", "E", array=share),
                fits.Column(f"{name}_EW", "E", array=share, unit="Angstrom"),
                fits.Column(f"{name}_EW_IVAR", "E", array=np.where(share > 0, 4.0, 0), unit="1 / Angstrom2"),
            ]
    primary = fits.PrimaryHDU()
    primary.header["DEPNAM00"], primary.header["DEPVER00"] = "python", "3.10.8"
    primary.header["DEPNAM01"], primary.header["DEPVER01"] = "fastspecfit", version
    meta = [fits.Column("TARGETID", "K", array=target_id), fits.Column("Z", "D", array=redshift)]
    tables = [fits.BinTableHDU.from_columns(c, name=n) for c, n in ((columns, "FASTSPEC"), (meta, "METADATA"))]
    fits.HDUList([primary, *tables]).writeto(path)


def write_coadd(path, target_id, ebv, spectrum):
    """Coadded spectra in DESI's layout: three cameras of 0.8 Angstrom that overlap; ``spectrum(row, wave)``."""
    fibermap = [fits.Column("TARGETID", "K", array=target_id), fits.Column("EBV", "E", array=ebv)]
    hdus = [fits.PrimaryHDU(), fits.BinTableHDU.from_columns(fibermap, name="FIBERMAP")]
    for camera, low, n in (("B", 3600.0, 2751), ("R", 5760.0, 2326), ("Z", 7520.0, 2881)):
        wave = low + 0.8 * np.arange(n)
        flux = np.array([spectrum(i, wave) for i in range(len(target_id))], np.float32)
        mask = np.zeros(flux.shape, np.int32)
        mask[:, 40:44], flux[:, 40:44] = 4, 1e4
        hdus += [
            fits.ImageHDU(wave, name=f"{camera}_WAVELENGTH"),
            fits.ImageHDU(flux, name=f"{camera}_FLUX"),
            fits.ImageHDU(np.full(flux.shape, 2, np.float32), name=f"{camera}_IVAR"),
            fits.CompImageHDU(mask, name=f"{camera}_MASK"),
        ]
    fits.HDUList(hdus).writeto(path)


@pytest.fixture
def desi_files(tmp_path):
    """A catalogue and coadds of galaxies with a sloped continuum and strong lines; one target is in one file only."""
    target_id = np.array([39633000000000000 + i for i in range(4)])
    redshift = np.array([0.12, 0.2, 0.3, 0.9])
    ew = np.tile(np.arange(1.0, 11), (4, 1)).astype("f4")
    ew[1, LINES.index("Halpha_6565")] = 0
    write_fastspecfit(tmp_path / "fastspec.fits", target_id[::-1], redshift[::-1], ew[::-1])

    def spectrum(row, wave):
        rest = wave / (1 + redshift[row])
        lines = sum(20 * np.exp(-0.5 * ((rest / line - 1) * 299792.458 / 100) ** 2) for line in fit_lines().wave)
        return 3 * rest / 5000 + lines

    write_coadd(tmp_path / "coadd-a.fits", target_id[:3], np.zeros(3), spectrum)
    write_coadd(tmp_path / "coadd-b.fits", [*target_id[3:], 7], [0.0, 0.0], lambda row, wave: np.ones(wave.size))
    return tmp_path, target_id, redshift


def test_desi_files_become_a_table(desi_files):
    folder, target_id, redshift = desi_files
    table = desi_sample(folder / "fastspec.fits", [folder / "coadd-a.fits", folder / "coadd-b.fits"]).table
    assert table.identifier.tolist() == target_id.astype(str).tolist()
    np.testing.assert_allclose(table.flux_bins[:3], np.tile(3 * Bins.equal().centres / 5000, (3, 1)), rtol=5e-3)
    assert np.isnan(table.flux_bins[3, -1]) and table.usable.tolist() == [True, True, True, False]
    np.testing.assert_allclose(table.ew[0], np.arange(1.0, 11), rtol=1e-6)
    # Two lines of [OII] with an inverse variance of 4 each.
    np.testing.assert_allclose(table.ew_ivar[0], [2] + [4] * 9, rtol=1e-6)
    assert np.isnan(table.ew[1, LINES.index("Halpha_6565")]) and not table.measured[1, LINES.index("Halpha_6565")]
    np.testing.assert_allclose(table.log_luminosity[:3], luminosity_of(table.flux_bins, redshift)[:3], atol=1e-4)


def test_the_table_of_desi_files_can_be_learnt_from(desi_files):
    folder, target_id, _ = desi_files
    names = [str(folder / name) for name in ("fastspec.fits", "table.h5", "coadd-a.fits")]
    done = CliRunner().invoke(app, ["desi-table", *names])
    assert done.exit_code == 0 and "3 galaxies" in done.stdout
    table, split, published = read_prepared(folder / "table.h5")
    assert published is None and table.identifier.tolist() == target_id[:3].astype(str).tolist()
    stored = read_stored(folder / "table.h5")
    assert [rows.tolist() for rows in stored.split] == [rows.tolist() for rows in split]
    assert sum(rows.size for rows in split) == 3
    assert artefacts.read(folder / "table.h5", "emulator_table")["bin_edge"][0] == 3400


def test_galactic_extinction_is_removed_from_coadds(desi_files):
    folder, target_id, _ = desi_files
    write_coadd(folder / "dusty.fits", target_id[:1], [0.2], lambda row, wave: np.ones(wave.size))
    dusty_files = folder / "fastspec.fits", [folder / "dusty.fits"]
    clear, dusty = (desi_sample(*dusty_files, ebv_scale=scale).table for scale in (0.0, 1.0))
    ratio = dusty.flux_bins[0] / clear.flux_bins[0]
    # A_V = 0.62 mag; the bin at 4900 Angstrom lies at 5490 observed.
    np.testing.assert_allclose(ratio[4], 10 ** (0.4 * 0.62), rtol=0.05)
    assert (np.diff(ratio) < 0).all()


def test_old_fastspecfit_widths_are_corrected(tmp_path):
    ew, redshift = np.full((2, 10), 3.0), np.array([0.1, 0.3])
    write_fastspecfit(tmp_path / "old.fits", np.arange(2), redshift, ew * (1 + redshift[:, None]) ** 2, version="1.0.1")
    found = read_fastspecfit(tmp_path / "old.fits")
    np.testing.assert_allclose(found.ew, 3, rtol=1e-6)
    np.testing.assert_allclose(found.ew_ivar[:, 4], 4 * (1 + redshift) ** 4, rtol=1e-5)


def test_wrong_desi_files_are_refused(desi_files):
    folder, _, _ = desi_files
    with pytest.raises(CatalogueError, match="does not exist"):
        read_coadd(folder / "none.fits")
    with pytest.raises(CatalogueError, match="has no HDU FASTSPEC"):
        read_fastspecfit(folder / "coadd-a.fits")
    with pytest.raises(CatalogueError, match="has no HDU FIBERMAP"):
        read_coadd(folder / "fastspec.fits")
    write_fastspecfit(folder / "other.fits", np.array([5]), np.array([0.1]), np.ones((1, 10)))
    with pytest.raises(CatalogueError, match="no target"):
        desi_sample(folder / "other.fits", [folder / "coadd-a.fits"])
    (folder / "text.fits").write_text("no table")
    with pytest.raises(CatalogueError, match="not a readable FITS"):
        read_coadd(folder / "text.fits")


def test_binned_continuum_forgets_lines_and_bad_pixels():
    wave, z = np.arange(3700.0, 8000.0), np.array([0.05, 0.06])
    flux = np.tile(2 + 1e-4 * wave, (2, 1))
    for row, redshift in enumerate(z):
        for line in fit_lines().wave:
            flux[row] += 30 * np.exp(-0.5 * ((wave / (1 + redshift) / line - 1) * 299792.458 / 120) ** 2)
    good = np.ones(flux.shape, bool)
    good[0, 500:560], flux[0, 500:560] = False, 1e5
    good[1, 1000:1400] = False
    bins = Bins.equal(3700, 7000, 11)
    found = bin_continuum(wave, flux, good, z, bins)
    expected = 2 + 1e-4 * bins.centres[None, :] * (1 + z[:, None])
    np.testing.assert_allclose(found[0], expected[0], rtol=2e-3)
    hole = np.flatnonzero(np.isnan(found[1]))
    assert 1 <= hole.size <= 2 and abs(bins.centres[hole[0]] * 1.06 - 4900) < 350
    assert np.isnan(bin_continuum(wave, flux, good, np.array([np.nan, 0.06]), bins)[0]).all()


def test_baxel_lines_add_the_doublet_and_leave_out_what_was_not_fitted():
    names = np.array(fit_lines().name)
    labels = {
        "line": names,
        "line_status": np.zeros((3, names.size), np.int8),
        "status": np.array([0, 6, 3], np.int8),
        "line_ew": np.tile(np.arange(names.size, dtype="f4"), (3, 1)),
        "line_ew_err": np.full((3, names.size), 0.3, np.float32),
    }
    labels["line_status"][0, names.tolist().index("Halpha_6565")] = 2
    ew, error = line_widths(labels)
    oii = [names.tolist().index(name) for name in ("OII_3727", "OII_3730")]
    np.testing.assert_allclose(ew[0, 0], sum(oii))
    np.testing.assert_allclose(error[0, :2], [0.3 * np.sqrt(2), 0.3], rtol=1e-6)
    assert np.isnan(ew[0, LINES.index("Halpha_6565")]) and np.isfinite(ew[1]).all() and np.isnan(ew[2]).all()


def test_the_example_of_the_docs_runs_and_its_slope_is_that_of_finite_differences(colour_model):
    """In a process of its own, as DSPS switches JAX to 64 bits; strict types, but for DSPS itself."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/emulator.md").read_text(encoding="utf-8"), re.DOTALL)
    (example,) = [block for block in blocks if "dsps" in block]
    lenient = """
import jax
import dsps.sed.stellar_sed as dsps_sed

own = dsps_sed.calc_rest_sed_sfh_table_lognormal_mdf

def lenient(*args):
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return own(*args)

dsps_sed.calc_rest_sed_sfh_table_lognormal_mdf = lenient
"""
    check = """
import numpy as np
steps = [float(halpha(0.3 + s) - halpha(0.3 - s)) / (2 * s) for s in (0.02, 0.01)]
expected = (4 * steps[1] - steps[0]) / 3
assert abs(float(slope) - expected) < 0.02 * abs(expected) + 1e-4, (slope, steps)
assert abs(expected) > 1e-3, expected
added = np.trapezoid(np.asarray(spectrum - stars), ssp.wave)
levels = np.interp([6564.61], ssp.wave, np.asarray(stars))
assert np.isfinite(np.asarray(spectrum)).all() and added > 0
"""
    text = lenient + example.replace("results/demo/emulator/model", str(colour_model)) + check
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]


def test_units_and_unknown_values_of_tables_to_predict(full_model, tmp_path):
    """Fluxes in other units, redshifts that are masked; what is of another kind is refused."""
    table = rows_of(Bins.equal(), True)
    plain = {"flux_bins": table.flux_bins, "redshift": np.full(N, 0.1)}
    Table(plain).write(tmp_path / "plain.ecsv")
    expected = predict_file(full_model, tmp_path / "plain.ecsv", tmp_path / "out.ecsv")["Halpha_6565_ew"]
    redshift = MaskedColumn(plain["redshift"], mask=np.arange(N) == 2)
    flux = (table.flux_bins * 1e-16).astype("f8") * u.W / u.m**2 / u.um
    Table({"flux_bins": flux, "redshift": redshift}).write(tmp_path / "units.ecsv")
    found = predict_file(full_model, tmp_path / "units.ecsv", tmp_path / "out.ecsv")
    others = np.arange(N) != 2
    np.testing.assert_allclose(found["Halpha_6565_ew"][others], expected[others], rtol=1e-4)
    assert found["flag"][2] == PredictionFlag.BAD_LUMINOSITY and np.isnan(found["Halpha_6565_ew"][2])
    kinds = {"flux_bins": u.Jy, "redshift": u.km / u.s, "log_luminosity": u.L_sun}
    for name, unit in kinds.items():
        columns = plain | ({"log_luminosity": np.full(N, 40.0)} if name == "log_luminosity" else {})
        Table(columns, units={name: unit}).write(tmp_path / f"{name}.ecsv")
        with pytest.raises(CatalogueError, match=rf"the column {name} is in '.*', but .* is needed"):
            predict_file(full_model, tmp_path / f"{name}.ecsv", tmp_path / "no.ecsv")
    log_luminosity = np.array(luminosity_of(table.flux_bins, plain["redshift"].astype("f4")))
    columns = {"flux_bins": table.flux_bins, "log_luminosity": log_luminosity}
    Table(columns, units={"log_luminosity": u.dex(u.erg / u.s / u.AA)}).write(tmp_path / "log.ecsv")
    found = predict_file(full_model, tmp_path / "log.ecsv", tmp_path / "out.ecsv")["Halpha_6565_ew"]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("ending", ["fits", "ecsv", "h5"])
def test_predictions_replace_predictions_only(full_model, tmp_path, ending):
    table = rows_of(Bins.equal(), True)
    source, out = tmp_path / f"in.{ending}", tmp_path / f"out.{ending}"
    Table({"flux_bins": table.flux_bins, "redshift": np.full(N, 0.1)}).write(
        source, **({"path": "lines", "serialize_meta": True} if ending == "h5" else {})
    )

    def predict(target, *options):
        return CliRunner().invoke(app, ["predict-lines", str(full_model), str(source), str(target), *options])

    assert predict(out).exit_code == predict(out).exit_code == 0, "its own product of before"
    before = source.read_bytes()
    assert "is an input of this command" in str(predict(source).exception)
    assert source.read_bytes() == before
    out.write_bytes(before)
    assert "is not a table as written by mangrove predict-lines" in str(predict(out).exception)
    assert out.read_bytes() == before
    assert predict(out, "--force").exit_code == 0
    assert "Halpha_6565_ew" in Table.read(out, **({"path": "lines"} if ending == "h5" else {})).colnames
    assert not list(tmp_path.glob(".*")), "no temporary file is left"


def test_the_table_replaces_tables_only(desi_files):
    folder, _, _ = desi_files

    def make(*names):
        return CliRunner().invoke(app, ["desi-table", *(str(folder / name) for name in names)])

    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert "its name must end in .h5" in str(make("fastspec.fits", "coadd-a.fits", "coadd-b.fits").exception)
    (folder / "linked.h5").symlink_to("coadd-a.fits")
    assert "is an input of this command" in str(make("fastspec.fits", "linked.h5", "coadd-a.fits").exception)
    (folder / "mine.h5").write_bytes(b"mine")
    assert "is not a table as written by mangrove desi-table" in str(
        make("fastspec.fits", "mine.h5", "coadd-a.fits").exception
    )
    assert {path: path.read_bytes() for path in before} == before
    assert (folder / "mine.h5").read_bytes() == b"mine"
    for _ in range(2):
        assert make("fastspec.fits", "table.h5", "coadd-a.fits").exit_code == 0
    changes = (
        lambda f: f["ew"].write_direct(2 * f["ew"][...]),
        lambda f: f.update(notes=[1.0]),
        lambda f: f.create_group("mine"),
    )
    for number, change in enumerate(changes):
        edited = folder / f"edited-{number}.h5"
        edited.write_bytes((folder / "table.h5").read_bytes())
        with h5py.File(edited, "a") as f:
            change(f)
        content = edited.read_bytes()
        assert "was not replaced" in str(make("fastspec.fits", edited.name, "coadd-a.fits").exception)
        assert edited.read_bytes() == content
    with h5py.File(folder / "table.h5", "a") as f:
        f.attrs["params"] = '{"code": "0123"}'
    assert "is not a table as written by mangrove desi-table" in str(
        make("fastspec.fits", "table.h5", "coadd-a.fits").exception
    )
    (folder / "sub.h5").mkdir()
    assert "sub.h5 is a folder" in str(make("fastspec.fits", "sub.h5", "coadd-a.fits").exception)
