"""The nebula of Abell 478 through the scripts of the workflow, with the settings of configs/real-muse.yaml."""

from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
from engines import ENGINES, fitted, fitted_on_disk

from mangrove import artefacts, config_files
from mangrove.physics.lines import fit_lines
from mangrove.physics.wavelengths import velocity_to_redshift
from mangrove.spectra.binning.coadd import coadd
from mangrove.spectra.fit.galaxy import prepare_galaxy
from mangrove.spectra.fit.settings import FitSettings
from mangrove.survey.readers.reading import read_cube
from mangrove.survey.sample import read_sheet

from .conftest import ROOT

LINES = fit_lines()
Z = 0.0858

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("muse")]


@pytest.fixture(scope="session")
def run(monkeypatch_session):
    monkeypatch_session.chdir(ROOT)
    return config_files.load(["config.yaml", "configs/real-muse.yaml"])


@pytest.fixture(scope="session")
def monkeypatch_session():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="session")
def galaxy(run):
    return read_sheet(run)["abell478"]


@pytest.fixture(scope="session")
def cube(real_data):
    return read_cube(real_data / "muse" / "abell478_minicube.fits")


@pytest.fixture(scope="session")
def folder(real_data, run, galaxy, script, tmp_path_factory):
    """The artefacts of the run, made by the scripts."""
    out = tmp_path_factory.mktemp("muse")
    source = SimpleNamespace(cube=str(real_data / "muse" / "abell478_minicube.fits"))
    made = {name: str(out / f"{name}.h5") for name in ("extract", "line_cube", "training_spectra")}
    where = SimpleNamespace(**made)
    script("extract").main(source, where, asdict(galaxy) | run.extract.model_dump())
    script("line_cube").main(where, where, run.line_cube.model_dump())
    settings = run.training_spectra.model_dump() | run.preprocessing.model_dump() | run.split.model_dump()
    settings |= {"seed": run.split_seed}
    script("training_spectra").main(SimpleNamespace(extracts=[where.extract]), where, settings)
    return out


@pytest.fixture(scope="session", params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture(scope="session")
def fit(engine, run, galaxy, folder, script, tmp_path_factory):
    """The artefact 'fit' by an engine."""
    path = str(tmp_path_factory.mktemp("muse-fit") / "fit.h5")
    params = (
        {"z": galaxy.z, "ebv": galaxy.ebv, "seed": run.seed} | run.fit.model_dump() | run.preprocessing.model_dump()
    )
    fitted_on_disk(script, engine, [str(folder / "extract.h5")], [path], {"fit": params})
    return artefacts.read(path, "fit")


def test_the_reader_knows_the_file(cube):
    assert cube.instrument == "MUSE"
    assert cube.pixel_scale == pytest.approx(0.2, abs=1e-3)
    assert (cube.wave[0], cube.wave[-1]) == (pytest.approx(4751, abs=1), pytest.approx(9352, abs=2))


def test_8_to_14_bins_at_a_signal_to_noise_of_25(folder):
    extract = artefacts.read(folder / "extract.h5", "extract", ["snr", "n_spaxel"])
    assert 8 <= extract["snr"].size <= 14
    assert np.median(extract["snr"]) == pytest.approx(25, rel=0.15)


def test_redshift_from_the_gas(fit):
    assert np.all(fit["status"] == 0)
    z = velocity_to_redshift(np.average(fit["v_gas"], weights=fit["v_gas_err"] ** -2.0), Z)
    assert z == pytest.approx(0.0858, abs=0.001)
    assert np.all(np.abs(fit["v_gas"]) < 150)


def test_halpha_and_nii_of_the_summed_spectrum(engine, cube, run, galaxy):
    whole = coadd(cube, np.zeros(cube.foreground.shape, int), "none")
    extract = artefacts.Artefact("extract", {"wave": cube.wave, **whole._asdict()}, {"plateifu": ""}, "")
    settings = FitSettings(rest_range=tuple(run.fit.rest_range), rescale_noise=True)
    prepared, spectra = prepare_galaxy(extract, galaxy.z, 0.0, "mastar", settings)
    (result,) = fitted(engine, prepared, spectra)
    for name in ("Halpha_6565", "NII_6585"):
        i = LINES.index(name)
        assert result.line_flux[i] / result.line_flux_err[i] > 100
    # The formal variance misses covariance and sky residuals; the artefact records by how much it was scaled.
    assert result.noise_scale > 2


def test_the_artefact_says_that_errors_were_rescaled(fit):
    assert fit.attrs["rescale_noise"]
    assert np.all(fit["noise_scale"] > 1)


def test_11_of_the_19_lines_are_inside_and_the_others_masked(folder):
    cube = artefacts.read(folder / "line_cube.h5", "line_cube")
    assert cube["flux"].shape == (19, 10, 32, 32)
    valid = cube["valid"].any(axis=(1, 2, 3))
    assert valid.sum() == 11
    assert not cube["flux"][~valid].any()
    # H-alpha and [NII] 6585 outshine everything at their own channels.
    brightness = cube["flux"].reshape(19, 10, -1).sum(axis=2).max(axis=1)
    assert set(cube["line"][np.argsort(brightness)[-2:]]) == {"NII_6585", "Halpha_6565"}


def test_training_spectra_take_their_own_range(folder, run):
    spectra = artefacts.read(folder / "training_spectra.h5", "training_spectra")
    assert spectra["flux"].shape[1] == run.training_spectra.n_wave
    assert spectra["flux"].shape[0] >= 6
    band = (spectra["wave"] >= 5450) & (spectra["wave"] <= 5550)
    np.testing.assert_allclose(spectra["flux"][:, band].mean(axis=1), 1.0, rtol=1e-5)
