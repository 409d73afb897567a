"""Lines of the night sky whose subtraction leaves residuals, from 4300 to 7760 Angstrom."""

import numpy as np

from mangrove.physics.night_sky import SKY_LINES
from mangrove.physics.wavelengths import air_to_vacuum

#: Bright lines of OH (Osterbrock et al. 1996, PASP 108, 277) and [OI] 6364, in air, Angstrom, ...
_AIRGLOW = (
    *(6257.96, 6287.43, 6363.78, 6498.73, 6533.04, 6553.62, 6863.96, 6923.22, 6939.52, 6948.94, 6978.41, 7003.86),
    *(7244.91, 7276.41, 7284.44, 7316.28, 7329.15, 7340.89, 7358.66, 7571.75, 7750.64),
)
#: ... and of mercury from street lamps.
_MERCURY = (4358.33, 5460.75)
#: Vacuum, observed frame, Angstrom, in order.
AIRGLOW_LINES = np.sort([*SKY_LINES, *air_to_vacuum(np.array([*_AIRGLOW, *_MERCURY]))])


def nearest_airglow(wave) -> np.ndarray:
    """The line of the night sky nearest to each wavelength, both observed, vacuum, Angstrom."""
    wave = np.asarray(wave)
    return AIRGLOW_LINES[np.abs(wave[..., None] - AIRGLOW_LINES).argmin(axis=-1)]
