"""Measurements of a batch against those of the pPXF engine on the very same solutions."""

import batched_spectra
import numpy as np
import pytest
from one_spectrum import LINES
from ppxf_solutions import as_batch, solved

from mangrove.codes import FitStatus, LineStatus
from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.batched.batch import double_precision
from mangrove.spectra.fit.batched.measure import measurements as measurements_of
from mangrove.spectra.fit.bounds import SIGMA_GAS_BOUND
from mangrove.spectra.fit.component_names import BROAD, SECOND
from mangrove.spectra.fit.ppxf import line_errors, measurements
from mangrove.spectra.fit.results import FitResult
from mangrove.spectra.fit.settings import Guide

WHICH = (1, 0, 0)
#: What is not equal: motions have errors of another origin, and draws other random numbers.
MOTION = [f"{name}_err" for name in ("v_star", "sigma_star", "v_gas", "sigma_gas", "component_v", "component_sigma")]
DRAWN = ["weights_draw", "ebv_draw", "line_ew_err"]
#: What is left of the reference's steps, and of columns that are nearly those of others.
LESS_EQUAL = {"component_flux_err": 2e-3, "line_flux_err": 3e-4, "sigma_star_correction": 1e-3, "sigma_star": 1e-4}
#: The second guide lets the dispersion move by less than it wants to.
GUIDES = [Guide(100.0, 5.0, 140.0, 6.0, 0.0), Guide(120.0, 5.0, 140.0, 6.0, 200.0), Guide(120.0, 5.0, 170.0, 6.0, 20.0)]
CASES = {
    "one component": {},
    "three components": {
        "further": ({SECOND: (300.0, 200.0), BROAD: (0.0, 1000.0)}, {SECOND: (200.0, 200.0)}, {}),
        "components": (0, SECOND, BROAD),
        "gas_components": 2,
        "broad_lines": True,
    },
    "guides": {"guides": GUIDES, "rescale_noise": True},
    "polynomial": {"attenuation": "polynomial", "polynomial_degree": 4},
    "regularised": {"regularisation": 2.0, "snr": 12.0},
}


def measured(batch, solutions, n_draw=100):
    """The columns of the batched engine for solutions of a batch."""
    with double_precision():
        columns = measurements_of(*batch, solutions, n_draw)
        return {name: np.asarray(values) for name, values in columns.items()}


def with_broad_line(spectrum, is_broad):
    """The spectrum, with a broad Hbeta of a fifth of the stellar continuum if asked for."""
    velocity = C_KMS * np.log(spectrum.wave / LINES.wave[LINES.index("Hbeta_4863")])
    profile = np.exp(-0.5 * (velocity / 1000.0) ** 2)
    return spectrum._replace(flux=spectrum.flux + 0.2 * is_broad * np.median(spectrum.flux) * profile)


def finer(spectrum):
    """The spectrum, with a line spread that the templates do not reach, by more in the blue: dispersions need a correction."""
    return spectrum._replace(lsf_sigma=spectrum.lsf_sigma * np.linspace(0.8, 0.95, spectrum.wave.size))


def compared(further=({}, {}, {}), guides=None, components=(0,), snr=60.0, which=WHICH, **settings):
    """Results of the pPXF engine, and the columns of the batched one, for solutions of the former."""
    settings = {"polynomial_degree": 3, "n_draw": 3} | settings
    galaxies = batched_spectra.galaxies(**settings)
    batch = batched_spectra.batch(which, snr, guides, components, **settings)
    each = zip(which, guides or [None] * len(which), further, strict=True)
    fits = []
    for i, (g, guide, extra) in enumerate(each):
        spectrum = finer(with_broad_line(batched_spectra.spectrum(g, snr, i), BROAD in extra))
        batch.spectra.flux[i, : spectrum.wave.size] = spectrum.flux
        batch.spectra.lsf[i] = spectrum.lsf_sigma[-1]
        batch.spectra.lsf[i, : spectrum.wave.size] = spectrum.lsf_sigma
        fits.append(solved(galaxies[g], spectrum, guide, extra))
    told = {"n_clipped": np.array([3, 0, 1]), "gas_bic_gain": np.array([0.0, 12.0, 0.0])}
    columns = measured(batch, as_batch(batch, fits), settings["n_draw"]) | told
    gains = zip(fits, *told.values(), strict=True)
    return [measurements.collect(fit, n, gain) for fit, n, gain in gains], columns


def rows(batch, solutions, which):
    """Some spectra of a batch, with their solutions."""
    which = np.array(which)
    spectra, picked = (type(all_)(*(values[which] for values in all_)) for all_ in (batch.spectra, solutions))
    return batch._replace(spectra=spectra), picked


