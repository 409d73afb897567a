"""Comparison of fits with the truth of simulated galaxies."""

from collections import defaultdict

import numpy as np
import pytest

from mangrove.artefacts import Artefact
from mangrove.physics.lines import fit_lines
from mangrove.validation import baxel_truth, comparison, recovery

LINES = fit_lines().name
N_BAXEL = 600


def artefact(kind, data):
    return Artefact(kind, data, {"status": "ok", "reason": ""}, "")


def extract_of(bin_id, snr):
    return artefact("extract", {"bin_id": np.asarray(bin_id), "snr": np.asarray(snr, float)})


def truth_of(shape, **maps):
    """Truth maps: 1 everywhere but where given."""
    data = {name: np.ones(shape) for name in baxel_truth.TRUTH_DATASETS}
    data |= {
        "line": np.array(LINES),
        "line_flux": np.ones((len(LINES), *shape)),
        "line_ew": np.ones((len(LINES), *shape)),
    }
    return artefact("truth", data | maps)


def fit_of(truth, rng, bias=0.0):
    """A fit whose errors are Gaussian and as stated; ``bias`` in units of the error on the stars' velocity."""
    data = {"status": np.zeros(N_BAXEL, int)}
    for name in ("v_star", "sigma_star", "v_gas", "sigma_gas", "line_flux", "line_ew"):
        error = np.full(truth[name].shape, 0.05)
        data |= {name: truth[name] + error * rng.standard_normal(error.shape), f"{name}_err": error}
    data["v_star"] = data["v_star"] + bias * data["v_star_err"]
    return artefact("fit", data)


def simulated(rng, bias=0.0):
    """One galaxy of one-spaxel bins, measured with known errors."""
    truth = truth_of(
        (1, N_BAXEL),
        v_star=rng.uniform(-100, 100, (1, N_BAXEL)),
        sigma_star=rng.uniform(70, 150, (1, N_BAXEL)),
        line_flux=rng.uniform(1, 5, (len(LINES), 1, N_BAXEL)),
    )
    extract = extract_of([np.arange(N_BAXEL)], np.full(N_BAXEL, 25.0))
    fit = fit_of(baxel_truth.baxel_truth(extract, truth), rng, bias)
    return recovery.compare(extract, fit, truth)


def rows_of(galaxies):
    return {(row.quantity, row.snr_per_pixel): row for row in recovery.recovery_table(recovery.pool(galaxies))}


def test_moments_combine_as_by_formula():
    bin_id = np.array([[0, 0, -1], [1, 1, 1]])
    halpha = LINES.index("Halpha_6565")
    flux = np.ones((len(LINES), 2, 3))
    flux[halpha] = [[3.0, 1.0, 9.0], [1.0, 1.0, 2.0]]
    truth = truth_of(
        (2, 3),
        v_star=np.array([[10.0, 30.0, 500.0], [0.0, 0.0, 0.0]]),
        sigma_star=np.array([[100.0, 80.0, 500.0], [50.0, 60.0, 70.0]]),
        v_gas=np.array([[-20.0, 20.0, 500.0], [1.0, 2.0, 3.0]]),
        sigma_gas=np.array([[30.0, 30.0, 500.0], [10.0, 10.0, 10.0]]),
        light_weight=np.array([[1.0, 3.0, 7.0], [1.0, 1.0, 2.0]]),
        log_age_lw=np.array([[9.0, 10.0, 7.0], [9.0, 9.0, 10.0]]),
        line_flux=flux,
        line_ew=flux / np.array([[1.0, 3.0, 1.0], [1.0, 1.0, 4.0]]),
    )
    out = baxel_truth.baxel_truth(extract_of(bin_id, [20.0, 20.0]), truth)
    # Bin 0 in light 1:3: mean 25; second moment (100^2 + 10^2 + 3 (80^2 + 30^2)) / 4 - 25^2 = 7375.
    np.testing.assert_allclose(out["v_star"], [25.0, 0.0])
    np.testing.assert_allclose(out["sigma_star"] ** 2, [7375.0, (2500.0 + 3600.0 + 2 * 4900.0) / 4])
    # Bin 0 in Halpha 3:1: mean -10; 900 + 400 - 100.
    np.testing.assert_allclose(out["v_gas"], [-10.0, 2.25])
    np.testing.assert_allclose(out["sigma_gas"][0] ** 2, 1200.0)
    np.testing.assert_allclose(out["log_age_lw"], [9.75, 9.5])
    # Fluxes are means over spaxels, whatever their light.
    np.testing.assert_allclose(out["line_flux"][:, halpha], [2.0, 4.0 / 3.0])
    # A width is the mean flux over the mean continuum, here 2 and 2.
    np.testing.assert_allclose(out["line_ew"][:, halpha], [1.0, 2.0 / 3.0])


def test_honest_errors_have_unit_width_and_hold():
    rows = rows_of([simulated(np.random.default_rng(1))])
    for name in ("v_star", "sigma_star", "v_gas", "flux Halpha_6565", "EW Hbeta_4863", recovery.ALL_LINES):
        row = rows[name, "above 20"]
        assert abs(row.mean_pull) < 0.15
        assert row.std_pull == pytest.approx(1.0, abs=0.1)
        assert row.robust_width == pytest.approx(1.0, abs=0.15)
        assert row.fraction_within_1_sigma == pytest.approx(0.683, abs=0.06)
        assert row.holds == "yes"


