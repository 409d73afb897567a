"""Observed spectra: the fit, the training spectra and the emulator's bins take the same pixels for data."""

import numpy as np
import pytest
from small_extract import params_of_training, write_extract

from mangrove import artefacts
from mangrove.models.emulator import baxel_table
from mangrove.models.emulator.continuum_features import Bins
from mangrove.physics.galactic_extinction import galactic_transmission
from mangrove.physics.wavelengths import log_edges, log_grid, overlap_matrix
from mangrove.spectra.fit.preparation import prepare
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.observed import corrected

Z, EBV, SKY = 0.03, 0.3, 8.0
WAVE = 10 ** (np.log10(3621.6) + 1e-4 * np.arange(4563))
TRANSMISSION = galactic_transmission(WAVE, EBV)
BROKEN = slice(2000, 2020)
#: What is wrong with the pixels BROKEN of a spectrum each, by dataset; the last has no fault.
FAULTS = [
    {"flux": np.nan},
    {"flux": np.inf},
    {"ivar": 0.0},
    {"ivar": -1.0},
    {"ivar": np.nan},
    {"ivar": np.inf},
    {"mask": 1},
    {},
]


@pytest.fixture(scope="module")
def spectra():
    """Flux 1 behind dust, and 1e6 in pixels that are no data: shape (n_fault, n_wave) each; which pixels are data."""
    shape = (len(FAULTS), WAVE.size)
    sky = np.abs(WAVE - 5578.9) < SKY
    for line in (5891.6, 5897.6, 6302.0):
        sky |= np.abs(WAVE - line) < SKY
    good = np.tile(~sky, (shape[0], 1))
    good[:-1, BROKEN] = False
    found = {"flux": np.where(good, TRANSMISSION, 1e6), "ivar": np.full(shape, 4.0), "mask": np.zeros(shape, np.int8)}
    for i, fault in enumerate(FAULTS):
        for name, value in fault.items():
            found[name][i, BROKEN] = value
    return found, good


@pytest.fixture(scope="module")
def extract(spectra, tmp_path_factory):
    path = tmp_path_factory.mktemp("observed") / "extract.h5"
    write_extract(path, WAVE, spectra[0], z=Z, ebv_galactic=EBV)
    return path


def test_extinction_is_removed_from_flux_and_error(spectra):
    data, good = spectra
    flux, error, found = corrected(WAVE, *data.values(), TRANSMISSION, SKY)
    np.testing.assert_array_equal(found, good)
    np.testing.assert_allclose(flux[good], 1.0)
    np.testing.assert_allclose(error[good], np.broadcast_to(0.5 / TRANSMISSION, good.shape)[good])
    assert not flux[~good].any() and not error[~good].any()


def test_without_a_width_the_sky_counts(spectra):
    data, good = spectra
    assert corrected(WAVE, *data.values(), TRANSMISSION).good[-1].all() and not good[-1].all()


def test_the_fit(spectra):
    data, good = spectra
    for i in range(len(FAULTS)):
        settings = FitSettings(sky_half_width=SKY)
        row = (data[name][i] for name in ("flux", "ivar", "mask"))
        ready = prepare(WAVE, *row, np.ones(WAVE.size), Z, TRANSMISSION, settings)
        fitted = np.isin(WAVE / (1 + Z), ready.wave)
        np.testing.assert_array_equal(ready.good, good[i, fitted], err_msg=str(FAULTS[i]))
        np.testing.assert_allclose(ready.flux[ready.good], 1.0)


def test_the_training_spectra(spectra, extract, script, Params, tmp_path):
    good, out = spectra[1], str(tmp_path / "training.h5")
    params = params_of_training(sky_half_width=SKY)
    script("training_spectra").main(Params(extracts=[extract]), Params(training_spectra=out), params)
    found = artefacts.read(out, "training_spectra")
    grid = log_grid(*params["rest_range"], params["n_wave"])
    covered = overlap_matrix(log_edges(WAVE) / (1 + Z), log_edges(grid)) @ good.T.astype(float)
    np.testing.assert_array_equal(found["mask"] == 0, (covered.T >= 0.5)[found["baxel"]])
    np.testing.assert_allclose(found["flux"], 1.0, rtol=1e-6)
    assert sorted(found["baxel"]) == list(range(len(FAULTS)))


def test_the_bins_of_the_emulator(extract):
    how = baxel_table.ContinuumBinning(Bins.equal(3600.0, 7000.0, 12), 1.0, SKY)
    found = baxel_table._bins_of(extract, np.zeros(len(FAULTS)), how.bins, how)
    np.testing.assert_allclose(found, 1.0, rtol=1e-5)
