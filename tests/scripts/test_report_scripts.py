"""The scripts of the report on small galaxies: one of three baxels, one without, one single spectrum."""

import base64
import csv
import json
import re
import struct
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from attributes import attributes_of
from small_line_cubes import empty_cubes

from mangrove import artefacts
from mangrove.codes import BptClass, LabelFlag
from mangrove.config_files import validate
from mangrove.data_model import LABEL, PLACE
from mangrove.physics.lines import fit_lines, window_lines
from mangrove.report import first_page as first_page_module
from mangrove.report import galaxy as galaxy_figures
from mangrove.report import galaxy_spectra, label_maps, overview, planes, quality, single, summary, training
from mangrove.report import survey as survey_tables
from mangrove.report.galaxy_panels import view
from mangrove.report.label_style import STYLE, shown_limits
from mangrove.report.label_truth import label_figure
from mangrove.report.shown_spectra import spread
from mangrove.report.wording import signed, with_error
from mangrove.spectra.fit.model import model_spectrum
from mangrove.spectra.fit.ppxf.one_spectrum import fit_spectrum
from mangrove.spectra.fit.stored_model import fitted_spectra, stored_model
from mangrove.spectra.fit.templates import broaden
from mangrove.spectra.labels.shown import shown_values
from mangrove.spectra.labels.table import galaxy_labels
from mangrove.ssp.loading import load_library
from mangrove.validation.comparison import TruthComparison
from mangrove.validation.label_recovery import BPT, Checked

Z = 0.03
WAVE = np.exp(np.arange(np.log(4700.0), np.log(5700.0), 2.302585e-4))
WCS_HEADER = (
    "WCSAXES =                    2",
    "CRPIX1  =                  2.0",
    "CRPIX2  =                  2.0",
    "CDELT1  =  -0.0001388888888889",
    "CDELT2  =   0.0001388888888889",
    "CUNIT1  = 'deg'",
    "CUNIT2  = 'deg'",
    "CTYPE1  = 'RA---TAN'",
    "CTYPE2  = 'DEC--TAN'",
    "CRVAL1  =                150.0",
    "CRVAL2  =                  2.0",
)
FIT_PARAMS = {
    "z": Z,
    "ebv": 0.05,
    "ebv_scale": 1.0,
    "templates": "mastar",
    "rest_range": [4750.0, 5300.0],
    "polynomial_degree": 1,
    "sky_half_width": 8.0,
    "rescale_noise": False,
    "velocity_bound": 1000.0,
    "min_good_fraction": 0.5,
    "attenuation": "calzetti",
    "calibration_error": 0.03,
    "regularisation": 0.0,
    "clip_sigma": 5.0,
    "n_draw": 4,
    "age_limit": True,
    "stellar_kinematics": "free",
    "bright_snr": 20.0,
    "kinematics_range": 100.0,
    "gas_components": 1,
    "broad_lines": False,
    "engine": "ppxf",
    "seed": 1,
}
NAMES = ("regular", "faint", "single")


def baxel_flux(rng, snr):
    """An old population with Hbeta and [OIII], shape (n_wave,), and its inverse variance."""
    library = load_library("mastar")
    step = np.log(library.wave[1] / library.wave[0])
    stars = broaden(library.flux[3, 6][:, None], step, 30.0, 120.0)[:, 0]
    flux = np.interp(WAVE / (1 + Z), library.wave, stars)
    flux /= np.median(flux)
    for name, strength in (("Hbeta_4863", 1.0), ("OIII_5008", 2.0), ("OIII_4960", 0.67)):
        centre = fit_lines().wave[fit_lines().index(name)] * (1 + Z)
        flux += strength * np.exp(-0.5 * ((WAVE - centre) / 1.8) ** 2)
    error = 1.0 / snr
    return flux + error * rng.standard_normal(WAVE.size), np.full(WAVE.size, error**-2.0)


def write_extract(path, bin_id, snr, wcs=True, status="ok", reason=""):
    """An artefact 'extract' of bins with an S/N each."""
    rng = np.random.default_rng(7)
    bin_id, n, shape = np.asarray(bin_id), len(snr), np.shape(bin_id)
    spectra = [baxel_flux(rng, s) for s in snr]
    flux, ivar = (np.array([s[k] for s in spectra]).reshape(n, WAVE.size) for k in (0, 1))
    per_baxel = dict.fromkeys(PLACE, np.ones(n))
    n_window = len(window_lines().name)
    data = {
        "wave": WAVE,
        "bin_id": bin_id,
        "spaxel_status": np.where(bin_id >= 0, 0, 4),
        "signal": np.linspace(1.0, 2.0, bin_id.size).reshape(shape),
        "noise": np.full(shape, 0.1),
        "image": np.zeros((0, *shape)),
        "band": np.array([], dtype=str),
        "flux": flux,
        "ivar": ivar,
        "mask": np.zeros((n, WAVE.size)),
        "lsf": np.full((n, WAVE.size), 1.15),
        **per_baxel,
        "snr": np.array(snr),
        "covariance_factor": np.ones(n),
        "line": np.array(window_lines().name),
        "window_wave": np.zeros((n_window, 1)),
        "window_flux": np.zeros((n_window, 1, *shape)),
        "window_ivar": np.zeros((n_window, 1, *shape)),
    }
    attrs = {"status": status, "reason": reason, "plateifu": path.stem, "mangaid": f"1-{path.stem}", "z": Z}
    attrs |= {"ebv_galactic": 0.05, "instrument": "MaNGA", "pixel_scale": 0.5, "psf_fwhm": 0.6 if wcs else np.nan}
    attrs |= {"r_e": 0.5, "pa": 30.0, "ba": 0.5} if wcs else dict.fromkeys(("r_e", "pa", "ba"), -9999.0)
    attrs |= {"wcs": "".join(card.ljust(80) for card in WCS_HEADER) if wcs else "", "x_centre": 1.0, "y_centre": 1.0}
    prov = artefacts.Provenance({"target_snr": 20.0})
    artefacts.write(path, "extract", data, prov, attributes_of("extract", **attrs))


