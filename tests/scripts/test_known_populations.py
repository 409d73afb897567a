"""Truth: labels of spectra of known populations come back within the limits, here of a sample, by 'make validate' in full."""

import os

import numpy as np
import pytest

from mangrove.spectra.fit.settings import FitSettings
from mangrove.validation.known_populations import Case, matched, other_dust, population_row, recover

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("truth")]

#: Number of spectra of each case.
N = 400 if os.environ.get("MANGROVE_VALIDATE") else 24


def beyond(case: Case) -> list[str]:
    rows = recover(case, N, FitSettings(), "batched", n_process=1)
    assert sum(row.n_value for row in rows) > 0.9 * N * len(rows)
    return [f"{row.label}: bias {row.bias:.3f}, rms {row.rms:.3f}" for row in rows if row.holds == "no"]


CASES = {"snr 20": matched(20.0), "snr 30": matched(30.0), "snr 60": matched(60.0), "dust": other_dust(30.0)}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_labels_are_within_their_limits(case):
    assert beyond(case) == []


def test_the_limits_would_notice_a_bias():
    """Another dust curve biases E(B-V) by 0.08."""
    case = other_dust(30.0)._replace(limits=matched(30.0).limits, measured={})
    assert any(
        row.label == "ebv_star" and row.holds == "no" for row in recover(case, 8, FitSettings(), "batched", n_process=1)
    )


def test_limits_of_what_was_measured_narrow_with_the_sample():
    few, many = (other_dust(30.0).limit("ebv_star", n) for n in (24, 400))
    assert few == (0.10, 0.11)
    # 0.079 and three times 0.051 / 20; 0.094 and a tenth.
    assert many == pytest.approx((0.0866, 0.104), abs=5e-4)


def test_values_without_an_error_have_no_pull_and_no_values_keep_no_limit():
    case, truth = matched(30.0), np.zeros(5)
    value, error = np.array([0.01, -0.02, 0.03, 0.5, 0.0]), np.array([0.01, 0.01, 0.01, 0.0, 0.0])
    row = population_row(case, "ebv_star", value, error, truth)
    assert row.n_value == 5 and row.bias == pytest.approx(0.104)
    # Pulls 1, -2 and 3: their distances from the median are 0, 3 and 2.
    assert row.robust_pull_width == pytest.approx(2 * 1.4826, rel=1e-4)
    none = population_row(case, "ebv_star", *np.zeros((3, 0)))
    assert none.n_value == 0 and none.holds == "no" and np.isnan([none.bias, none.rms, none.robust_pull_width]).all()
