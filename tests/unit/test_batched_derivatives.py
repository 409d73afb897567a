"""Derivatives of a batched fit by the data against whole fits of other data."""

from functools import partial

import batched_spectra
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from one_spectrum import LINES, SIGMA_GAS, SIGMA_STAR, V_GAS, V_STAR
from scipy.optimize import least_squares

from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.batched import model, r_band
from mangrove.spectra.fit.batched.batch import Solutions, double_precision
from mangrove.spectra.fit.batched.derivatives import ByData, derivatives, solve_differentiably
from mangrove.spectra.fit.batched.problem import (
    columns_at,
    line_hold,
    place_of,
    problem_of,
    solutions_of,
    weighed,
)
from mangrove.spectra.fit.batched.solve import Start, solve
from mangrove.spectra.fit.line_coverage import pixel_width
from mangrove.spectra.fit.settings import Guide
from mangrove.spectra.labels.populations import population_values, template_table
from mangrove.spectra.labels.solution_labels import r_band_label, solution_labels
from mangrove.ssp.loading import load_library

DEGREE, CALIBRATION_ERROR = 3, 0.01
N_COPY, NOISE = 48, 0.05
CORRECTION = -900.0
OF_LABELS = ("log_age_lw", "metallicity_lw", "log_ml_r", "ebv_star", "v_star", "sigma_star", "v_gas", "line_flux")
#: Of the second spectrum, a guide fixes the kinematics of the stars; the first is there many times.
FIXED = Guide(35.0, 5.0, 130.0, 5.0, 0.0)
#: Near the solutions: other tests look for starts.
START = Start(
    np.tile([[V_STAR, SIGMA_STAR], [V_GAS, SIGMA_GAS]], (N_COPY + 1, 1, 1)),
    np.tile(np.append(0.3, np.zeros(DEGREE)), (N_COPY + 1, 1)),
)


@pytest.fixture(scope="module")
def given():
    """A batch of one spectrum many times and another with fixed kinematics, and its solutions."""
    batch = batched_spectra.batch((0, 1), guides=[None, FIXED], polynomial_degree=DEGREE)
    rows = np.append(np.zeros(N_COPY, int), 1)
    spectra = type(batch.spectra)(*(values[rows] for values in batch.spectra))
    batch = batch._replace(spectra=spectra)
    return batch, jax.tree.map(np.asarray, solve(batch, START))


@pytest.fixture(scope="module")
def refit(given):
    batch, s = given
    return WholeFits(batch._replace(spectra=type(batch.spectra)(*_ends(batch.spectra))), Solutions(*_ends(s)))


@pytest.fixture(scope="module")
def minima(given, refit):
    """The batch with the solutions at the very minima."""
    each = [np.append(np.repeat(values[:1], N_COPY, axis=0), values[1:], axis=0) for values in refit.at_minima()]
    return given[0], Solutions(*each)


@pytest.fixture(scope="module")
def table():
    stars = batched_spectra.galaxies(polynomial_degree=DEGREE)[0].stars
    return template_table(load_library("mastar"), stars.age, stars.metallicity)


@pytest.fixture(scope="module")
def found(minima):
    """Derivatives of both spectra."""
    return {name: ByData(*_ends(by_data)) for name, by_data in derivatives(*minima, unknowns).items()}


def _ends(arrays) -> list[np.ndarray]:
    """Of arrays over the batch the first row and the last: the two spectra."""
    return [values[[0, -1]] for values in arrays]


def unknowns(_, s) -> dict:
    return {
        "all": jnp.concatenate([s.kinematics.reshape(len(s.theta), -1), s.theta, s.weights, s.gas], 1),
        "chi2": s.chi2,
    }


