"""Air and vacuum, log-linear grids, velocities."""

import numpy as np
import pytest

from mangrove.physics import wavelengths as w


def test_air_and_vacuum_agree_with_tabulated_lines():
    # Halpha and [OIII] 5008: air values of NIST, vacuum values of the SDSS line table.
    np.testing.assert_allclose(w.air_to_vacuum([6562.80, 5006.84]), [6564.61, 5008.24], atol=0.01)


def test_air_to_vacuum_is_the_inverse_of_morton():
    """Vacuum to air by Morton (2000, ApJS 130, 403), equation 8, an independent formula."""
    air = np.linspace(3600, 10300, 500)
    vacuum = w.air_to_vacuum(air)
    s2 = (1e4 / vacuum) ** 2
    n = 1 + 8.34254e-5 + 2.406147e-2 / (130 - s2) + 1.5998e-4 / (38.9 - s2)
    np.testing.assert_allclose(vacuum / n, air, atol=2e-3)


def test_rebinning_conserves_flux_and_propagates_variance():
    rng = np.random.default_rng(0)
    edges_in = 4749.375 + 1.25 * np.arange(3682)
    edges_out = w.log_edges(10 ** np.arange(np.log10(4760), np.log10(9340), 1e-4))
    matrix = w.overlap_matrix(edges_in, edges_out)
    flux = rng.normal(10, 1, edges_in.size - 1)
    inside = np.clip(np.interp(edges_out[[0, -1]], edges_in, np.arange(edges_in.size)), 0, None)
    cumulative = np.concatenate([[0], np.cumsum(flux * np.diff(edges_in))])
    expected = np.diff(np.interp(inside, np.arange(edges_in.size), cumulative))[0]
    assert np.sum((matrix @ flux) * np.diff(edges_out)) == pytest.approx(expected, rel=1e-10)
    draws = rng.normal(0, 2.0, (4000, flux.size)) @ matrix.T
    variance = matrix.power(2) @ np.full(flux.size, 4.0)
    assert np.median(draws.var(axis=0) / variance) == pytest.approx(1.0, abs=0.02)


def test_a_constant_stays_constant_and_uncovered_bins_are_empty():
    matrix = w.overlap_matrix(np.linspace(10, 20, 11), np.array([5.0, 9.0, 12.5, 13.1, 25.0]))
    np.testing.assert_allclose(matrix @ np.ones(10), [0.0, 2.5 / 3.5, 1.0, 6.9 / 11.9])


def test_the_smoothing_of_a_pixel_is_the_scatter_of_what_it_is_made_of():
    old = np.arange(10.0, 20.0)
    new = np.array([10.0, 11.0, 12.5, 13.5, 14.0, 18.0, 30.0, 31.0])
    found = w.smoothing_of_pixels(w.overlap_matrix(old, new), 0.5 * (old[1:] + old[:-1]))
    quarter = np.sqrt(1 / 3 * 2 / 3)
    # One old pixel; one and a half; halves of two; half of one; four; one of which nothing is known but its end; none.
    np.testing.assert_allclose(found, [0.0, quarter, 0.5, 0.0, np.sqrt(15 / 12), 0.0, 0.0], atol=1e-7)


def test_smoothing_in_the_mean_is_that_of_the_pixels():
    edges_in = 4749.375 + 1.25 * np.arange(3682)
    wave = 10 ** np.arange(np.log10(4760), np.log10(9340), 1e-4)
    edges_out = w.log_edges(wave)
    pixels = w.smoothing_of_pixels(w.overlap_matrix(edges_in, edges_out), 0.5 * (edges_in[1:] + edges_in[:-1]))
    mean = w.mean_smoothing(edges_in, edges_out, wave)
    assert np.all(np.diff(mean) > 0)
    for part in np.array_split(np.arange(wave.size), 5):
        assert np.mean(pixels[part] ** 2) == pytest.approx(np.mean(mean[part] ** 2), rel=0.05)


def test_log_grid_spans_its_edges():
    grid = w.log_grid(3650, 8950, 4544)
    edges = w.log_edges(grid)
    np.testing.assert_allclose(edges[[0, -1]], [3650, 8950], rtol=1e-12)
    np.testing.assert_allclose(np.diff(np.log(grid)), np.log(8950 / 3650) / 4544)


def test_velocities_are_ppxf_s_and_round_trip():
    # Cappellari (2017) equation 8: V = c ln(1 + z); 100 km/s at z = 0.05 is not c (z' - z)/(1 + z) to 0.02 km/s.
    z = w.velocity_to_redshift(100.0, 0.05)
    assert w.C_KMS * np.log((1 + z) / 1.05) == pytest.approx(100.0)
    assert w.C_KMS * (z - 0.05) / 1.05 == pytest.approx(100.0 + 100.0**2 / (2 * w.C_KMS), abs=1e-4)
