"""mangrove.api against the workflow: the same numbers from a spectrum, readers of a run, the blocks of docs/python.md and
docs/derivatives.md."""

import re
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from matplotlib import pyplot as plt
from small_galaxy_map import write_galaxy_map
from small_latents import write_network

from mangrove import artefacts
from mangrove.api import fit_spectrum, label_gradients, open_run
from mangrove.codes import FitStatus, LabelFlag
from mangrove.config import Fit, Preprocessing
from mangrove.data_model import LABEL, PLACE
from mangrove.errors import ArtefactError, ConfigError, SpectrumError, TemplateError
from mangrove.notebook.inputs import observed_spectrum
from mangrove.spectra.fit.settings import FitSettings

ROOT = Path(__file__).resolve().parents[2]
#: A galaxy of the simulated survey with an active nucleus, and one too faint for any baxel.
GALAXY, FAINT = "9001-1902", "9004-1901"
Z, EBV = 0.027979, 0.0838
ROW = {"mangaid": "1-1", "z": Z, "ebv": EBV, "ra": 150.0, "dec": 20.0, "r_e": 4.0, "pa": 30.0, "ba": 0.6}
EXTRACT = ROW | {"spectrum": -1, "engine": "powerbin", "target_snr": 25.0, "min_snr": 2.0, "window_pixels": 10}
EXTRACT |= {"continuum_range": [5600.0, 6750.0], "covariance": "manga"}
FIT = Fit().model_dump() | Preprocessing().model_dump() | {"z": Z, "ebv": EBV, "seed": 7, "ebv_scale": 0.86}
# By the script 'fit', whichever engine is the default.
FIT |= {"engine": "ppxf"}
FLUX = u.Unit("1e-17 erg s-1 cm-2 Angstrom-1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, script, Params):
    """A folder with the run results/demo of two galaxies, made by the scripts of the workflow."""
    folder = tmp_path_factory.mktemp("api")
    spectra = folder / "results/demo/spectra"
    fits = []
    for name in (GALAXY, FAINT):
        made = Params(cube=str(folder / f"{name}.fits.gz"), truth=str(folder / f"{name}.h5"))
        script("simulate").main(Params(), made, Params(plateifu=name, seed=1, release="dr17"))
        paths = Params({kind: str(spectra / kind / f"{name}.h5") for kind in ("extract", "fit")})
        faint = {"min_snr": 1000.0} if name == FAINT else {}
        script("extract").main(made, paths, Params(EXTRACT | {"plateifu": name} | faint))
        script("fit").main(paths, paths, Params(FIT))
        fits.append(paths.fit)
    script("labels").main(Params(fits=fits), Params(labels=str(spectra / "labels.h5")), Params())
    return folder


@pytest.fixture(scope="module")
def run(folder):
    return open_run(folder / "results/demo")


@pytest.fixture(scope="module")
def stored(folder):
    """The artefacts 'fit' of the galaxy and 'labels' of the run."""
    spectra = folder / "results/demo/spectra"
    return artefacts.read(spectra / f"fit/{GALAXY}.h5", "fit"), artefacts.read(spectra / "labels.h5", "labels")


@pytest.fixture(scope="module")
def arguments(run):
    return run.fit_arguments(GALAXY, 0)


@pytest.fixture(scope="module")
def plain(arguments):
    return fit_spectrum(**arguments)


def test_a_spectrum_fitted_alone_gives_what_the_workflow_stored(run, stored):
    fit, labels = stored
    baxels = len(fit["status"])
    assert baxels > 2
    of_baxels = {name for name, field in artefacts.KINDS["fit"].fields.items() if field.dims[0] == "baxel"}
    of_labels = {name for label in LABEL for name in (label, f"{label}_err", f"{label}_flag")} | {
        "bpt_class",
        "line_flag",
    }
    elsewhere = {*PLACE, "snr", "guided_by"}
    for baxel in (0, baxels - 1):
        found = fit_spectrum(**run.fit_arguments(GALAXY, baxel))
        for name in of_baxels - elsewhere:
            np.testing.assert_array_equal(found.stored[name][0], fit[name][baxel], err_msg=name)
        for name in of_labels:
            np.testing.assert_array_equal(found.stored[name][0], labels[name][baxel], err_msg=name)
        assert found.stored["weights"].dtype == fit["weights"].dtype


def test_results_have_names_and_units(plain, stored):
    fit, labels = stored
    assert plain.status == FitStatus(fit["status"][0]).word == "ok" and plain.ok
    assert plain["v_star"].unit == u.km / u.s and plain["v_star"].value == fit["v_star"][0]
    assert plain["r_flux"].unit == FLUX and plain["ebv_star"].unit == u.mag
    line = plain.lines.loc["OIII_5008"]
    i = list(fit["line"]).index("OIII_5008")
    assert line["status"] == "ok" and line["flux"] == fit["line_flux"][0, i] * u.Unit("1e-17 erg s-1 cm-2")
    assert line["ew"] == fit["line_ew"][0, i] * u.Angstrom
    assert set(plain.labels) == set(LABEL)
    age = plain.labels["log_age_lw"]
    assert age.value.physical.to_value(u.Gyr) == pytest.approx(10 ** (labels["log_age_lw"][0] - 9), rel=1e-6)
    assert age.error.unit == u.dex
    for name, label in plain.labels.items():
        assert sum(bit for bit in LabelFlag if bit.word in label.flags) == labels[f"{name}_flag"][0]


def test_without_an_area_there_are_no_surface_densities(arguments):
    found = fit_spectrum(**arguments | {"pixel_scale": None})
    assert set(LABEL) - set(found.labels) == {"log_sfr_density", "log_mass_density"}
    assert "log_ssfr" in found.labels


def test_units_do_not_matter(arguments, plain):
    wave, flux = arguments["wave"] * u.Angstrom, arguments["flux"].astype(float) * FLUX
    jansky = flux.to(u.uJy, u.spectral_density(wave))
    error = (arguments["ivar"].astype(float) ** -0.5 * FLUX).to(u.uJy, u.spectral_density(wave))
    velocity = arguments["lsf"] / arguments["wave"] * 299792.458 * u.km / u.s
    power = arguments["wave"] / (arguments["lsf"] * 2 * np.sqrt(2 * np.log(2)))
    for lsf in (velocity, power * u.dimensionless_unscaled):
        changed = {"wave": wave.to(u.um), "flux": jansky, "ivar": error**-2, "lsf": lsf}
        found = fit_spectrum(**arguments | changed)
        for name in ("v_star", "sigma_star", "v_gas", "sigma_gas"):
            assert abs(found[name] - plain[name]) < 0.01 * plain[f"{name}_err"] + 1e-4 * u.km / u.s
        np.testing.assert_allclose(found.lines["flux"].value, plain.lines["flux"].value, rtol=1e-3, atol=1e-3)


def to_air(vacuum):
    """Air wavelengths by Edlen's formula in the form of Morton (1991), independent of the package's."""
    s2 = (1e4 / vacuum) ** 2
    return vacuum / (1.0 + 6.4328e-5 + 2.94981e-2 / (146.0 - s2) + 2.5540e-4 / (41.0 - s2))


def test_wavelengths_in_air_and_in_equal_steps(arguments, plain):
    """Air is 80 km/s away from vacuum: kinematics must come out as they were, and fluxes too."""
    vacuum = np.arange(3700.0, 7600.0, 0.7)
    arrays = {
        name: np.interp(vacuum, arguments["wave"], arguments[name].astype(float)) for name in ("flux", "ivar", "lsf")
    }
    arrays["template_lsf"] = np.interp(vacuum, arguments["wave"], arguments["template_lsf"])
    # Interpolation averages pixels and their noise: the mask of the original does not carry over.
    arrays["mask"] = np.interp(vacuum, arguments["wave"], arguments["mask"] != 0) > 0
    for changed in ({"wave": to_air(vacuum), "air": True}, {"wave": vacuum}):
        found = fit_spectrum(**arguments | arrays | changed)
        for name in ("v_star", "v_gas"):
            assert abs(found[name] - plain[name]) < 0.7 * plain[f"{name}_err"] + 1.5 * u.km / u.s
        assert found["sigma_star"].value == pytest.approx(
            plain["sigma_star"].value, abs=2 * plain["sigma_star_err"].value
        )
        strong = plain.lines["flux"] > 10 * plain.lines["flux_err"]
        assert strong.sum() > 5
        np.testing.assert_allclose(found.lines["flux"][strong].value, plain.lines["flux"][strong].value, rtol=0.06)


def test_air_wavelengths_of_the_same_pixels_change_nothing(arguments, plain):
    """New pixels lie nearly where the old ones do, so that nothing is smoothed and no line spread may be added."""
    found = fit_spectrum(**arguments | {"wave": to_air(arguments["wave"]), "air": True})
    for name in ("v_star", "sigma_star", "v_gas", "sigma_gas"):
        assert abs(found[name] - plain[name]) < 0.3 * plain[f"{name}_err"]


@pytest.mark.parametrize("step", [0.3, 0.9, 1.2])
def test_line_spread_after_rebinning_is_the_width_that_lines_have(step):
    """Second moments of lines at many phases of the pixels against the line spread that comes with them."""
    wave, sigma = np.arange(5000.0, 5600.0, step), 1.0
    measured, said = [], []
    for centre in np.arange(5250.0, 5350.0, 1.7):
        flux = np.exp(-0.5 * ((wave - centre) / sigma) ** 2)
        found = observed_spectrum(wave, flux, np.ones_like(wave), sigma)
        weight = found.flux * np.gradient(found.wave)
        mean = np.average(found.wave, weights=weight)
        measured.append(np.average((found.wave - mean) ** 2, weights=weight))
        said.append(np.interp(centre, found.wave, found.lsf**2))
    assert np.mean(said) == pytest.approx(np.mean(measured), rel=0.01)


def test_masked_pixels_do_not_count(arguments, plain):
    flux = arguments["flux"].copy()
    spoilt = slice(2000, 2010)
    flux[spoilt] = 1e4
    mask = arguments["mask"].astype(bool)
    mask[spoilt] = True
    by_mask = fit_spectrum(**arguments | {"flux": flux, "mask": mask})
    hidden = np.ma.array(flux, mask=mask)
    by_array = fit_spectrum(**arguments | {"flux": hidden, "mask": None})
    ivar = np.where(mask, np.nan, arguments["ivar"])
    by_ivar = fit_spectrum(**arguments | {"flux": flux, "mask": None, "ivar": ivar})
    assert not by_mask.spectrum["used"][spoilt].any()
    for found in (by_array, by_ivar):
        np.testing.assert_array_equal(found.stored["weights"], by_mask.stored["weights"])
    assert abs(by_mask["v_star"] - plain["v_star"]) < plain["v_star_err"]


def test_a_spectrum_without_data_has_a_status_and_no_numbers(arguments):
    found = fit_spectrum(**arguments | {"ivar": np.zeros_like(arguments["ivar"])})
    assert found.status == "all_masked" and not found.ok
    with pytest.raises(KeyError, match="no value 'velocity'; there are v_star"):
        found["velocity"]
    assert np.isnan(found["v_star"].value) and found.labels["log_age_lw"].flags == ("no_fit", "no_weights")
    assert np.isnan(found.spectrum["model"].value).all()
    figure = found.plot()
    assert "all masked" in figure.axes[0].get_title(loc="left")
    plt.close(figure)


def test_negative_variances_are_no_data_and_give_no_warning(arguments):
    ivar, mask = (np.array(arguments[name]) for name in ("ivar", "mask"))
    ivar[500:520], mask[500:520] = -1.0, 1
    found, masked = fit_spectrum(**arguments | {"ivar": ivar}), fit_spectrum(**arguments | {"mask": mask})
    assert np.isinf(found.spectrum["error"][500:520].value).all()
    assert found["v_star"] == masked["v_star"] and found["chi2_reduced"] == masked["chi2_reduced"]


def test_a_fit_shows_itself_in_one_line(plain):
    text = repr(plain)
    assert text.startswith("<SpectrumFit, status 'ok': v_star = ") and "\n" not in text and len(text) < 200
    assert f"sigma_gas = {plain['sigma_gas'].value:.1f} ± {plain['sigma_gas_err'].value:.1f} km/s" in text


def test_the_model_is_that_of_the_data_as_observed(plain, arguments, run):
    table = plain.spectrum
    used = table["used"]
    np.testing.assert_array_equal(table["flux"].value, arguments["flux"])
    pull = ((table["flux"] - table["model"]) / table["error"])[used].value
    assert np.sum(pull**2) / used.sum() == pytest.approx(plain["chi2_reduced"].value, rel=0.03)
    stored = run.spectrum(GALAXY, 0)
    np.testing.assert_array_equal(stored.used, used)
    np.testing.assert_allclose(stored.model, table["model"].value, rtol=1e-6)
    assert stored.attrs == {"plateifu": GALAXY, "baxel": 0, "z": Z, "status": "ok"}


def test_the_plot_shows_data_model_components_and_residual(plain):
    figure = plain.plot()
    upper, lower = figure.axes
    drawn = {line.get_label(): line.get_ydata() for line in upper.lines}
    assert list(drawn) == ["data", "stars + gas", "stars", "gas"]
    used = plain.spectrum["used"]
    np.testing.assert_array_equal(drawn["data"][used], plain.spectrum["flux"].value[used])
    np.testing.assert_array_equal(drawn["stars + gas"], plain.spectrum["model"].value)
    pull = (plain.spectrum["flux"] - plain.spectrum["model"]) / plain.spectrum["error"]
    np.testing.assert_allclose(lower.lines[0].get_ydata()[used], pull[used].value)
    plt.close(figure)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"flux": np.zeros(5)}, SpectrumError, r"flux has shape \(5,\), but wave"),
        ({"wave": np.ones((2, 2))}, SpectrumError, "wave has shape"),
        ({"wave": np.linspace(9000.0, 4000.0, 4563)}, SpectrumError, "increasing"),
        ({"flux": np.ones(4563) * u.Jy}, SpectrumError, "both have units"),
        ({"flux": np.ones(4563) * u.m, "ivar": np.ones(4563) / u.m**2}, SpectrumError, "flux is in m"),
        ({"lsf": 0.0}, SpectrumError, "0 everywhere"),
        ({"lsf": -1.0}, SpectrumError, "negative"),
        ({"lsf": 1.0 * u.kg}, SpectrumError, "lsf is in kg"),
        ({"lsf": np.ones(7)}, SpectrumError, r"lsf has shape \(7,\)"),
        ({"lsf": 1900.0}, SpectrumError, "resolving power is a dimensionless Quantity"),
        ({"lsf": 70.0}, SpectrumError, r"as in 70 \* u.km / u.s"),
        ({"lsf": "wide"}, SpectrumError, "lsf must be numbers"),
        ({"wave": np.geomspace(360.0, 1030.0, 4563)}, SpectrumError, r"360 to 1030 Angstrom.*wave \* u.nm"),
        ({"wave": np.linspace(3.55, 4.01, 4563)}, SpectrumError, "not logarithms"),
        ({"wave": ["a"] * 4563}, SpectrumError, "wave must be numbers"),
        ({"flux": ["a"] * 4563}, SpectrumError, "flux must be numbers"),
        ({"wave": np.geomspace(9000.0, 9500.0, 4563)}, SpectrumError, "none of it within rest_range 3650-7400"),
        ({"rest_range": [5050.0, 5800.0]}, SpectrumError, "no emission line lies in the rest frame range 505"),
        ({"z": None}, SpectrumError, "z is None; it must be a plain number"),
        ({"z": 8400 * u.km / u.s}, SpectrumError, "z is 8400.0 km / s"),
        ({"ebv": "low"}, SpectrumError, "ebv is low"),
        ({"pixel_scale": -0.5}, SpectrumError, "pixel_scale is -0.5"),
        ({"pixel_scale": 0.0}, SpectrumError, "pixel_scale is 0; it must be positive"),
        ({"z": np.nan}, SpectrumError, "z is nan"),
        ({"z": 0.0}, SpectrumError, "z is 0; it must be positive"),
        ({"z": -0.001}, SpectrumError, "z is -0.001; it must be positive"),
        ({"ebv": -1.0}, SpectrumError, "ebv is -1"),
        ({"polynomial_degre": 3}, ConfigError, "did you mean 'polynomial_degree'"),
        ({"n_draw": 1}, ConfigError, "fit.n_draw"),
        ({"templates": "nowhere.npz"}, TemplateError, "nowhere.npz"),
        ({"velocity_bound": 3000.0}, TemplateError, "shifted by 3900 km/s .* lower fit.velocity_bound"),
    ],
)
def test_mistakes_are_named(arguments, changed, error, message):
    with pytest.raises(error, match=message):
        fit_spectrum(**arguments | changed)