def write_truth(path, shape):
    """An artefact 'truth' near what the spectra hold."""
    ones = np.ones(shape)
    fields = artefacts.declared_names("truth")
    data = dict.fromkeys(fields, ones) | {"v_star": 30.0 * ones, "sigma_star": 120.0 * ones}
    data |= {"v_gas": 0.0 * ones, "sigma_gas": 50.0 * ones, "line": np.array(fit_lines().name)}
    data |= {name: np.full((len(fit_lines().name), *shape), 5.0) for name in ("line_flux", "line_ew")}
    artefacts.write(path, "truth", data, artefacts.Provenance(), attributes_of("truth"))


def write_merged(folder, names):
    """The artefacts 'training_spectra' and 'line_cube_set' of the galaxies."""
    n_wave, n = 64, 6
    spectra = {
        "wave": np.linspace(3650.0, 8950.0, n_wave),
        "flux": 1.0 + 0.1 * np.random.default_rng(1).standard_normal((n, n_wave)),
        "mask": np.zeros((n, n_wave)),
        "lsf": np.ones(n_wave),
        **{name: np.ones(n) for name in ("norm", "snr", "galaxy", "baxel", "radius_re")},
        "cut": np.array([0, 0, 0, 0, 0, 2]),
        "split": np.array([0, 0, 0, 1, 2, 2]),
        "plateifu": np.array(names),
        "mangaid": np.array(names),
        "candidate_galaxy": np.zeros(n + 1),
        "candidate_baxel": np.zeros(n + 1),
        "candidate_cut": np.array([0] * (n - 1) + [2, 2]),
    }
    ok = {"status": "ok", "reason": ""}
    about = attributes_of("training_spectra", norm_band=(4050.0, 4150.0))
    artefacts.write(folder / "training_spectra.h5", "training_spectra", spectra, artefacts.Provenance(), about)
    cubes = empty_cubes(names[:-1])
    artefacts.write(folder / "line_cube_set.h5", "line_cube_set", cubes, artefacts.Provenance(), ok)


@pytest.fixture(scope="module")
def survey(tmp_path_factory, script, Params):
    """Folder of three galaxies: 'regular', 'faint' (no baxels), 'single' (one spectrum, no celestial frame)."""
    folder = tmp_path_factory.mktemp("survey")
    for sub in ("extract", "fit", "truth"):
        (folder / sub).mkdir()
    write_extract(folder / "extract/regular.h5", [[0, 0, -1], [1, 1, 2], [-1, 1, 2]], [30.0, 22.0, 12.0])
    reason = "no spaxel reaches a signal to noise of 2"
    write_extract(folder / "extract/faint.h5", np.full((3, 3), -1), [], status="too_faint", reason=reason)
    write_extract(folder / "extract/single.h5", [[0]], [25.0], wcs=False)
    fit = script("fit")
    for name, shape in (("regular", (3, 3)), ("faint", (3, 3)), ("single", (1, 1))):
        paths = {kind: str(folder / kind / f"{name}.h5") for kind in ("extract", "fit")}
        fit.main(Params(extract=paths["extract"]), Params(fit=paths["fit"]), Params(FIT_PARAMS))
        write_truth(folder / f"truth/{name}.h5", shape)
    write_merged(folder, ["regular", "single", "faint"])
    fits = [str(folder / f"fit/{name}.h5") for name in NAMES]
    script("labels").main(Params(fits=fits), Params(labels=str(folder / "labels.h5")), Params())
    return folder


@pytest.fixture
def paths(survey, Params):
    """Inputs of the scripts that see all galaxies."""
    per_kind = {f"{kind}s": [str(survey / kind / f"{n}.h5") for n in NAMES] for kind in ("extract", "fit", "truth")}
    merged = {name: str(survey / f"{name}.h5") for name in ("labels", "training_spectra", "line_cube_set")}
    return Params(per_kind | merged)


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def png_size(path):
    return struct.unpack(">II", path.read_bytes()[16:24])


def labels_of(survey, name):
    """The columns of a galaxy's labels."""
    return galaxy_labels(survey / f"fit/{name}.h5").columns


def galaxy_of(survey, name):
    """A galaxy's extract, fit and labels."""
    extract, fit = (artefacts.read(survey / f"{kind}/{name}.h5", kind) for kind in ("extract", "fit"))
    return extract, fit, labels_of(survey, name)


def table_of(survey):
    """The table of all baxels."""
    return artefacts.read(survey / "labels.h5", "labels", survey_tables.DATASETS)


def titled_left(figure, start):
    """The axes of a figure whose title on the left begins so."""
    (found,) = [axes for axes in figure.axes if axes.get_title(loc="left").startswith(start)]
    return found


