"""Ages and distances by redshift: H0 = 70 km/s/Mpc, Omega_m = 0.3, flat."""

from functools import cache

import numpy as np
from astropy.cosmology import FlatLambdaCDM

COSMOLOGY = FlatLambdaCDM(H0=70.0, Om0=0.3)

_CM_PER_MPC = 3.0856775814913673e24


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
    return float(COSMOLOGY.luminosity_distance(z).value) * _CM_PER_MPC


def kpc_per_arcsec(z: float) -> float:
    """Proper kpc per arcsec."""
    return luminosity_distance(z) / (1.0 + z) ** 2 / _CM_PER_MPC * 1e3 * np.pi / 180.0 / 3600.0