@pytest.fixture(scope="module")
def small_steps():
    """The reference takes derivatives over such steps that the difference to ours is out of sight."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_errors, "_V_STEP", 0.5)
        patch.setattr(line_errors, "_SIGMA2_STEP", 10.0)
        patch.setattr(line_errors, "_SIGMA2_PART", 1e-3)
        patch.setattr(measurements, "_SIGMA2_STEP", 10.0)
        yield


@pytest.fixture(scope="module", params=CASES)
def both(request, small_steps):
    return compared(**CASES[request.param])


def test_there_is_a_column_for_each_field(both):
    _, columns = both
    assert set(columns) >= set(FitResult._fields)
    assert {values.shape[0] for values in columns.values()} == {len(WHICH)}


@pytest.mark.parametrize("name", sorted(set(FitResult._fields) - {*MOTION, *DRAWN, "v_gas_other"}))
def test_numbers_are_those_of_the_reference(both, name):
    results, columns = both
    for result, ours in zip(results, columns[name], strict=True):
        expected = np.asarray(getattr(result, name), float)
        ours = ours[: expected.size] if name == "weights" else ours
        least = 1e-9 * np.max(expected, initial=0.0) if name == "weights" else 1e-12
        rtol = LESS_EQUAL.get(name, 1e-6)
        np.testing.assert_allclose(np.asarray(ours, float), expected, rtol=rtol, atol=least)


@pytest.mark.parametrize("name", MOTION)
def test_errors_of_motions_are_near_those_of_ppxf(both, name):
    """Its templates have E(B-V) and polynomial frozen into them, so its errors are a little smaller.

    Errors of a third of the dispersion or more are beyond comparison: nothing is linear there.
    """
    results, columns = both
    sigmas = columns[name.removesuffix("_err").replace("v_", "sigma_").replace("_v", "_sigma")]
    for result, ours, sigma in zip(results, columns[name], sigmas, strict=True):
        expected = np.asarray(getattr(result, name))
        assert np.array_equal(np.isnan(expected), np.isnan(ours))
        known = (expected > 0) & (expected < 0.3 * sigma)
        np.testing.assert_allclose(ours[known], expected[known], rtol=0.4)


@pytest.fixture(scope="module")
def known():
    """A batch with many draws, and solutions of it by the pPXF engine."""
    settings = {"polynomial_degree": 3, "n_draw": 100}
    galaxies = batched_spectra.galaxies(**settings)
    batch = batched_spectra.batch(WHICH, 20.0, **settings)
    fits = [solved(galaxies[g], batched_spectra.spectrum(g, 20.0, i)) for i, g in enumerate(WHICH)]
    return batch, fits, as_batch(batch, fits)


@pytest.fixture(scope="module")
def many_draws(known):
    batch, _, solutions = known
    return measured(batch, solutions)


def test_draws_scatter_as_those_of_the_reference(known, many_draws):
    """A hundred numbers tell their own scatter to 7 %, and so do those of the reference."""
    _, fits, _ = known
    for i, fit in enumerate(fits):
        result = measurements.collect(fit, 0, 0.0)
        young = fit.stars.age < 5.0
        n = young.size

        def light(weights, young=young, n=n):
            """Part of the young templates, and the sum of all weights."""
            total = weights[:, :n].sum(axis=1)
            return weights[:, :n][:, young].sum(axis=1) / total, total

        pairs = [(many_draws["ebv_draw"][i], result.ebv_draw)]
        pairs += zip(light(many_draws["weights_draw"][i]), light(result.weights_draw), strict=True)
        for ours, expected in pairs:
            error = np.hypot(ours.std(), expected.std()) / np.sqrt(100)
            assert abs(ours.mean() - expected.mean()) < 4 * error
            assert ours.std() == pytest.approx(expected.std(), rel=0.3)
        ratio = many_draws["line_ew_err"][i] / result.line_ew_err
        np.testing.assert_allclose(ratio[np.isfinite(ratio)], 1.0, rtol=0.25)


def test_a_result_does_not_depend_on_its_companions(known, many_draws):
    batch, _, solutions = known
    others = measured(*rows(batch, solutions, (2, 2, 0)))
    for name, values in others.items():
        expected = many_draws[name][[2, 2, 0]]
        size = np.nanmax(np.abs(expected), initial=0.0) if expected.dtype.kind == "f" else 0.0
        np.testing.assert_allclose(values, expected, rtol=1e-7, atol=1e-9 * size, err_msg=name)


def test_a_fit_that_has_not_converged_says_so(known):
    batch, _, solutions = known
    columns = measured(batch, solutions._replace(converged=np.array([True, False, True])))
    assert columns["status"].tolist() == [FitStatus.OK, FitStatus.STOPPED_EARLY, FitStatus.OK]


def test_a_fit_that_has_not_converged_says_so_whatever_else_is_wrong_with_few_of_its_labels(known):
    batch, _, solutions = known
    kinematics = solutions.kinematics.copy()
    kinematics[0, 1, 1] = kinematics[1, 1, 1] = SIGMA_GAS_BOUND[1]
    columns = measured(batch, solutions._replace(kinematics=kinematics, converged=np.array([True, False, True])))
    assert columns["status"].tolist() == [FitStatus.GAS_AT_BOUND, FitStatus.STOPPED_EARLY, FitStatus.OK]


def test_fits_without_stars_or_lines_say_so(known):
    """And a solution that is not finite harms no other."""
    batch, _, solutions = known
    weights, gas, kinematics = solutions.weights.copy(), solutions.gas.copy(), solutions.kinematics.copy()
    weights[0] = 0.0
    gas[1] = 0.0
    kinematics[2, 0] = np.nan
    given = solutions._replace(weights=weights, gas=gas, kinematics=kinematics)
    columns = measured(batch, given._replace(converged=np.array([False, True, False])))
    expected = [FitStatus.NO_STELLAR_CONTINUUM, FitStatus.OK, FitStatus.NOT_CONVERGED]
    assert columns["status"].tolist() == expected
    assert np.isnan(columns["line_ew"][0]).all() and np.isinf(columns["v_star_err"][0])
    assert np.isinf(columns["v_gas_err"][1]) and np.isfinite(columns["v_star_err"][1])
    seen = columns["line_status"][1] == LineStatus.OK
    assert np.all(columns["line_flux"][1, seen] == 0.0) and np.all(columns["line_flux_err"][1, seen] > 0.0)
