"""Solutions of a batch: those of pPXF's engine, whatever else the batch holds."""

import batched_spectra
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from one_spectrum import LINES, LSF, V_STAR, WAVE, Z, noise_free, noisy

from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.batched.arrays import galaxies_of, layout_of, lines_of, spectra_of
from mangrove.spectra.fit.batched.batch import Batch, double_precision
from mangrove.spectra.fit.batched.precision import MIXED, SINGLE
from mangrove.spectra.fit.batched.problem import columns_at, place_of, problem_of, weighed
from mangrove.spectra.fit.batched.rivals import are_different
from mangrove.spectra.fit.batched.solve import Start, solve
from mangrove.spectra.fit.model import gas_in_range
from mangrove.spectra.fit.ppxf.alternation import Task
from mangrove.spectra.fit.ppxf.alternation import solve as solve_by_ppxf
from mangrove.spectra.fit.preparation import prepare
from mangrove.spectra.fit.settings import Guide
from mangrove.spectra.fit.templates import with_components

SETTINGS = {"polynomial_degree": 2}
FREE, FIXED, BOUNDED = None, Guide(100.0, 3.0, 130.0, 4.0, 0.0), Guide(100.0, 3.0, 120.0, 4.0, 15.0)
WHICH, GUIDES = (0, 1, 0, 0), (FREE, FREE, FIXED, BOUNDED)


def solved(batch, start=None, group=1):
    return jax.tree.map(np.asarray, solve(batch, start, group))


@pytest.fixture(scope="module")
def batch():
    """Of two galaxies: two free fits, one of which takes kinematics as they are, and one that stays near to them."""
    return batched_spectra.batch(WHICH, guides=GUIDES, **SETTINGS)


@pytest.fixture(scope="module")
def solutions(batch):
    return solved(batch)


def by_ppxf(i, components=(), start=None, settings=SETTINGS, guides=GUIDES):
    """pPXF's solution of one spectrum of the batch."""
    galaxy = batched_spectra.galaxies(**settings)[WHICH[i]]
    spectrum, guide = batched_spectra.spectrum(WHICH[i], seed=i), guides[i]
    gas = with_components(gas_in_range(spectrum, galaxy.stars, galaxy.lines), galaxy.lines, components)
    v, sigma = (0.0, 120.0) if guide is None else (guide.v, guide.sigma)
    kinematics = [[v, sigma], [v, 60.0]] if start is None else start
    return solve_by_ppxf(Task(spectrum, galaxy.stars, galaxy.settings, guide), gas, kinematics)


def assert_same(ours, i, theirs, batch):
    """As the agreement of the two engines is defined: chi2, and values within their errors."""
    assert ours.chi2[i] < theirs.composition.chi2 + 0.1
    assert ours.chi2[i] == pytest.approx(theirs.composition.chi2, abs=0.5)
    errors = np.maximum(theirs.errors, 1e-6)
    np.testing.assert_allclose((ours.kinematics[i] - theirs.kinematics) / errors, 0.0, atol=0.3)
    columns = list(zip(batch.layout.gas_component, batch.layout.gas_line, strict=True))
    place = [columns.index(pair) for pair in zip(theirs.gas.component, theirs.gas.free, strict=True)]
    length = np.linalg.norm(theirs.problem.gas, axis=0)
    np.testing.assert_allclose((ours.gas[i, place] - theirs.composition.gas) * length, 0.0, atol=0.3)
    assert np.all(np.delete(ours.gas[i], place) == 0.0)
    scale = batch.galaxies.scale[batch.spectra.galaxy[i]]
    light = ours.weights[i].sum() / scale / theirs.composition.weights.sum()
    assert light == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("i", range(len(WHICH)))
def test_solutions_are_those_of_ppxf(batch, solutions, i):
    assert_same(solutions, i, by_ppxf(i), batch)
    assert solutions.converged[i]


def test_guides_hold(solutions):
    assert tuple(solutions.kinematics[2, 0]) == pytest.approx((FIXED.v, FIXED.sigma), rel=1e-12)
    # The velocity put in is 120 km/s, which the guide forbids.
    assert solutions.kinematics[3, 0, 0] == pytest.approx(BOUNDED.v + BOUNDED.half_width, abs=1e-6)


def test_weights_are_as_sparse_as_those_of_ppxf(solutions):
    for i in range(2):
        theirs = by_ppxf(i).composition.weights
        assert np.count_nonzero(solutions.weights[i]) <= np.count_nonzero(theirs) + 1