def test_templates_reach_as_far_as_the_largest_velocity(arguments):
    """pPXF refuses a spectrum whose templates do not."""
    found = fit_spectrum(**arguments | {"engine": "ppxf", "velocity_bound": 3000.0, "rest_range": [3720.0, 7400.0]})
    assert found.ok


def test_options_have_the_defaults_of_the_workflow():
    config = Fit().model_dump() | Preprocessing().model_dump()
    for name, value in FitSettings()._asdict().items():
        assert list(np.atleast_1d(config[name])) == list(np.atleast_1d(value)), name


def test_labels_and_lines_of_a_run(run, stored):
    _, table = stored
    labels = run.labels()
    assert run.galaxies == [GALAXY, FAINT]
    assert len(labels) == len(table["baxel"]) and set(labels["plateifu"]) == {GALAXY} and not len(run.labels(FAINT))
    assert labels["v_star"].unit == u.km / u.s and labels["log_age_mw"].unit == u.dex(u.yr)
    assert labels["log_age_mw_err"].unit == u.dex
    np.testing.assert_array_equal(labels["log_age_mw"], table["log_age_mw"])
    lines = run.lines(GALAXY)
    i = list(table["line"]).index("OIII_5008")
    np.testing.assert_array_equal(lines.line_flux.sel(line="OIII_5008"), table["line_flux"][:, i])
    assert list(lines.plateifu.values) == [GALAXY] * len(table["baxel"])


