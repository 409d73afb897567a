"""Solutions of a batch."""

import batched_spectra
import jax
import numpy as np
import pytest
from one_spectrum import SIGMA_GAS, SIGMA_STAR, V_GAS, V_STAR

from mangrove.spectra.fit.batched.solve import solve

pytestmark = pytest.mark.usefixtures("quick_jax")


@pytest.fixture(scope="module")
def solutions():
    return jax.tree.map(np.asarray, solve(batched_spectra.batch()))


def test_kinematics_are_those_put_in(solutions):
    # The second galaxy's redshift is 0.0003 larger.
    known = np.array([[V_STAR, SIGMA_STAR], [V_GAS, SIGMA_GAS]])
    np.testing.assert_allclose(solutions.kinematics[[0, 2]], np.stack([known, known]), atol=20.0)
    assert np.all(solutions.converged)
