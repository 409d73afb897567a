"""Truth: labels of spectra of known populations come back within the limits, here of a sample, by 'make validate' in full."""

import os

import pytest

from mangrove.analysis.label_truth import Case, matched, other_dust, recover
from mangrove.spectra.fit_settings import FitSettings

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("truth")]

#: Number of spectra of each case.
N = 400 if os.environ.get("MANGROVE_VALIDATE") else 24


def beyond(case: Case) -> list[str]:
    rows = recover(case, N, FitSettings(), n_process=2)
    assert sum(row.n_value for row in rows) > 0.9 * N * len(rows)
    return [f"{row.label}: bias {row.bias:.3f}, rms {row.rms:.3f}" for row in rows if row.holds == "no"]


@pytest.mark.parametrize("case", [matched(30.0), matched(60.0), other_dust(30.0)], ids=["snr 30", "snr 60", "dust"])
def test_labels_are_within_their_limits(case):
    assert beyond(case) == []


def test_the_limits_would_notice_a_bias():
    """Another dust curve biases E(B-V) by 0.05."""
    case = other_dust(30.0)._replace(limits=matched(30.0).limits)
    assert any(row.label == "ebv_star" and row.holds == "no" for row in recover(case, 8, FitSettings(), n_process=2))
