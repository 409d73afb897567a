"""Spectra in the rest frame: flux, masks, normalisation, cuts."""

import numpy as np
import pytest

from mangrove.codes import TrainingCut
from mangrove.physics.wavelengths import log_grid
from mangrove.spectra.observed import corrected
from mangrove.spectra.training import rest_frame

WAVE = 10 ** (np.log10(3621.59598486) + 1e-4 * np.arange(4563))
SETTINGS = {
    "rest_range": [3650.0, 8950.0],
    "n_wave": 4544,
    "norm_band": [4050.0, 4150.0],
    "min_good_fraction": 3900 / 4544,
    "min_snr": 10.0,
}
GRID = log_grid(3650.0, 8950.0, 4544)
Z = 0.05


def rest(flux, mask=None, snr=50.0, **settings):
    flux = np.atleast_2d(flux)
    mask = np.zeros(flux.shape, bool) if mask is None else np.atleast_2d(mask)
    flux, _, good = corrected(WAVE, flux, np.ones(flux.shape), mask, sky_half_width=8.0)
    return rest_frame.rest_spectra(WAVE, flux, good, np.full(len(flux), snr), Z, SETTINGS | settings)


def test_a_line_lands_at_its_rest_wavelength_with_its_flux():
    line = 100.0 * np.exp(-0.5 * ((WAVE - 5008.24 * (1 + Z)) / 2.0) ** 2)
    out = rest(1.0 + line)
    excess = (out.flux[0] - 1.0) * np.gradient(GRID)
    near = np.abs(GRID - 5008.24) < 20
    assert np.sum((excess * GRID)[near]) / np.sum(excess[near]) == pytest.approx(5008.24, abs=0.02)
    area = 100 * 2.0 * np.sqrt(2 * np.pi)
    assert excess[near].sum() * (1 + Z) == pytest.approx(area, rel=2e-3)


def test_normalised_to_one_in_the_band():
    out = rest(7.0 * (WAVE / 4000) ** 2)
    band = (GRID >= 4050) & (GRID <= 4150)
    assert out.flux[0, band].mean() == pytest.approx(1.0, rel=1e-6)
    assert out.norm[0] == pytest.approx(7.0 * (4100 * 1.05 / 4000) ** 2, rel=2e-3)


def test_sky_and_bad_pixels_are_masked_and_interpolated():
    bad = np.zeros(WAVE.size, bool)
    bad[1000:1010] = True
    spike = np.where(bad, 1e4, WAVE / 5000)
    out = rest(spike, bad)
    centre = WAVE[1005] / (1 + Z)
    assert out.mask[0, np.argmin(np.abs(GRID - centre))]
    assert out.mask[0, np.argmin(np.abs(GRID - 5578.9 / (1 + Z)))]
    expected = GRID * (1 + Z) / 5000 / out.norm[0]
    np.testing.assert_allclose(out.flux[0], expected, rtol=2e-3)


def test_a_partly_bad_bin_is_the_mean_of_its_good_part():
    bad = np.zeros(WAVE.size, bool)
    bad[2000] = True
    out = rest(np.where(bad, -1e6, 3.0), bad)
    np.testing.assert_allclose(out.flux[0], 1.0, rtol=1e-6)


def test_cuts_are_named():
    flux = np.ones(WAVE.size)
    assert rest(flux).cut[0] == TrainingCut.KEPT
    assert rest(flux, snr=9.9).cut[0] == TrainingCut.LOW_SNR
    assert rest(-flux).cut[0] == TrainingCut.NO_NORMALISATION
    assert rest(flux, WAVE > 7000).cut[0] == TrainingCut.TOO_FEW_GOOD_PIXELS


def test_percentile_cuts_remove_the_ends_of_the_kept():
    low, high = np.arange(1000.0), np.arange(1000.0)[::-1]
    cut = np.zeros(1000, int)
    cut[:500] = TrainingCut.LOW_SNR
    out = rest_frame.percentile_cuts(low, high, cut, 1.0)
    assert list(np.flatnonzero(out == TrainingCut.LOWEST_MINIMUM)) == [500, 501, 502, 503, 504]
    assert np.all(out[:500] == TrainingCut.LOW_SNR)
    assert np.all(rest_frame.percentile_cuts(low, high, cut, 0.0) == cut)


def test_a_high_emission_line_is_no_fault():
    spectra = rest(1.0 + 500.0 * np.exp(-0.5 * ((WAVE - 6564.61 * (1 + Z)) / 3.0) ** 2))
    assert rest_frame.extremes(GRID, spectra)[1][0] < 1.5
    spectra = rest(1.0 + 500.0 * np.exp(-0.5 * ((WAVE - 6200.0 * (1 + Z)) / 3.0) ** 2))
    assert rest_frame.extremes(GRID, spectra)[1][0] > 100