def test_companions_and_their_order_do_not_matter(batch, solutions):
    """A spectrum with NaN, one without good pixels, and one of negative flux harm none."""
    flux, good = batch.spectra.flux.copy(), batch.spectra.good.copy()
    flux[1, 100] = np.nan
    good[2] = False
    flux[3] *= -1.0
    order = [3, 0, 2, 1]
    spectra = batch.spectra._replace(flux=flux, good=good)
    mixed = batch._replace(spectra=jax.tree.map(lambda values: values[order], spectra))
    others = solved(mixed)
    for name in ("kinematics", "theta", "weights", "gas", "chi2"):
        np.testing.assert_allclose(getattr(others, name)[1], getattr(solutions, name)[0], rtol=1e-12, err_msg=name)
    assert not others.converged[3] and np.isnan(others.chi2[3])
    assert np.all(others.weights[0] == 0.0)
    # As an accelerator computes them, in step.
    together, beside_bad = solved(batch, group=4), solved(mixed, group=4)
    np.testing.assert_allclose(together.kinematics, solutions.kinematics, rtol=1e-6)
    np.testing.assert_allclose(together.chi2, solutions.chi2, rtol=1e-9)
    for name in ("kinematics", "theta", "weights", "gas", "chi2"):
        one, alone = (getattr(found, name)[i] for found, i in ((beside_bad, 1), (solutions, 0)))
        np.testing.assert_allclose(one, alone, rtol=1e-6, atol=1e-6 * np.max(np.abs(alone)), err_msg=name)
    assert not beside_bad.converged[3] and np.isnan(beside_bad.chi2[3]) and np.all(beside_bad.weights[0] == 0.0)


def test_two_runs_give_equal_bytes(batch, solutions):
    again = solved(batch)
    for name, values in solutions._asdict().items():
        assert values.tobytes() == getattr(again, name).tobytes(), name


def in_precision(batch, precision):
    return solved(batch._replace(layout=batch.layout._replace(precision=precision)))


def test_what_single_precision_has_begun_double_precision_ends(batch, solutions):
    refined = in_precision(batch, MIXED)
    assert refined.kinematics.dtype == float and refined.converged.all()
    # Descents end where no more than 0.001 of chi2 is left, which is a hundredth of an error in V.
    np.testing.assert_allclose(refined.chi2, solutions.chi2, rtol=0.0, atol=2e-3)
    np.testing.assert_allclose(refined.kinematics, solutions.kinematics, rtol=0.0, atol=0.1)


def test_single_precision_alone_finds_nearly_the_same(batch, solutions):
    """Chi2 is no better than its rounding (some 0.1 of 500), V and sigma within a tenth of their errors."""
    single = in_precision(batch, SINGLE)
    higher = single.chi2 - solutions.chi2
    assert np.all(higher < 0.5) and np.any(np.abs(higher) > 1e-3)
    np.testing.assert_allclose(single.kinematics, solutions.kinematics, rtol=0.0, atol=0.5)


def test_velocities_far_off_are_found(batch, solutions):
    start = batch.spectra.start.copy()
    start[:2, 0] = 500.0, -500.0
    far = solved(batch._replace(spectra=batch.spectra._replace(start=start)))
    np.testing.assert_allclose(far.chi2[:2], solutions.chi2[:2], atol=0.01)
    np.testing.assert_allclose(far.kinematics[:2], solutions.kinematics[:2], atol=0.5)


def with_hbeta(batch, heights):
    """The batch with its first spectrum free of noise, and with Hbeta at velocities, km/s, as high as so many errors."""
    wave, lsf = (values[: batch.spectra.n_wave[0]] for values in (batch.galaxies.wave[0], batch.spectra.lsf[0]))
    flux = batch.spectra.flux.copy()
    flux[0, : wave.size] = noise_free(line_scale=0.0)[np.searchsorted(WAVE / (1 + Z), wave * (1 - 1e-9))]
    width = np.hypot(lsf, wave * 40.0 / C_KMS)
    for velocity, height in heights.items():
        centre = LINES.wave[LINES.index("Hbeta_4863")] * np.exp(velocity / C_KMS)
        flux[0, : wave.size] += height * batch.spectra.error[0, 0] * np.exp(-0.5 * ((wave - centre) / width) ** 2)
    return batch._replace(spectra=batch.spectra._replace(flux=flux))