class WholeFits:
    """Fits of two spectra by Levenberg-Marquardt: all that is neither zero nor at a limit, both in one sum of squares."""

    def __init__(self, batch, start: Solutions):
        self.batch, self.start = batch, start
        with double_precision():
            self.first = np.asarray(unknowns(None, start)["all"])
        n_place = start.kinematics[0].size + start.theta.shape[1]
        self.free = (self.first > 0) | (np.arange(self.first.shape[1]) < n_place)
        self.free[1, :2] = False
        with double_precision():
            layout, galaxies, lines, spectra = batch
            self.transforms = model.gas_transforms(layout, galaxies, lines, spectra)
            self.residual = jax.jit(self._residual)
            self.jacobian = jax.jit(jax.jacfwd(self._residual))

    def apart(self, x):
        s, n = self.start, x.shape[0]
        sizes = np.cumsum([s.kinematics[0].size, s.theta.shape[1], s.weights.shape[1]])
        kinematics, theta, weights, gas = jnp.split(x, sizes, axis=1)
        return kinematics.reshape(n, *s.kinematics.shape[1:]), theta, weights, gas

    def _residual(self, x, flux, error, centre):
        """Of the pixels of both spectra, then of the coefficients of their polynomials."""
        layout, galaxies, _, spectra = self.batch
        kinematics, theta, weights, gas = self.apart(x)
        stars = model.stellar_continuum(layout, galaxies, spectra, weights, kinematics, theta)
        lines = model.emission(layout, galaxies, spectra, self.transforms, gas, kinematics)
        data = jnp.where(spectra.good, (flux - stars - lines) / error, 0.0)
        return jnp.concatenate([data.ravel(), ((theta[:, 1:] - centre) / CALIBRATION_ERROR).ravel()])

    def __call__(self, flux, error, centre) -> np.ndarray:
        """All unknowns at the minima, shape (2, n_unknown)."""
        free, x = self.free, self.first.copy()

        def whole(values):
            x[free] = values
            return x

        def residual(values):
            with double_precision():
                return np.asarray(self.residual(whole(values), flux, error, centre))

        def jacobian(values):
            with double_precision():
                return np.asarray(self.jacobian(whole(values), flux, error, centre))[:, free]

        tight = dict.fromkeys(("xtol", "ftol", "gtol"), 1e-15)
        fit = least_squares(residual, self.first[free], jacobian, method="lm", x_scale="jac", **tight)
        self.chi2 = 2.0 * fit.cost
        return whole(fit.x).copy()

    def at_minima(self) -> Solutions:
        spectra = self.batch.spectra
        minima = self(spectra.flux, spectra.error, np.zeros((2, DEGREE)))
        assert self.chi2 == pytest.approx(self.start.chi2.sum(), abs=0.01)
        with double_precision():
            return self.start._replace(
                **dict(zip(("kinematics", "theta", "weights", "gas"), map(np.asarray, self.apart(minima)), strict=True))
            )


@pytest.mark.parametrize("what", ["flux", "error", "centre"])
def test_derivatives_are_differences_of_whole_fits(refit, found, what):
    rng = np.random.default_rng(1)
    flux, error = refit.batch.spectra.flux, refit.batch.spectra.error
    at = {"flux": flux, "error": error, "centre": np.zeros((2, DEGREE))}
    size = {"flux": error, "error": 0.3 * error, "centre": CALIBRATION_ERROR}[what]
    along, step = size * rng.normal(size=at[what].shape), 0.02
    up, down = (refit(**at | {what: at[what] + sign * step * along}) for sign in (1.0, -1.0))
    expected = (up - down) / (2.0 * step)
    of_noise = np.linalg.norm(found["all"].flux * error[:, None], axis=-1)
    moved = np.sum(getattr(found["all"], what) * along[:, None], axis=-1)
    assert np.all(np.abs(moved - expected) <= 1e-3 * of_noise)
    assert np.abs(moved / np.where(of_noise > 0, of_noise, 1.0)).max() > 1.0
    assert np.all((moved != 0.0) == refit.free)