def titled(figure, start):
    """The axes of a figure whose title begins so."""
    (found,) = [axes for axes in figure.axes if axes.get_title().startswith(start)]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_galaxy_figures(name, survey, script, Params, tmp_path):
    keys = ("summary", "maps", "lines", "spectra", "labels", "profiles")
    outputs = Params({key: str(tmp_path / f"{key}.png") for key in keys})
    inputs = Params(extract=str(survey / f"extract/{name}.h5"), fit=str(survey / f"fit/{name}.h5"))
    script("galaxy_figures").main(inputs, outputs, Params(), str(tmp_path / "log"))
    assert all(min(png_size(tmp_path / f"{key}.png")) > 300 for key in outputs)


def test_galaxy_without_baxels_tells_the_reason(survey):
    extract = artefacts.read(survey / "extract/faint.h5", "extract")
    fit = artefacts.read(survey / "fit/faint.h5", "fit")
    labels = labels_of(survey, "faint")
    for figure in (
        summary.summary_figure(extract, fit, labels),
        galaxy_figures.maps_figure(extract, fit, labels),
        galaxy_figures.lines_figure(extract, fit, labels),
        galaxy_spectra.spectra_figure(extract, fit),
        label_maps.label_maps_figure(extract, fit, labels),
        label_maps.label_profiles_figure(extract, labels),
    ):
        texts = [text.get_text() for axes in figure.axes for text in axes.texts]
        assert any("too faint" in text and "no spaxel reaches" in text for text in texts)


def test_label_maps_show_the_labels_on_their_spaxels(survey):
    extract, fit, labels = galaxy_of(survey, "regular")
    labels["log_age_lw_flag"][1] |= LabelFlag.POOR_FIT
    labels["ebv_gas"][:], labels["ebv_gas_flag"][:] = np.nan, LabelFlag.LINE_MISSING
    figure = label_maps.label_maps_figure(extract, fit, labels)
    drawn = titled(figure, "light-weighted age").images[0].get_array().filled(np.nan)
    values = labels["log_age_lw"]
    wanted = [[values[0], values[0], np.nan], [np.nan, np.nan, values[2]], [np.nan, np.nan, values[2]]]
    np.testing.assert_allclose(drawn, wanted)
    without = titled(figure, "reddening of the gas")
    assert [text.get_text() for text in without.texts] == ["no value", "0.2 kpc"]
    assert without.images[0].colorbar is None
    assert titled(figure, "light-weighted age").images[0].colorbar is not None
    images = [image for axes in figure.axes for image in axes.images]
    bars = {image.colorbar.ax.get_ylabel() for image in images if image.colorbar}
    assert {"log age [yr]", "[M/H] (dex)", "E(B$-$V) (mag)"} <= bars


def test_profiles_show_values_and_errors_at_their_radii(survey):
    extract, _, labels = galaxy_of(survey, "regular")
    labels["radius_re"] = np.array([0.5, 1.0, 1.5])
    figure = label_maps.label_profiles_figure(extract, labels)
    axes = titled(figure, "light-weighted age, 3 of 3 baxels")
    points, _, (bars,) = axes.containers[0].lines
    np.testing.assert_allclose(points.get_xydata(), np.stack([labels["radius_re"], labels["log_age_lw"]], axis=1))
    lengths = [np.ptp(segment[:, 1]) for segment in bars.get_segments()]
    np.testing.assert_allclose(lengths, 2 * labels["log_age_lw_err"], rtol=1e-3)
    assert axes.get_ylabel() == "log age [yr]"
    assert figure.axes[-1].get_xlabel() == r"radius ($R_\mathrm{e}$)"
    labels["radius_re"][:] = np.nan
    assert label_maps.label_profiles_figure(extract, labels).axes[-1].get_xlabel() == "radius (arcsec)"


def test_a_profile_has_a_trend_from_the_first_baxel_to_the_last(survey):
    extract, _, labels = galaxy_of(survey, "regular")
    many = {name: np.repeat(values, 4) for name, values in labels.items() if np.ndim(values) == 1}
    many["radius_re"] = np.linspace(0.1, 1.7, 12)
    axes = titled(label_maps.label_profiles_figure(extract, many), "light-weighted age, 12 of 12 baxels")
    trend = axes.lines[-1].get_xdata()
    assert (trend[0], trend[-1]) == (0.1, 1.7)


def test_summary_is_the_galaxy_on_one_page(survey):
    extract, fit, labels = galaxy_of(survey, "regular")
    figure = summary.summary_figure(extract, fit, labels)
    titles = [axes.get_title() for axes in figure.axes[:12]]
    assert titles == [
        *("continuum", "S/N of 3 baxels", "stellar velocity $V_*$", r"stellar dispersion $\sigma_*$"),
        *(r"gas velocity $V_\mathrm{gas}$", r"gas dispersion $\sigma_\mathrm{gas}$", r"H$\alpha$ flux"),
        *(r"EW(H$\alpha$), rest frame", "BPT class", "BPT: 0 of 3 baxels, S/N > 2"),
        *("light-weighted age", "light-weighted metallicity"),
    ]
    words = " ".join(text.get_text() for text in figure.texts)
    assert "regular    MaNGA-ID 1-regular    z = 0.0300" in words and "3 baxels of 7 spaxels" in words
    assert r"$R_\mathrm{e}$ = 0.5 arcsec = 0.3 kpc" in words and "disc: FWHM of the PSF" in words
    spectrum = titled_left(figure, "baxel 0    S/N 30.0")
    data, total = (line.get_ydata() for line in spectrum.lines[:2])
    kept = np.isfinite(data)
    assert np.median(np.abs(data - total)[kept]) < 0.1 * np.median(total)
    assert [text.get_text() for text in spectrum.get_legend().get_texts()] == ["data", "stars + gas", "stars", "gas"]