def test_chi2_does_not_jump_where_a_line_is_far_from_good_pixels():
    """At this dispersion they hold 1e-25 of its light, and its column there is rounding."""
    (galaxy, _), (flux, error) = batched_spectra.galaxies(**SETTINGS), noisy(60.0)
    v = C_KMS * np.log(WAVE / (1 + Z) / LINES.wave[LINES.index("Hbeta_4863")])
    spectrum = prepare(WAVE, flux, error**-2.0, np.abs(v) < 1800, LSF, Z, np.ones(WAVE.size), galaxy.settings, 0)
    layout = layout_of([galaxy], [spectrum])
    given = galaxies_of(layout, [galaxy], [spectrum]), lines_of(layout, LINES)

    @jax.jit
    def chi2(variance):
        problem = problem_of(
            layout, *given, jax.tree.map(jnp.asarray, spectra_of(layout, [galaxy], [0], [spectrum], [None]))
        )
        place = (
            place_of(jnp.array([[[V_STAR, 150.0], [-80.0, 150.0]]]), jnp.zeros((1, 1 + layout.degree)))
            .at[:, 3]
            .set(variance)
        )
        columns = columns_at(layout, problem, place)
        return weighed(layout, problem, place, columns, jnp.zeros(columns.shape[:2], bool)).chi2[0]

    with double_precision():
        found = np.array([chi2(150.0**2 + 40.0 * k) for k in range(9)])
    np.testing.assert_allclose(np.diff(found, 3), 0.0, atol=1e-3)


def test_another_minimum_of_the_gas_is_told(batch, solutions):
    """Noise that looks like a line far from the stars does not move the gas there, unless it is much stronger."""
    near, far = V_STAR, V_STAR + 600.0
    ours = solved(with_hbeta(batch, {near: 7.0, far: 8.0}))
    assert ours.kinematics[0, 1, 0] == pytest.approx(near, abs=15.0)
    assert ours.v_gas_other[0] > near + 300.0
    ours = solved(with_hbeta(batch, {near: 7.0, far: 50.0}))
    assert ours.kinematics[0, 1, 0] == pytest.approx(far, abs=15.0)
    assert np.isnan(ours.v_gas_other[0])
    assert np.all(np.isnan(solutions.v_gas_other[:2]))


def test_other_settings_are_those_of_ppxf():
    """A polynomial in place of dust, without prior, and regularisation."""
    settings = SETTINGS | {"attenuation": "polynomial", "regularisation": 0.2}
    batch = batched_spectra.batch(WHICH[:2], **settings)
    ours = solved(batch)
    for i in range(2):
        assert_same(ours, i, by_ppxf(i, settings=settings, guides=(FREE, FREE)), batch)
        assert ours.theta[i, 0] == 0.0


def test_components_are_those_of_ppxf(batch, solutions):
    """A second component of all lines and a broad one, from a given start."""
    galaxies = batched_spectra.galaxies(**SETTINGS)
    spectra = [batched_spectra.spectrum(0, seed=i) for i in (0, 2)]
    layout = layout_of(galaxies, spectra, (0, 1, 2))
    firsts = [batched_spectra.spectrum(g) for g in range(2)]
    more = Batch(
        layout,
        galaxies_of(layout, galaxies, firsts),
        lines_of(layout, batched_spectra.LINES),
        spectra_of(layout, galaxies, (0, 0), spectra, [None, None]),
    )
    gas = [[-80.0, 60.0], [-40.0, 200.0], [0.0, 900.0]]
    start = Start(np.array([[[120.0, 150.0], *gas]] * 2), solutions.theta[[0, 2]])
    ours = solved(more, start)
    theirs = by_ppxf(0, (1, 2), [[120.0, 150.0], *gas])
    assert ours.chi2[0] < theirs.composition.chi2 + 0.1
    assert np.all(ours.chi2 < solutions.chi2[[0, 2]] + 1e-6)


@pytest.mark.parametrize(("v", "sigma", "expected"), [(36.0, 0.0, True), (0.0, -101.0, True), (34.0, 99.0, False)])
def test_minima_differ_by_velocity_or_dispersion_of_the_gas(v, sigma, expected):
    one, other = np.array([[[20.0, 120.0], [50.0, 150.0]], [[520.0, 620.0], [50.0 + v, 150.0 + sigma]]])[:, None]
    assert bool(are_different(one, other)[0]) is expected
