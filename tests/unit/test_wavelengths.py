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
    edges_in = w.linear_edges(np.linspace(4750, 9350, 3681))
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
