"""A user's spectrum as the fit wants it: what rebinning to a log-linear scale makes of its line spread."""

import numpy as np
import pytest

from mangrove.notebook.inputs import observed_spectrum

WAVE = np.arange(3700.0, 9000.0, 1.0)
SPREAD = 1.2


@pytest.mark.parametrize("air", [False, True])
def test_an_unknown_line_spread_is_not_a_narrow_one_after_rebinning(air):
    """Where it is 0 (not known), it is that of the neighbours, as on a log-linear scale."""
    lsf = np.full(WAVE.size, SPREAD)
    lsf[((WAVE > 5000) & (WAVE < 6000)) | (WAVE < 3900) | (WAVE > 8800)] = 0.0
    found = observed_spectrum(WAVE, np.ones(WAVE.size), np.ones(WAVE.size), lsf, air=air)
    # The pixel adds its own width, that of a box, in quadrature.
    expected = np.hypot(SPREAD, np.gradient(found.wave) / np.sqrt(12.0))
    np.testing.assert_allclose(found.lsf, expected, rtol=1e-3)
