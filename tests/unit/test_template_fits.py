"""Fits of the co-added templates of nodes."""

import numpy as np
import pytest
from attributes import attributes_of
from scipy.ndimage import gaussian_filter1d

from mangrove import artefacts
from mangrove.analysis.template_fits import PER_AREA, fit_templates, template_errors
from mangrove.codes import FitStatus, LabelFlag
from mangrove.data_model import LABEL
from mangrove.physics.wavelengths import SIGMA_TO_FWHM, log_grid
from mangrove.spectra.fit.settings import FitSettings
from mangrove.ssp.library import load_mastar

WAVE = log_grid(3650.0, 8950.0, 4544)
PARAMS = FitSettings(n_draw=6)._asdict() | {"engine": "ppxf", "templates": "mastar", "seed": 1, "code": "test"}
#: Ages in Gyr of the two populations of each node, and the fraction of the light of the first.
MIXTURES = [(1.0, 9.0, 0.6), (3.0, 9.0, 0.5)]
_LINES = {6564.6: 1.2, 4862.7: 0.4, 5008.2: 0.5, 6585.3: 0.5, 6549.9: 0.17, 4960.3: 0.17}


def population(age):
    """A population of solar metallicity, mean 1, with the broadening of stars that move by 150 km/s."""
    library = load_mastar()
    flux = library.flux[np.argmin(np.abs(library.metallicity)), np.argmin(np.abs(np.log(library.age / age)))]
    spectrum = gaussian_filter1d(np.interp(WAVE, library.wave, flux), 150.0 / (299792.458 * np.log(WAVE[1] / WAVE[0])))
    return spectrum / spectrum[(WAVE > 5000) & (WAVE < 6000)].mean()


def write_map(path, count=400):
    """A map of two nodes with templates, and one without spectra."""
    rng, flux = np.random.default_rng(1), np.full((3, WAVE.size), np.nan)
    for k, (young, old, part) in enumerate(MIXTURES):
        flux[k] = part * population(young) + (1 - part) * population(old)
    for line, height in _LINES.items():
        flux[:2] += height * np.exp(-0.5 * ((WAVE / line - 1) / 6e-4) ** 2)
    scatter = np.where(np.isfinite(flux), 0.2, np.nan)
    flux += 0.2 / np.sqrt(count) * rng.standard_normal(flux.shape)
    counts = np.where(np.isfinite(flux), count, 0)
    library = load_mastar()
    spread = np.interp(WAVE, library.wave, library.fwhm) / SIGMA_TO_FWHM
    data = {
        "wave": WAVE,
        "node_row": [0, 0, 0],
        "node_column": [0, 1, 2],
        "prototype_latent": np.zeros((3, 2)),
        "prototype_flux": flux,
        "template_flux": flux,
        "template_scatter": scatter,
        "template_count": counts,
        "lsf": spread,
        "n_baxel": np.zeros((3, 3)),
        "n_galaxy": np.zeros(3),
        "quantile": [0.5],
        "distance_quantile": [1.0],
    }
    attrs = attributes_of("desom_map", rows=1, columns=3, norm_band=(4050.0, 4150.0))
    artefacts.write(path, "desom_map", data, artefacts.Provenance(), attrs)


@pytest.fixture(scope="module")
def found(script, Params, tmp_path_factory):
    folder = tmp_path_factory.mktemp("templates")
    write_map(folder / "map.h5")
    outputs = Params(template_labels=str(folder / "labels.h5"))
    script("template_labels").main(Params(map=str(folder / "map.h5")), outputs, Params(PARAMS))
    return artefacts.read(outputs.template_labels, "template_labels")


def of(found, name):
    j = found["label"].tolist().index(name)
    return found["value"][:, j], found["error"][:, j], found["flag"][:, j]


def test_labels_of_templates_are_those_of_their_populations(found):
    age, error, flag = of(found, "log_age_lw")
    true = [9 + part * np.log10(young) + (1 - part) * np.log10(old) for young, old, part in MIXTURES]
    np.testing.assert_allclose(age[:2], true, atol=0.1)
    assert (error[:2] > 0).all() and (flag[:2] == 0).all()
    assert (found["status"][:2] == FitStatus.OK).all() and (found["chi2_reduced"][:2] < 2).all()
    ebv, _, _ = of(found, "ebv_star")
    np.testing.assert_allclose(ebv[:2], 0.0, atol=0.05)
    # Distance and area cancel in the specific rate.
    assert np.isfinite(of(found, "log_ssfr")[0][:2]).all()


def test_labels_per_area_are_missing_and_say_so(found):
    for name in PER_AREA:
        value, error, flag = of(found, name)
        assert np.isnan(value).all() and np.isnan(error).all() and (flag & LabelFlag.NO_AREA > 0).all()


def test_a_node_without_spectra_has_no_fit(found):
    assert found["status"][2] == FitStatus.ALL_MASKED and np.isnan(found["value"][2]).all()
    assert (found["flag"][2] & LabelFlag.NO_FIT > 0).all() and np.isnan(found["snr"][2])


def test_errors_are_those_of_a_mean_with_a_floor():
    flux = np.array([[1.0, 1.0, np.nan], [2.0, 2.0, 2.0], [1.0, 1.0, 1.0]])
    scatter = np.array([[0.3, 0.3, np.nan], [0.2, 0.4, 0.1], [np.nan, 0.5, np.nan]])
    count = np.array([[9, 100, 0], [100, 400, 10_000], [1, 4, 1]])
    found = template_errors(flux, scatter, count)
    # Few spectra, of less scatter than the median of the nodes at that wavelength, or of none.
    assert found[0, 0] == pytest.approx(0.3 / 3) and found[2, 0] == pytest.approx(0.25)
    assert found[2, 1] == pytest.approx(0.5 / 2) and found[0, 1] == pytest.approx(0.03)
    assert found[1].tolist() == pytest.approx([0.04, 0.04, 0.04])
    assert np.isnan(found[0, 2]) and found[2, 2] == pytest.approx(0.1)


def test_a_map_without_a_node_has_no_labels(tmp_path):
    nothing, flux = np.empty(0), np.empty((0, 4))
    data = dict.fromkeys(("node_row", "node_column", "n_galaxy"), nothing) | {
        "quantile": [0.5],
        "distance_quantile": [1.0],
    }
    data |= dict.fromkeys(("prototype_flux", "template_flux", "template_scatter", "template_count"), flux)
    data |= {"prototype_latent": np.empty((0, 0)), "n_baxel": np.empty((0, 3)), "wave": WAVE[:4], "lsf": WAVE[:4]}
    attrs = attributes_of("desom_map", status="empty", reason="too few spectra", norm_band=(4050.0, 4150.0))
    artefacts.write(tmp_path / "map.h5", "desom_map", data, artefacts.Provenance(), attrs)
    datasets, attrs = fit_templates(tmp_path / "map.h5", PARAMS)
    assert attrs["reason"] == "too few spectra" and datasets["value"].shape == (0, len(LABEL))