def test_maps_of_a_run(run, stored, folder):
    fit, table = stored
    bins = artefacts.read(folder / f"results/demo/spectra/extract/{GALAXY}.h5", "extract", ["bin_id"])["bin_id"]
    age = run.map(GALAXY, "log_age_mw")
    assert age.dims == ("spaxel_y", "spaxel_x") and age.attrs["units"] == "dex(yr)"
    np.testing.assert_array_equal(np.isnan(age), bins < 0)
    for row, column in zip(*np.nonzero(bins >= 0), strict=True):
        assert age[row, column] == table["log_age_mw"][bins[row, column]]
    flux = run.map(GALAXY, "line_flux", line="OIII_5008")
    assert float(flux.max()) == fit["line_flux"][:, list(fit["line"]).index("OIII_5008")].max()
    assert np.isnan(run.map(FAINT, "log_age_mw")).all()
    centre = run.wcs(GALAXY).pixel_to_world_values(bins.shape[1] / 2, bins.shape[0] / 2)
    assert np.abs(np.array(centre) - [150.0, 20.0]).max() < 360.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run: run.map("1-1", "log_age_mw"), "no galaxy '1-1'.*9001-1902"),
        (lambda run: run.map(GALAXY, "age"), "no map of 'age'.*log_age_lw"),
        (lambda run: run.map(GALAXY, "line_flux", line="Ha"), "no line 'Ha'.*OIII_5008"),
        (
            lambda run: run.map(GALAXY, "line_flux"),
            "'line_flux' belongs to an emission line; name the line, as in line=",
        ),
        (lambda run: run.spectrum(GALAXY, 999), "no baxel 999"),
        (lambda run: run.spectrum(FAINT, 0), "has 0 baxels"),
        (lambda run: open_run(run.folder / "none"), "the folder .*none does not exist; give the folder of a run"),
        (lambda run: open_run(run.folder / "spectra"), "labels.h5 does not exist"),
    ],
)
def test_what_a_run_does_not_have_is_named(run, call, message):
    with pytest.raises(ArtefactError, match=message):
        call(run)