def test_every_map_says_what_its_colours_are(survey):
    extract, fit, labels = galaxy_of(survey, "regular")
    for draw in (galaxy_figures.maps_figure, galaxy_figures.lines_figure, summary.summary_figure):
        for axes in draw(extract, fit, labels).axes:
            bars = [image.colorbar for image in axes.images if image.colorbar]
            assert all(bar.ax.get_ylabel() for bar in bars), axes.get_title()


def test_maps_show_the_psf_the_effective_radius_and_a_length(survey):
    extract, fit, labels = galaxy_of(survey, "regular")
    axes = titled(galaxy_figures.maps_figure(extract, fit, labels), "stellar velocity")
    discs = [patch for patch in axes.patches if hasattr(patch, "get_radius")]
    assert [disc.get_radius() for disc in discs] == [0.3]
    ellipse = axes.patches[0].get_xy()
    radius = np.hypot(*ellipse.T)
    assert (radius.max(), radius.min()) == (pytest.approx(0.5), pytest.approx(0.25, rel=1e-2))
    assert [text.get_text() for text in axes.texts] == ["0.2 kpc"]
    # A bar of 0.2 kpc at z = 0.03: 0.6007 kpc to the arcsec (H0 = 70, Omega_m = 0.3, flat).
    assert np.ptp(axes.lines[0].get_xdata()) == pytest.approx(0.2 / 0.6007, rel=1e-3)


def test_a_single_spectrum_has_tables_in_the_place_of_maps(survey):
    extract, fit, labels = galaxy_of(survey, "single")
    v_star = with_error(fit["v_star"][0], fit["v_star_err"][0])
    for figure in (galaxy_figures.maps_figure(extract, fit, labels), summary.summary_figure(extract, fit, labels)):
        table = figure.axes[0].tables[0]
        assert (table[1, 0].get_text().get_text(), table[1, 1].get_text().get_text()) == (
            "stellar velocity $V_*$",
            v_star,
        )
        assert not [axes for axes in figure.axes if axes.images]
    lines = {row[0]: row[1:] for row in single.line_rows(fit)}
    hbeta = fit_lines().index("Hbeta_4863")
    assert lines[r"H$\beta$"][0] == with_error(fit["line_flux"][0, hbeta], fit["line_flux_err"][0, hbeta])
    assert r"H$\alpha$" not in lines
    values = {title: value for title, value, _ in single.label_rows(labels)}
    assert set(values) == {style.title for style in STYLE.values()}
    assert values["reddening of the gas"] == "\N{EN DASH}" != values["light-weighted age"]
    (axes,) = label_maps.label_profiles_figure(extract, labels).axes
    assert "no radial profile" in axes.texts[0].get_text()
    assert "a single spectrum" in summary.description(extract)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (-5.83, 2.61, "\N{MINUS SIGN}5.8 ± 2.6"),
        (0.10493, 0.0077, "0.1049 ± 0.0077"),
        (1234.4, 56.0, "1234 ± 56"),
        (3.0, np.nan, "3"),
        (np.nan, 1.0, "\N{EN DASH}"),
    ],
)
def test_values_stand_with_two_digits_of_their_error(value, error, text):
    assert with_error(value, error) == text


def test_published_limits_and_huge_errors_leave_values_out():
    rows = {
        "log_ssfr": np.array([-10.0, -11.0, -3.0, -9.0, np.nan]),
        "log_ssfr_err": np.array([0.1, 0.1, 4.0, 0.1, 0.1]),
    }
    rows["log_ssfr_flag"] = np.array([0, LabelFlag.NEGATIVE_DECREMENT, 0, LabelFlag.LOW_SNR, 16], np.uint16)
    np.testing.assert_array_equal(shown_values(rows, "log_ssfr"), [-10.0, -11.0, -3.0, np.nan, np.nan])
    low, high = shown_limits(rows, "log_ssfr")
    assert -11 <= low < high <= -10


def test_east_is_left_where_the_frame_says_so(survey):
    maps = galaxy_figures.maps_figure(*galaxy_of(survey, "regular")).axes[:8]
    left, right = maps[0].get_xlim()
    assert left > 0 > right
    assert [axes.get_xlabel() for axes in maps] == 4 * [""] + 4 * ["east offset (arcsec)"]
    assert [axes.get_ylabel() for axes in maps] == 2 * ["north offset (arcsec)", "", "", ""]


def test_velocities_are_drawn_about_the_median_of_the_stars(survey):
    extract, fit, labels = galaxy_of(survey, "regular")
    fit.data["v_star"][:], fit.data["v_gas"][:] = [90.0, 100.0, 130.0], [60.0, 100.0, 125.0]
    figure = galaxy_figures.maps_figure(extract, fit, labels)
    for title, wanted in (("stellar velocity", {-10.0, 0.0, 30.0}), ("gas velocity", {-40.0, 0.0, 25.0})):
        image = titled(figure, title).images[0]
        assert set(np.unique(image.get_array().compressed())) == wanted
        assert image.norm.vmin == -image.norm.vmax
        assert image.colorbar.ax.get_ylabel() == "$V$ \N{MINUS SIGN} 100 (km s$^{-1}$)"


