"""Which lines of a spectrum have a template, where many of its pixels are masked."""

from types import SimpleNamespace

import numpy as np
import pytest

from mangrove.physics.lines import fit_lines
from mangrove.spectra.fit.line_coverage import fitted_lines

LINES = fit_lines()
WAVE = np.exp(np.arange(np.log(3700.0), np.log(7300.0), 1e-4 * np.log(10)))


def without_template(*masked):
    """Lines without a template where ranges of wavelengths are masked."""
    good = np.ones(WAVE.size, bool)
    for low, high in masked:
        good &= (low > WAVE) | (high < WAVE)
    use = fitted_lines(SimpleNamespace(wave=WAVE, good=good, log_step=1e-4 * np.log(10)), LINES)
    return {name for name, has_one in zip(LINES.name, use, strict=True) if not has_one}


@pytest.mark.parametrize(
    ("masked", "expected"),
    [
        ([], set()),
        # [SII] 6733 is 1,960 km/s from the next good pixel, which gas at its limits would reach.
        ([(6057, 6777)], {"OI_6302", "OI_6366", "NII_6550", "Halpha_6565", "NII_6585", "SII_6718"}),
        # Of a pair of tied lines one can be seen, then none.
        ([(4970, 5050)], set()),
        ([(4900, 5050)], {"OIII_4960", "OIII_5008"}),
        # A few pixels in the midst show the line.
        ([(4800, 4860), (4864, 4920)], set()),
        ([(4800, 4920)], {"Hbeta_4863"}),
        # Where none can be seen, stars and gas are fitted as ever.
        ([(3600, 7400)], set()),
    ],
)
def test_lines_in_the_midst_of_masked_pixels_have_no_template(masked, expected):
    assert without_template(*masked) == expected