def test_a_run_shows_itself_in_one_line(run, stored):
    assert repr(run) == f"<Run {run.folder}: 2 galaxies, {len(stored[1]['snr'])} baxels>"


def run_page(page: str, least: int) -> dict:
    """Run the blocks of a page from first to last; the names that they set."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S)
    assert len(blocks) >= least
    names = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
    return names


def test_the_blocks_of_the_page_run(folder, monkeypatch, capsys):
    """docs/python.md, from first to last block, in the folder that holds the run."""
    write_galaxy_map(folder / "results/demo", [GALAXY, FAINT], [0, -1], np.ones((2, 12), int))
    names = {"plateifu": np.array([GALAXY, FAINT]), "mangaid": np.array(["1-1", "1-2"])}
    place = np.arange(6.0).reshape(2, 3)
    write_network(folder / "results/demo", place, place, z=[Z, Z], split=np.zeros(2), active=(0, 1), **names)
    monkeypatch.chdir(folder)
    names = run_page("docs/python.md", 8)
    printed = capsys.readouterr().out
    assert "ok" in printed and "km / s" in printed
    assert names["same"].stored["v_star"][0] == names["run"].labels()["v_star"][0]
    assert names["stiff"]["sigma_star"] != names["same"]["sigma_star"]
    assert abs(names["again"]["v_gas"] - names["fit"]["v_gas"]) < 10 * u.km / u.s
    assert (folder / "fit.png").stat().st_size > 10_000
    plt.close("all")


def test_the_blocks_about_derivatives_run(folder, monkeypatch, capsys):
    """docs/derivatives.md: its sums over pixels are the errors, and near to those of the draws."""
    monkeypatch.chdir(folder)
    names = run_page("docs/derivatives.md", 4)
    assert "dex" in capsys.readouterr().out
    age, fit = names["age"], names["fit"]
    assert names["noise_error"].to_value(u.dex) == pytest.approx(age.noise_error.to_value(u.dex), rel=1e-6)
    assert 0.5 < age.noise_error / fit.labels["log_age_lw"].error < 2.5


@pytest.fixture(scope="module")
def gradients(plain):
    return label_gradients(plain)


def test_errors_from_gradients_are_those_of_the_fit(plain, gradients):
    scale = np.sqrt(plain["chi2_reduced"]) * plain["noise_scale"]

    def error(name):
        return np.hypot(scale * gradients[name].noise_error, gradients[name].calibration_error)

    for name in ("v_star", "sigma_star", "v_gas", "sigma_gas"):
        assert (error(name) / plain[f"{name}_err"]).to_value("") == pytest.approx(1.0, abs=0.25), name
    for name in ("Halpha_6565", "OIII_5008", "Hbeta_4863"):
        assert (error(name) / plain.lines.loc[name]["flux_err"]).to_value("") == pytest.approx(1.0, abs=0.05), name
    for name in ("log_age_lw", "metallicity_lw", "log_ml_r", "ebv_star", "log_mass_density"):
        assert 0.5 < (error(name) / plain.labels[name].error).to_value("") < 2.5, name


def test_labels_of_several_lines_have_the_errors_of_their_lines(plain, gradients):
    """Kept apart by their stated errors, the lines are nearly independent of each other."""
    scale = np.sqrt(plain["chi2_reduced"]) * plain["noise_scale"]
    for name in ("ebv_gas", "log_sfr_density", "d_bpt"):
        error = np.hypot(scale * gradients[name].noise_error, gradients[name].calibration_error)
        assert (error / plain.labels[name].error).to_value("") == pytest.approx(1.0, abs=0.1), name
    of_ssfr = gradients["log_sfr_density"].by_flux - gradients["log_mass_density"].by_flux
    np.testing.assert_allclose(gradients["log_ssfr"].by_flux.value, of_ssfr.value, rtol=1e-6, atol=1e-9)


def test_gradients_are_by_the_observed_flux(plain, gradients):
    used, error = plain.spectrum["used"], plain.spectrum["error"]
    for name, unit in (("v_star", u.km / u.s), ("metallicity_lw", u.dex), ("OIII_5008", FLUX * u.Angstrom)):
        by_flux = gradients[name].by_flux
        assert by_flux.shape == used.shape and not np.any(by_flux[~used].value)
        noise = np.sqrt(np.sum((by_flux * error)[used] ** 2))
        assert noise.to_value(unit) == pytest.approx(gradients[name].noise_error.to_value(unit), rel=1e-6)
    # The sum over pixels of flux times derivative is what a spectrum twice as bright changes.
    flux = plain.spectrum["flux"]
    line, velocity = (np.sum(gradients[name].by_flux * flux) for name in ("OIII_5008", "v_star"))
    assert line.to_value(FLUX * u.Angstrom) == pytest.approx(plain.lines.loc["OIII_5008"]["flux"].value, rel=0.01)
    assert abs(velocity) < 0.05 * plain["v_star_err"]


def test_without_a_fit_there_are_no_gradients(arguments):
    found = fit_spectrum(**arguments | {"ivar": np.zeros_like(arguments["ivar"])})
    with pytest.raises(SpectrumError, match=r"without a fit \(.*all_masked.*\) has no gradients"):
        label_gradients(found)