def test_derivatives_of_labels_are_differences_of_labels_of_whole_fits(refit, minima, table, monkeypatch):
    # r lies beyond these spectra: a band within them stands in for it.
    monkeypatch.setattr(r_band, "r_curve", lambda: (np.array([4860.0, 4990.0, 5150.0]), np.array([0.0, 1.0, 0.0])))

    def labels(correction):
        of_solution = partial(solution_labels, table=table, correction=correction)
        return lambda *given: of_solution(*given) | r_band_label(*given)

    by_data = derivatives(*minima, labels(np.full(N_COPY + 1, CORRECTION)))
    flux, error = refit.batch.spectra.flux, refit.batch.spectra.error
    along, step = error * np.random.default_rng(3).normal(size=flux.shape), 0.02

    def labels_at(sign):
        changed = flux + sign * step * along
        fitted = refit(changed, error, np.zeros((2, DEGREE)))
        batch = refit.batch._replace(spectra=refit.batch.spectra._replace(flux=changed))
        with double_precision():
            names = ("kinematics", "theta", "weights", "gas")
            s = refit.start._replace(**dict(zip(names, refit.apart(fitted), strict=True)))
            return jax.tree.map(np.asarray, labels(np.full(2, CORRECTION))(batch, s))

    up, down = labels_at(1.0), labels_at(-1.0)
    for name in (*OF_LABELS, "r_flux"):
        by_flux = by_data[name].flux[[0, -1]]
        noise, change = (one if by_flux.ndim == 2 else one[:, None] for one in (error, along))
        of_noise, moved = np.linalg.norm(by_flux * noise, axis=-1), np.sum(by_flux * change, axis=-1)
        expected = (up[name] - down[name]) / (2.0 * step)
        assert np.all(np.abs(moved - expected) <= 2e-3 * of_noise), name
        assert np.any(of_noise > 0), name


def test_chi2_changes_as_if_the_solution_stayed(refit, found):
    spectra, centre = refit.batch.spectra, np.zeros((2, DEGREE))
    flux, error = spectra.flux, spectra.error
    with double_precision():
        residual = np.asarray(refit.residual(refit(flux, error, centre), flux, error, centre))[: flux.size]
    residual = residual.reshape(flux.shape)
    np.testing.assert_allclose(found["chi2"].flux, 2.0 * residual / error, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found["chi2"].error, -2.0 * residual**2 / error, rtol=1e-6, atol=1e-6)
    assert np.all(found["chi2"].flux[~spectra.good] == 0.0)


def test_jax_differentiates_through_the_solver(given):
    batch, s = given

    def velocity(flux, error):
        spectra = batch.spectra._replace(flux=flux, error=error)
        return jnp.sum(solve_differentiably(batch._replace(spectra=spectra), START).kinematics[:, 0, 0])

    expected = derivatives(batch, s, lambda _, s: {"v": s.kinematics[:, 0, 0]})["v"]
    data = flux, error = batch.spectra.flux, batch.spectra.error
    with double_precision():
        value, gradient = jax.value_and_grad(velocity, (0, 1))(*data)
        _, along = jax.jvp(velocity, data, (error, flux))
    assert float(value) == pytest.approx(s.kinematics[:, 0, 0].sum(), rel=1e-14)
    for found, wanted in zip(gradient, expected[:2], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-8 * np.abs(wanted).max())
    assert np.any(gradient[0][0]) and not np.any(gradient[0][-1])
    assert float(along) == pytest.approx(np.sum(expected.flux * error + expected.error * flux), rel=1e-6)


def test_a_spectrum_without_solution_harms_no_other(minima, found):
    batch, s = minima
    last = np.arange(N_COPY + 1) == N_COPY
    nothing = [np.where(last.reshape(-1, *[1] * (values.ndim - 1)), np.nan, values) for values in s[:-1]]
    again, lost = _ends([derivatives(batch, Solutions(*nothing, s.converged), unknowns)["all"].flux])[0]
    np.testing.assert_array_equal(again, found["all"].flux[0])
    assert np.all(np.isnan(lost[:, batch.spectra.good[-1]]))