def test_bias_is_detected():
    rows = rows_of([simulated(np.random.default_rng(2), bias=0.6)])
    row = rows["v_star", "above 20"]
    assert row.mean_pull == pytest.approx(0.6, abs=0.15)
    assert row.median_offset == pytest.approx(0.03, abs=0.01)
    assert row.holds == "no"
    assert rows["sigma_star", "above 20"].holds == "yes"


def test_too_few_values_say_nothing():
    row = rows_of([simulated(np.random.default_rng(3))])["v_star", "10-20"]
    assert (row.n_value, row.holds) == (0, "too few")


def test_all_lines_are_the_free_ones():
    pooled = recovery.pool([simulated(np.random.default_rng(4))])
    n_free = int(np.sum(fit_lines().partner == np.arange(len(LINES))))
    assert pooled[recovery.ALL_LINES].snr.size == n_free * N_BAXEL


def test_only_trusted_fits_and_detected_lines_count():
    bin_id = np.array([[0, 1, 2]])
    flux = np.ones((len(LINES), 1, 3))
    flux[:, 0, 1] = 0.1  # two sigma
    truth = truth_of((1, 3), sigma_star=np.array([[100.0, 40.0, 100.0]]), line_flux=flux)
    extract = extract_of(bin_id, [30.0, 30.0, 30.0])
    data = {"status": np.array([0, 0, 4])}
    for name in ("v_star", "sigma_star", "v_gas", "sigma_gas"):
        data |= {name: np.ones(3), f"{name}_err": np.ones(3)}
    for name in ("line_flux", "line_ew"):
        data |= {name: np.ones((3, len(LINES))), f"{name}_err": np.full((3, len(LINES)), 0.05)}
    found = recovery.compare(extract, artefact("fit", data), truth)
    sizes = {name: found[name].snr.size for name in ("v_star", "sigma_star", "v_gas", "flux Hbeta_4863")}
    assert sizes == {"v_star": 2, "sigma_star": 1, "v_gas": 1, "flux Hbeta_4863": 1}


def test_galaxy_without_baxels_passes_through():
    extract = extract_of(np.full((2, 2), -1), [])
    data = {"status": np.zeros(0, int)}
    data |= {f"{n}{e}": np.zeros(0) for n in ("v_star", "sigma_star", "v_gas", "sigma_gas") for e in ("", "_err")}
    data |= {f"line_{n}{e}": np.zeros((0, len(LINES))) for n in ("flux", "ew") for e in ("", "_err")}
    empty = recovery.compare(extract, artefact("fit", data), truth_of((2, 2)))
    pooled = recovery.pool([empty, simulated(np.random.default_rng(5)), empty])
    assert pooled["v_star"].snr.size == N_BAXEL
    assert all(row.holds == "too few" for row in rows_of([empty]).values())


def test_error_of_the_mean_counts_galaxies():
    # Four galaxies whose baxels share their noise: the error is that of four values.
    galaxy = np.repeat(np.arange(4), 100)
    pull = np.repeat([1.0, -1.0, 1.0, -1.0], 100)
    assert comparison.clustered_error(pull, galaxy) == pytest.approx(np.std([1, -1, 1, -1], ddof=1) / 2)
    assert np.isnan(comparison.clustered_error(pull[:100], galaxy[:100]))


def test_error_of_the_width():
    rng = np.random.default_rng(6)
    pulls, one_each = rng.standard_normal((400, 100)), np.arange(100)
    scatter = np.std([comparison.robust_width(pull) for pull in pulls])
    errors = [comparison.robust_width_error(pull, one_each) for pull in pulls]
    assert np.mean(errors) == pytest.approx(scatter, rel=0.1)
    # Four times the same noise in each of 25 galaxies is that of 25 values.
    shared = [comparison.robust_width_error(np.repeat(pull[:25], 4), np.repeat(one_each[:25], 4)) for pull in pulls]
    assert np.mean(shared) == pytest.approx(2.0 * scatter, rel=0.15)


def galaxies(mean, scatter, n=8, width=1.0):
    """A comparison of galaxies of 50 baxels whose mean pulls are ``mean`` plus and minus ``scatter``."""
    pull = np.repeat(mean + scatter * np.resize([1.0, -1.0], n), 50) + width * np.tile(np.linspace(-1.7, 1.7, 50), n)
    ones = np.ones(pull.size)
    return comparison.TruthComparison(pull, ones, 0.0 * ones, 25.0 * ones, np.repeat(np.arange(n), 50))


@pytest.mark.parametrize(
    ("mean", "scatter", "width", "holds"),
    [
        (0.2, 0.7, 1.0, "yes"),  # A mean within the limit is within it, however uncertain.
        (0.5, 0.7, 1.0, "within its error"),  # The error is 0.26: 0.2 beyond the limit is chance.
        (0.5, 0.1, 1.0, "no"),  # The error is 0.04.
        (-0.9, 0.7, 1.0, "no"),
        (0.0, 0.0, 0.5, "no"),
    ],
)
def test_a_verdict_counts_what_is_known(mean, scatter, width, holds):
    pooled = defaultdict(lambda: galaxies(mean, scatter, width=width))
    row = recovery.recovery_table(pooled)[0]
    assert row.mean_pull == pytest.approx(mean)
    assert row.mean_pull_error == pytest.approx(scatter / np.sqrt(7), abs=1e-9)
    assert row.holds == holds