def test_stored_model_is_the_fitted_one(survey):
    extract = artefacts.read(survey / "extract/regular.h5", "extract")
    fit = artefacts.read(survey / "fit/regular.h5", "fit")
    galaxy, spectra = fitted_spectra(extract, fit)
    result = fit_spectrum(spectra[0], *galaxy)
    exact = model_spectrum(spectra[0], galaxy.z, result, galaxy.stars, galaxy.lines)
    stored = stored_model(fit, 0, galaxy, spectra[0])
    for kept, wanted in zip(stored, exact, strict=True):
        np.testing.assert_allclose(kept, wanted, atol=1e-4)
    residual = ((spectra[0].flux - stored.stars - stored.gas) / spectra[0].error)[spectra[0].good]
    # Nothing was left out as an outlier, so the chi2 of these pixels is that of the fit; single precision.
    assert fit["n_clipped"][0] == 0
    chi2 = fit["chi2_reduced"][0].astype(float) * (fit["n_pixel"][0] - fit["n_free"][0])
    assert np.sum(residual**2) == pytest.approx(chi2, rel=1e-5)


def test_baxel_without_a_fit_has_no_model(survey):
    extract = artefacts.read(survey / "extract/regular.h5", "extract")
    fit = artefacts.read(survey / "fit/regular.h5", "fit")
    galaxy, spectra = fitted_spectra(extract, fit)
    fit.data["v_star"][1], fit.data["status"][1] = np.nan, 2
    assert stored_model(fit, 1, galaxy, spectra[1]) is None
    titles = [axes.get_title(loc="left") for axes in galaxy_spectra.spectra_figure(extract, fit).axes]
    assert any("all masked" in title for title in titles)


def test_labels_are_moved_apart():
    places = spread([0.1, 0.5, 0.505, 0.51, 0.9], 0.02)
    assert np.all(np.diff(places) >= 0.02 - 1e-12)
    np.testing.assert_allclose(places, [0.1, 0.485, 0.505, 0.525, 0.9])
    assert spread([], 0.02).size == 0


def test_survey_figures(paths, script, Params, tmp_path):
    figures = ("bpt", "planes", "quality", "flags", "training")
    outputs = Params({key: str(tmp_path / f"{key}.png") for key in figures})
    outputs |= {key: str(tmp_path / f"{key}.csv") for key in ("status", "label_flags")}
    inputs = Params({key: paths[key] for key in ("labels", "training_spectra", "line_cube_set")})
    params = Params(target_snr=20.0, n_line_cube=3)
    script("survey_figures").main(inputs, Params(outputs), params, str(tmp_path / "log"))
    assert all(min(png_size(tmp_path / f"{key}.png")) > 300 for key in figures)
    rows = read_csv(tmp_path / "status.csv")
    count = {(row["what"], row["status"]): int(row["count"]) for row in rows}
    assert count["galaxy", "ok"] == 2
    assert count["galaxy", "too_faint"] == 1
    assert count["spaxel", "binned"] == 8
    assert count["spaxel", "below_min_snr"] == 11
    assert sum(n for (what, _), n in count.items() if what == "baxel") == 4
    assert sum(n for (what, _), n in count.items() if what == "line") == 4 * len(fit_lines().name)
    assert count["training spectrum", "low_snr"] == 2
    assert count["line cube", "ok"] == 2
    assert count["line cube", "all_masked"] == 1
    assert all(row["meaning"] for row in rows)
    flags = {row["label"]: row for row in read_csv(tmp_path / "label_flags.csv")}
    assert list(flags) == list(LABEL)
    # The spectra end before Halpha and hold Hbeta.
    assert {key: int(flags["ebv_gas"][key]) for key in ("n_baxel", "without_value", "shown", "line_missing")} == {
        "n_baxel": 4,
        "without_value": 4,
        "shown": 0,
        "line_missing": 4,
    }
    assert int(flags["log_age_lw"]["shown"]) == 4


def test_survey_figures_of_systems_without_galaxies(survey, script, Params, tmp_path):
    training, cubes = (str(tmp_path / f"{name}.h5") for name in ("training_spectra", "line_cube_set"))
    settings = validate({"run": "none"}).training_spectra.model_dump()
    spectra = Params(settings | {"ebv_scale": 1.0, "sky_half_width": 8.0, "seed": 1})
    script("training_spectra").main(Params(extracts=[]), Params(training_spectra=training), spectra)
    sides = Params(size=8, window_pixels=10, validation_fraction=0.1, test_fraction=0.2, seed=1)
    script("line_cube_set").main(Params(line_cubes=[]), Params(line_cube_set=cubes), sides)
    inputs = Params(labels=str(survey / "labels.h5"), training_spectra=training, line_cube_set=cubes)
    outputs = {key: str(tmp_path / f"{key}.png") for key in ("bpt", "planes", "quality", "flags", "training")}
    outputs |= {key: str(tmp_path / f"{key}.csv") for key in ("status", "label_flags")}
    script("survey_figures").main(
        inputs, Params(outputs), Params(target_snr=20.0, n_line_cube=0), str(tmp_path / "log")
    )
    count = {(row["what"], row["status"]): int(row["count"]) for row in read_csv(tmp_path / "status.csv")}
    assert count["galaxy", "ok"] == 2
    assert not [key for key in count if key[0] in ("training spectrum", "line cube") and count[key]]


