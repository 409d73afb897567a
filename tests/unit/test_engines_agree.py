"""Both engines on the same simulated baxels: chi2, kinematics, populations, dust, lines and widths of draws agree."""

import jax
import numpy as np
import pytest
from engines import fitted
from support.baxels import simulated_baxels

from mangrove.validation.engine_agreement import compared, joined, summary

pytestmark = pytest.mark.slow

#: Standard error of the median ratio of two widths of 16 draws each, times the root of their number.
RATIO_ERROR = 0.33


@pytest.fixture(scope="module")
def compiled_in_full():
    """Programs as users have them: where two minima are nearly as good, their rounding chooses.

    Those that other modules have compiled otherwise are dropped: JAX would take them again.
    """
    jax.config.update("jax_disable_most_optimizations", False)
    jax.clear_caches()
    yield
    jax.config.update("jax_disable_most_optimizations", True)
    jax.clear_caches()


@pytest.fixture(scope="module")
def agreement(compiled_in_full):
    sample = simulated_baxels(4, 12)
    results = {engine: [fitted(engine, one.galaxy, one.spectra) for one in sample] for engine in ("batched", "ppxf")}
    return joined(
        compared(one.galaxy, one.table, one.spectra, found, reference)
        for one, found, reference in zip(sample, *results.values(), strict=True)
    )


def test_chi2_and_measurements_keep_the_limits(agreement):
    rows = [row for row in summary(agreement) if "width" not in row.quantity]
    assert [row.quantity for row in rows if not row.holds] == []
    assert all(row.n >= 40 for row in rows if "gas" not in row.quantity)


def test_statuses_are_the_same(agreement):
    assert np.mean(agreement.same_status) > 0.95


@pytest.mark.parametrize("name", ["log_age_lw", "metallicity_lw", "log_ml_r", "ebv_star"])
def test_draws_are_as_wide(agreement, name):
    ratio = agreement.width[name]
    ratio = ratio[np.isfinite(ratio)]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.1 + 2 * RATIO_ERROR / np.sqrt(ratio.size))