def test_the_error_of_a_line_that_hardly_falls_on_good_pixels_is_no_larger_than_its_prior():
    batch = batched_spectra.batch((0,), polynomial_degree=DEGREE)
    line = LINES.index("Hbeta_4863")
    v = C_KMS * np.log(batch.galaxies.wave[0] / LINES.wave[line]) - V_GAS
    # Good pixels hold some 1e-8 of its light.
    good = batch.spectra.good & (np.abs(v) > 5.5 * np.hypot(SIGMA_GAS, C_KMS / 1200.0 / 2.3548))
    batch = batch._replace(spectra=batch.spectra._replace(good=good))
    column = batch.layout.gas_line.index(line)
    with double_precision():
        place = place_of(START.kinematics[:1], START.theta[:1])
        problem = problem_of(batch.layout, batch.galaxies, batch.lines, jax.tree.map(jnp.asarray, batch.spectra))
        columns = columns_at(batch.layout, problem, place)
        best = weighed(batch.layout, problem, place, columns, jnp.zeros(columns.shape[:2], bool))
        s = solutions_of(batch.layout, problem, place, best.x, best.chi2, best.chi2 > 0)
        prior = float(line_hold(batch.spectra)[0]) ** -0.5
        s = jax.tree.map(np.asarray, s._replace(gas=s.gas.at[0, column].set(1e-3 * prior)))
    by_flux = derivatives(batch, s, lambda _, s: {"gas": s.gas})["gas"].flux[0, column]
    assert 0.0 < np.linalg.norm(by_flux * batch.spectra.error[0]) <= prior


def test_labels_are_those_of_the_definitions(given, table):
    batch, s = given
    with double_precision():
        labels = jax.tree.map(np.asarray, solution_labels(batch, s, table, np.full(N_COPY + 1, CORRECTION)))
    for name, value in population_values(s.weights, table).items():
        np.testing.assert_allclose(labels[name], value, rtol=1e-12)
    i, column = LINES.index("OIII_4960"), batch.layout.gas_line.index(LINES.index("OIII_5008"))
    width = pixel_width(
        LINES.wave[LINES.index("OIII_5008")], batch.galaxies.z[0], s.kinematics[0, 1, 0], 1e-4 * np.log(10)
    )
    assert labels["line_flux"][0, i] == pytest.approx(s.gas[0, column] * width * LINES.ratio[i])
    np.testing.assert_allclose(labels["sigma_star"], np.sqrt(s.kinematics[:, 0, 1] ** 2 + CORRECTION))


def test_errors_are_the_scatter_of_fits_with_a_little_more_noise(given, table):
    batch, s = given
    correction = np.full(N_COPY + 1, CORRECTION)
    of_labels = derivatives(batch, s, partial(solution_labels, table=table, correction=correction))
    rng = np.random.default_rng(2)
    error = batch.spectra.error
    noisy = batch._replace(
        spectra=batch.spectra._replace(flux=batch.spectra.flux + NOISE * error * rng.normal(size=error.shape))
    )
    again = jax.tree.map(np.asarray, solve(noisy, START))
    with double_precision():
        repeats = jax.tree.map(np.asarray, solution_labels(noisy, again, table, correction))
    line = LINES.index("OIII_5008")
    for name in OF_LABELS:
        by_flux, values = of_labels[name].flux[0], repeats[name][:N_COPY]
        if name == "line_flux":
            by_flux, values = by_flux[line], values[:, line]
        expected, scatter = np.linalg.norm(by_flux * error[0]), np.std(values, ddof=1) / NOISE
        assert scatter == pytest.approx(expected, rel=4.0 / np.sqrt(2.0 * N_COPY)), name
