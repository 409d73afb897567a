"""What the measurements of a batch compute with: robust statistics, factors, least squares near a known solution."""

import jax
import numpy as np
import pytest
from scipy.optimize import nnls

from mangrove.spectra.fit import residuals as of_one
from mangrove.spectra.fit.batched import residuals as of_many
from mangrove.spectra.fit.batched.batch import double_precision
from mangrove.spectra.fit.batched.factors import cholesky, solve_factored
from mangrove.spectra.fit.batched.pivots import nonnegative_near


@pytest.fixture(scope="module")
def pixels():
    """Residuals of which some go together, and good pixels: most, few, none."""
    rng = np.random.default_rng(0)
    values, good = rng.standard_normal((5, 400)), rng.random((5, 400)) < 0.9
    values[1] = np.repeat(values[1, ::4], 4)
    values[2] = 0.0
    good[3, 60:], good[4] = False, False
    return values, good


def test_robust_rms_is_that_of_single_spectra(pixels):
    values, good = pixels
    with double_precision():
        ours = np.asarray(jax.jit(of_many.robust_rms)(values, good))
    np.testing.assert_allclose(ours[:4], [of_one.robust_rms(v[g]) for v, g in zip(values[:4], good[:4], strict=True)])
    assert np.isnan(ours[4])


def test_scatter_of_sums_is_that_of_single_spectra_for_runs_of_any_length(pixels):
    values, good = pixels
    for sizes in ([1, 4, 3, 40, 7], [5, 12, 2, 3, 2], [2, 1, 400, 2, 500]):
        with double_precision():
            ours = np.asarray(jax.jit(of_many.scatter_of_sums)(values, good, np.array(sizes)))
        expected = [of_one.scatter_of_sums(*row) for row in zip(values, good, sizes, strict=True)]
        np.testing.assert_allclose(ours, expected)


def test_least_squares_near_a_solution_are_those_of_scipy():
    """With free unknowns, nearly equal columns, and one of zeros."""
    rng = np.random.default_rng(1)
    n, n_target, m, n_pixel, n_free = 3, 5, 20, 60, 2
    columns = rng.random((n, n_pixel, 4)) @ rng.random((n, 4, m)) + 0.05 * rng.random((n, n_pixel, m))
    columns[:, :, 7] = 0.0
    near = np.where(rng.random((n, m)) < 0.3, rng.random((n, m)), 0.0)
    near[:, :n_free], near[:, 7] = -0.3, 0.0
    targets = np.einsum("npm,nm->np", columns, near)[:, None] + rng.standard_normal((n, n_target, n_pixel))
    products = np.einsum("npi,npj->nij", columns, columns)
    right = np.einsum("npi,nkp->nki", columns, targets)
    with double_precision():
        solve = jax.jit(nonnegative_near, static_argnums=2)
        found = np.asarray(solve(products, right, n_free, near != 0.0))
    assert np.all(found[..., n_free:] >= 0.0) and np.all(found[..., 7] == 0.0)
    for i in range(n):
        # A free unknown is the difference of two that are not negative.
        both = np.hstack([columns[i], -columns[i][:, :n_free]])
        for x, target in zip(found[i], targets[i], strict=True):
            chi2 = np.sum((columns[i] @ x - target) ** 2)
            assert chi2 == pytest.approx(nnls(both, target)[1] ** 2, abs=2e-3)


def test_factors_solve():
    rng = np.random.default_rng(2)
    columns = rng.standard_normal((2, 3, 9, 5))
    matrices, right = np.swapaxes(columns, 2, 3) @ columns, rng.standard_normal((2, 3, 5, 2))
    with double_precision():
        found = np.asarray(jax.jit(lambda a, b: solve_factored(cholesky(a), b))(matrices, right))
    np.testing.assert_allclose(found, np.linalg.solve(matrices, right))
