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
    known = observed_spectrum(WAVE, np.ones(WAVE.size), np.ones(WAVE.size), np.full(WAVE.size, SPREAD), air=air)
    # In air the wavelengths are stretched by up to 1e-5 more at one end than at the other.
    np.testing.assert_allclose(found.lsf, known.lsf, rtol=1e-4)
    # Old and new pixels, in the mean over their places to each other.
    added = np.mean(known.lsf**2) - SPREAD**2
    assert added == pytest.approx(np.mean(1.0 + np.gradient(known.wave) ** 2) / 12.0, rel=0.03)
