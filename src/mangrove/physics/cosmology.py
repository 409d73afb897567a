"""Ages and distances by redshift: H0 = 70 km/s/Mpc, Omega_m = 0.3, flat."""

from functools import cache

import numpy as np
from astropy.cosmology import FlatLambdaCDM

from mangrove.physics.constants import HUBBLE_CONSTANT, MEGAPARSEC_CM, OMEGA_M

COSMOLOGY = FlatLambdaCDM(H0=HUBBLE_CONSTANT, Om0=OMEGA_M)


def universe_age(z: float) -> float:
    """Age of the universe at a redshift, Gyr."""
    return float(COSMOLOGY.age(z).value)


@cache
def luminosity_distance(z: float) -> float:
    """Luminosity distance, cm.

    Raises
    ------
    ValueError
        If the redshift is not positive: there is no distance.
    """
    if not z > 0:
        raise ValueError(f"redshift {z} gives no distance")
    return float(COSMOLOGY.luminosity_distance(z).value) * MEGAPARSEC_CM


def kpc_per_arcsec(z: float) -> float:
    """Proper kpc per arcsec."""
    return luminosity_distance(z) / (1.0 + z) ** 2 / MEGAPARSEC_CM * 1e3 * np.pi / 180.0 / 3600.0
