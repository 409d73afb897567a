"""Further components of the gas: where they start, and what they must gain."""

from itertools import combinations

from mangrove.spectra.fit.component_names import BROAD, SECOND
from mangrove.spectra.fit.settings import FitSettings

#: By how much the criterion must fall: odds of e^5, "very strong" in Kass & Raftery (1995, JASA 90, 773).
MIN_BIC_GAIN = 10.0
#: Kinematics from which pairs of components start, relative to the only one: km/s, and parts of its dispersion.
_START_V = (-300.0, -150.0, 0.0, 150.0, 300.0)
_START_SIGMA = (0.5, 1.0, 2.5)
SINGLES = tuple((v, part) for v in _START_V for part in _START_SIGMA)
#: Which two of them start together.
PAIRS = tuple(combinations(range(len(SINGLES)), 2))
#: Least dispersion, km/s, from which one of a pair starts.
LEAST_START_SIGMA = 20.0
#: Dispersions, km/s, from which a broad component starts.
START_BROAD = (700.0, 1400.0, 2800.0)
#: Pixels farther from lines than this, km/s, tell the noise.
AWAY_FROM_LINES = 800.0


def further_components(settings: FitSettings) -> list[int]:
    """The components that settings allow beside the first."""
    return ([SECOND] if settings.gas_components > 1 else []) + ([BROAD] if settings.broad_lines else [])