def test_galaxies_left_out_of_the_line_cubes_by_their_redshift_are_no_failures(survey):
    merged = (str(survey / "training_spectra.h5"), str(survey / "line_cube_set.h5"))
    rows = survey_tables.status_table(table_of(survey), *merged, n_line_cube=2)
    assert rows[-1][:2] == ("line cube", "all_masked")
    assert rows[-1].count == 0


def test_planes_show_every_baxel_with_its_labels(survey):
    table = table_of(survey)
    axes = planes.planes_figure(table).axes
    assert [(a.get_xlabel(), a.get_ylabel()) for a in axes] == [
        (STYLE[x].axis, STYLE[y].axis) for x, y in planes.PLANES
    ]
    wanted = np.stack([table["log_age_lw"], table["metallicity_lw"]], axis=1)
    np.testing.assert_allclose(axes[0].lines[0].get_xydata(), wanted)


def test_dense_planes_and_diagrams_are_drawn_as_counts(survey):
    table, n = table_of(survey), 4000
    rng = np.random.default_rng(5)
    columns = {name: rng.normal(0.0, 0.2, n) for name in ("log_age_lw", "metallicity_lw", "log_ml_r")}
    zeros = {f"{name}_{end}": np.zeros(n, np.uint16) for name in columns for end in ("err", "flag")}
    flux = np.ones((n, len(table["line"])))
    lines = {"line_flux": flux, "line_flux_err": 0.1 * flux, "bpt_class": np.full(n, BptClass.SEYFERT)}
    many = artefacts.Artefact("labels", table.data | columns | zeros | lines | {"status": np.zeros(n)}, {}, "")
    for figure in (planes.planes_figure(many), planes.bpt_figure(many)):
        labels = [axes.get_ylabel() for axes in figure.axes]
        assert "baxels per cell" in labels
    (legend,) = planes.bpt_figure(many).legends
    assert "Seyfert: 100.0 %" in [text.get_text() for text in legend.get_texts()]


def test_quality_counts_whole_galaxies_and_errors_of_gas_that_is_there(survey):
    table = table_of(survey)
    table.data["line_flux_err"][0] = 1e9
    axes = quality.quality_figure(table, 20.0).axes
    heights = [bar.get_height() for bar in axes[3].patches]
    assert axes[3].get_title() == "3 galaxies, 1 without baxels, 4 baxels"
    assert (len(heights), sum(heights)) == (4, 3)
    assert all(tick == int(tick) for tick in axes[3].get_yticks())
    sizes = {line.get_label(): line.get_xdata().size for line in axes[2].lines}
    assert sizes == {"stars": 4, "gas with a line of S/N > 5": 3}


def test_training_figure_names_the_band_of_its_unit(survey):
    axes = training.training_figure(survey / "training_spectra.h5").axes
    assert axes[0].get_ylabel() == "flux / mean at 4050-4150 Å"
    assert axes[0].get_title() == "5 training spectra", "the one that is cut is none"


def test_failures_figure_writes_the_percentages(survey):
    table = table_of(survey)
    figure = quality.failures_figure(table, survey_tables.flag_table(table))
    right = titled(figure, "labels: % of 4 baxels")
    cells = {(round(text.get_position()[0]), round(text.get_position()[1])): text.get_text() for text in right.texts}
    names = [label.get_text() for label in right.get_xticklabels()]
    rows = [label.get_text() for label in right.get_yticklabels()]
    assert cells[names.index("without value"), rows.index("reddening of the gas")] == "100"
    assert cells[names.index("shown"), rows.index("light-weighted age")] == "100"
    assert (names.index("shown"), rows.index("reddening of the gas")) not in cells


def test_bars_and_legends_hide_nothing(survey):
    figure = quality.quality_figure(table_of(survey), 20.0)
    figure.canvas.draw()
    for axes in figure.axes:
        assert axes.get_xlabel() and axes.get_ylabel()
        if axes.get_legend():
            assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1 - 1
    left, right = sorted(bar.get_x() for bar in figure.axes[3].patches)[:2]
    assert figure.axes[3].patches[0].get_width() < 0.9 * (right - left)


def first_page(survey, script, Params, tmp_path, names, **tables):
    """The outputs of the rule 'overview'."""
    (tmp_path / "timings.csv").write_text(
        "rule,n_job,total_s,median_s,max_s,cpu_total_s,peak_memory_MB\nfit,3,250,80,95.5,240,300\nlabels,1,2.04,2.04,2.04,2,90\n"
    )
    inputs = {f"{kind}s": [str(survey / kind / f"{name}.h5") for name in names] for kind in ("extract", "fit")}
    none = ("status", "labels", "quality", "map_quality", "galaxy_map", "anomalies", "neighbours", "agn")
    inputs |= {key: [] for key in none}
    failures = tmp_path / "failures.csv"
    if not failures.exists():
        failures.write_text("rule,message,place,count\n")
    inputs |= {"timings": str(tmp_path / "timings.csv"), "failures": str(failures)} | tables
    outputs = {name: str(tmp_path / f"overview.{name}") for name in ("picture", "numbers", "page")}
    script("overview").main(Params(inputs), Params(outputs), Params(), str(tmp_path / "log"))
    return {key: Path(path) for key, path in outputs.items()}


