"""Non-negative least squares of a batch against SciPy's."""

from functools import partial

import jax
import numpy as np
import pytest
from one_spectrum import noise_free, stars
from scipy.optimize import nnls

from mangrove.spectra.fit.batched import forms
from mangrove.spectra.fit.batched.batch import double_precision
from mangrove.spectra.fit.batched.factors import RIDGE
from mangrove.spectra.fit.batched.nonnegative import nonnegative
from mangrove.spectra.fit.batched.pivots import positive_near


@pytest.fixture(autouse=True, params=[False, True], ids=["one by one", "together"])
def form(request, monkeypatch):
    """Both forms, that of a CPU and that of an accelerator, which a CPU runs as well."""
    monkeypatch.setattr(forms, "together", lambda: request.param)


def systems(n=4):
    """Templates as alike as those of a fit, and lines; a target for each."""
    rng = np.random.default_rng(3)
    flux = stars().flux[200:-200:2] / np.median(stars().flux)
    lines = np.exp(-0.5 * ((np.arange(len(flux))[:, None] - np.linspace(50, 900, 6)) / 3.0) ** 2)
    columns = np.hstack([flux, lines])
    truth = rng.uniform(0.0, 1.0, (n, columns.shape[1])) * (rng.random((n, columns.shape[1])) < 0.1)
    error = np.median(noise_free()) / np.array([5.0, 20.0, 60.0, 200.0])[:n, None]
    scaled = columns / error[..., None]
    return scaled, np.einsum("npi,ni->np", scaled, truth) + rng.normal(size=(n, len(flux)))


def solved(columns, targets, n_free=0, passive=None):
    """For targets of shape (n, k, n_pixel)."""
    products = columns.swapaxes(1, 2) @ columns
    right = targets @ columns
    with double_precision():
        return jax.tree.map(np.asarray, jax.jit(partial(nonnegative, n_free=n_free))(products, right, passive=passive))


def test_solutions_are_those_of_scipy():
    columns, targets = systems()
    x, passive = solved(columns, targets[:, None])
    for a, y, ours in zip(columns, targets, x[:, 0], strict=True):
        theirs, rest = nnls(a, y)
        assert np.sum((a @ ours - y) ** 2) == pytest.approx(rest**2, abs=1e-4)
        np.testing.assert_array_equal(ours > 0, theirs > 0)
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * theirs.max())
    np.testing.assert_array_equal(passive, x > 0)


def test_the_start_does_not_matter():
    columns, targets = systems()
    x, passive = solved(columns, targets[:, None])
    for start in (passive, ~passive, np.ones_like(passive)):
        again, _ = solved(columns, targets[:, None], passive=start)
        np.testing.assert_allclose(again, x, rtol=1e-6, atol=1e-9 * x.max())


def test_free_unknowns_may_be_negative():
    columns, targets = systems()
    slope = np.linspace(-1.0, 1.0, columns.shape[1])
    free = np.stack([np.column_stack([slope, slope**2]) * a[:, :1].mean() for a in columns])
    targets = targets - 3.0 * free[..., 0]
    x, _ = solved(np.concatenate([free, columns], axis=2), targets[:, None], n_free=2)
    for f, a, y, ours in zip(free, columns, targets, x[:, 0], strict=True):
        theirs, rest = nnls(np.hstack([f, -f, a]), y, maxiter=1000)
        assert np.sum((np.hstack([f, a]) @ ours - y) ** 2) == pytest.approx(rest**2, rel=1e-9)
        assert ours[0] == pytest.approx(theirs[0] - theirs[2], rel=1e-4)
        assert ours[0] < 0


def test_targets_of_one_matrix_go_together():
    columns, targets = systems(2)
    noise = np.random.default_rng(1).normal(size=(2, 3, targets.shape[1]))
    together, _ = solved(columns, targets[:, None] + noise)
    for i in range(3):
        alone, _ = solved(columns, targets[:, None] + noise[:, [i]])
        np.testing.assert_allclose(together[:, i], alone[:, 0], rtol=1e-6, atol=1e-9 * alone.max())


def test_a_broken_problem_harms_no_other():
    columns, targets = systems(3)
    expected, _ = solved(columns, targets[:, None])
    columns[1, 5, 7] = np.nan
    columns[2, :, 3] = 0.0
    x, _ = solved(columns, targets[:, None])
    np.testing.assert_allclose(x[0], expected[0], rtol=1e-9)
    assert np.all(np.isnan(x[1]))
    assert x[2, 0, 3] == 0.0 and np.all(np.isfinite(x[2]))


def gain(products, right, x) -> float:
    return float(2.0 * right @ x - x @ products @ x)


def test_exchanges_come_to_the_unknowns_that_are_positive():
    columns, targets = systems()
    columns = columns / np.linalg.norm(columns, axis=1, keepdims=True)
    products, right = columns.swapaxes(1, 2) @ columns + RIDGE * np.eye(columns.shape[2]), targets[:, None] @ columns
    x, passive = solved(columns, targets[:, None])
    for start in (np.zeros_like(passive), passive):
        with double_precision():
            found = np.asarray(jax.jit(positive_near)(products, right, start))
        for p, r, inside, best in zip(products, right[:, 0], found[:, 0], x[:, 0], strict=True):
            own = np.linalg.solve(p[np.ix_(inside, inside)], r[inside])
            assert np.all(own > 0.0)
            # What it is above the minimum, chi2 is. These data are exact to one in a thousand, far more than spectra are, and
            # with a ridge of 1e-12 rounding, which differs between processors, decides on some 1e-11 of chi2.
            other = np.zeros_like(best)
            other[inside] = own
            assert abs(gain(p, r, best) - gain(p, r, other)) < 1e-10 * gain(p, r, best)