def test_numbers_of_the_first_page_are_those_of_the_artefacts(survey, script, Params, tmp_path):
    merged = (str(survey / "training_spectra.h5"), str(survey / "line_cube_set.h5"))
    table = table_of(survey)
    rows = survey_tables.status_table(table, *merged, n_line_cube=3)
    pd.DataFrame(rows).to_csv(tmp_path / "status.csv", index=False)
    (tmp_path / "quality.csv").write_text("line,n,rho,holds\nHalpha,40,0.9,too few\nHbeta,38,0.8,too few\n")
    tables = {name: str(tmp_path / f"{name}.csv") for name in ("status", "quality")}
    tables |= {"labels": str(survey / "labels.h5")}
    made = first_page(survey, script, Params, tmp_path, NAMES, **tables)
    found = {row["what"]: (row["number"], row["of_which"]) for row in read_csv(made["numbers"])}
    extracts = [artefacts.read(survey / f"extract/{name}.h5", "extract", ["bin_id"]) for name in NAMES]
    spaxels, binned = (sum(int(count(e["bin_id"])) for e in extracts) for count in (np.size, lambda b: np.sum(b >= 0)))
    assert found["galaxies"] == ("3", "2 ok, 1 too faint")
    assert found["spaxels"] == (f"{spaxels}", f"{binned} binned, {spaxels - binned} below min snr")
    assert found["baxels"][0] == f"{table['status'].size}" == "4"
    assert found["candidate training spectra"] == ("7", "5 kept, 2 low snr")
    assert found["lines of the emulator"][1].startswith("mean rank correlation 0.850 for up to 40 test rows")
    assert found["time of all jobs"] == ("4.2 min", "4 jobs")
    assert found["time of fit"] == ("4.2 min", "3 jobs, median 80 s, longest 96 s")
    assert found["time of labels"] == ("2.0 s", "1 job")
    page = made["page"].read_text()
    assert f"data:image/png;base64,{base64.b64encode(made['picture'].read_bytes()).decode()}" in page
    cells = [word for what, pair in found.items() for word in (what.removeprefix("time of "), *pair)]
    assert all(f"<td>{word}</td>" in page for word in cells)
    assert "src=" not in page.replace('src="data:', "")


def test_first_page_tells_what_became_of_the_galaxies_and_of_the_jobs(survey, script, Params, tmp_path):
    long = "CubeError: " + "the cube is torn " * 9
    rows = f"fit,{long}(and 6 more like it),fit.py:7 read,7\nlabels,KeyError: <x>,,1\n"
    (tmp_path / "failures.csv").write_text(f"rule,message,place,count\n{rows}")
    made = first_page(survey, script, Params, tmp_path, NAMES, labels=str(survey / "labels.h5"))
    page = made["page"].read_text()
    assert "<p>3 galaxies, 2 of them ok; 8 failures in the logs; 4.2 min of computing in 4 jobs.</p>" in page
    outcomes, failures, _ = tables_of(page)
    assert outcomes == [
        ["ok", None, "2", "regular, single"],
        ["too faint", "no spaxel reaches a signal to noise of 2", "1", "faint"],
    ]
    assert failures == [
        ["fit", f"{long}(and 6 more like it)", "fit.py:7 read", "7"],
        ["labels", "KeyError: <x>", None, "1"],
    ]


def tables_of(page):
    """Texts of the cells of each table of a page, row by row."""
    tables = map(ElementTree.fromstring, re.findall("<table.*?</table>", page, re.DOTALL))
    return [[[cell.text for cell in row] for row in table.find("tbody")] for table in tables]


def test_first_page_says_so_where_nothing_failed(survey, script, Params, tmp_path):
    page = first_page(survey, script, Params, tmp_path, [])["page"].read_text()
    assert "<p>No failures in the logs; 4.2 min of computing in 4 jobs.</p>" in page
    assert "<p>None: no log of this run holds a failure.</p>" in page
    assert "Galaxies by status" not in page


def test_first_page_names_a_few_galaxies_of_each_status():
    """Of thousands of galaxies with reasons of their own, the page stays a page."""
    reasons = [f"{n} spaxels are good" for n in range(30)]
    columns = {
        "plateifu": np.array([f"9{n:03}-1901" for n in range(930)]),
        "galaxy_status": np.array(["ok"] * 900 + ["too_faint"] * 30),
        "galaxy_reason": np.array([""] * 900 + reasons),
    }
    rows = first_page_module.outcome_rows(columns)
    assert rows[0] == ("ok", "", 900, "9000-1901, 9001-1901, 9002-1901, 9003-1901, 9004-1901 and 895 more")
    assert len(rows) == 31 and {row.reason for row in rows[1:]} == {*reasons}


def test_first_page_of_a_run_without_galaxies(survey, script, Params, tmp_path):
    made = first_page(survey, script, Params, tmp_path, [])
    assert [row["what"] for row in read_csv(made["numbers"])] == ["time of all jobs", "time of fit", "time of labels"]
    assert min(png_size(made["picture"])) > 300


def test_picture_of_the_first_page_shows_the_galaxies_with_most_baxels():
    """In their order; cubes before single spectra, and none without baxels."""
    assert overview.chosen([900, 900, 900, 900, 900], [3, 0, 8, 5, 7]) == [2, 3, 4]
    assert overview.chosen([1, 900, 1, 1, 1], [1, 1, 1, 0, 1]) == [0, 1, 2]
    assert overview.chosen([900], [0]) == []


def test_picture_of_the_first_page_has_maps_of_cubes_and_spectra_of_single_ones(survey):
    seen = [view(*galaxy_of(survey, name)) for name in ("regular", "single")]
    figure = overview.overview_figure(seen)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:4] == ["continuum", "stellar velocity $V_*$", r"H$\alpha$ flux", "light-weighted age"]
    assert titled_left(figure, "baxel 0    S/N 25.0").lines
    assert [text.get_text().split()[0] for text in figure.texts] == ["regular", "single"]


def test_recovery(paths, script, Params, tmp_path):
    outputs = Params(table=str(tmp_path / "recovery.csv"), figure=str(tmp_path / "recovery.png"))
    script("recovery").main(paths, outputs, Params(), str(tmp_path / "log"))
    rows = {(row["quantity"], row["snr_per_pixel"]): row for row in read_csv(tmp_path / "recovery.csv")}
    assert int(rows["v_star", "above 20"]["n_value"]) == 3
    assert abs(float(rows["v_star", "above 20"]["median_offset"])) < 30
    assert rows["v_star", "above 20"]["holds"] == "too few"
    assert min(png_size(tmp_path / "recovery.png")) > 300


def test_figure_of_the_labels_has_their_titles_and_units():
    rng = np.random.default_rng(3)
    columns = (rng.normal(9.0, 0.2, 30), np.full(30, 0.1), np.full(30, 9.0), np.full(30, 25.0), np.zeros(30, int))
    faint, snr = TruthComparison(*(column[:0] for column in columns)), np.repeat([25.0, 5.0], [40, 10])
    dust = Checked(faint, snr, np.zeros(50, int))
    age = Checked(TruthComparison(*columns), snr, np.repeat([-1, 0], [30, 20]))
    age, dust = label_figure({"log_age_lw": age, "ebv_gas": dust, BPT: dust}).axes[:2]
    assert (
        age.get_title()
        == f"light-weighted age, 30 of 40\nbias {signed(np.mean(columns[0]) - 9, 3)}, rms {_rms(columns[0] - 9):.3f}"
    )
    assert (age.get_xlabel(), age.get_ylabel()) == ("true log age [yr]", "measured log age [yr]")
    assert dust.get_title() == "reddening of the gas, 0 of 40\nno values"


def _rms(values):
    return np.sqrt(np.mean(values**2))


def test_digest_counts_times_and_tracebacks(script, Params, tmp_path):
    benchmarks, logs = tmp_path / "benchmarks", tmp_path / "logs"
    head = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
    for name, wall, memory in (("1-1", 10, "300"), ("1-2", 30, "200"), ("1-3", 11, "-")):
        write_text(benchmarks / f"fit/{name}.tsv", f"{head}{wall}\t0:00:10\t{memory}\t1\t1\t1\t0\t0\t90\t9\n")
    write_text(benchmarks / "recovery.tsv", f"{head}2\t0:00:02\t50\t1\t1\t1\t0\t0\t90\tNA\n")
    for name in ("9001-1901", "9001-1902"):
        write_text(logs / f"fit/{name}.log", traceback_text(f"ValueError: no data for {name}"))
    write_text(logs / "extract/9001-1901.log", "INFO fine\n")
    outputs = Params(timings=str(tmp_path / "timings.csv"), failures=str(tmp_path / "failures.csv"))
    script("digest").main(Params(), outputs, Params(logs=str(logs), benchmarks=str(benchmarks)), str(tmp_path / "log"))
    fit, recovery = read_csv(tmp_path / "timings.csv")
    assert fit["rule"] == "fit"
    assert int(fit["n_job"]) == 3
    wanted = {"total_s": 51, "median_s": 11, "max_s": 30, "cpu_total_s": 27, "peak_memory_MB": 300}
    assert {key: float(fit[key]) for key in wanted} == wanted
    assert float(recovery["cpu_total_s"]) == 0
    (failure,) = read_csv(tmp_path / "failures.csv")
    assert failure["rule"] == "fit"
    assert int(failure["count"]) == 2
    assert failure["message"] == "ValueError: no data for 9001-1901 (and 1 more like it)"
    assert failure["place"] == "ppxf_fit.py:12 fit_spectrum"


def test_digest_of_a_run_without_failures_is_a_table_without_rows(script, Params, tmp_path):
    outputs = Params(timings=str(tmp_path / "timings.csv"), failures=str(tmp_path / "failures.csv"))
    params = Params(logs=str(tmp_path / "logs"), benchmarks=str(tmp_path / "benchmarks"))
    script("digest").main(Params(), outputs, params)
    assert (tmp_path / "failures.csv").read_text().strip() == "rule,message,place,count"
    assert read_csv(tmp_path / "timings.csv") == []


def test_provenance(script, Params, tmp_path):
    config = {"run": "demo", "fit": {"templates": "mastar"}}
    output = tmp_path / "provenance.json"
    script("provenance").main(Params(), Params(provenance=str(output)), Params(config=config))
    record = json.loads(output.read_text())
    assert record["config"] == config
    assert record["packages"]["numpy"] == np.__version__
    assert record["python"].startswith("3.")
    assert record["date_utc"].endswith("+00:00")


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def traceback_text(last):
    return (
        "INFO start\nERROR root: failed\nTraceback (most recent call last):\n"
        '  File "/somewhere/mangrove/spectra/fit/ppxf_fit.py", line 12, in fit_spectrum\n    raise\n' + last + "\n"
    )
