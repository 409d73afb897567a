"""Numbers that several rooms need: units of flux and length, the universe, the natural logarithm of ten, the Gaussian."""

import numpy as np

#: Unit of fluxes, erg/s/cm2, and of flux densities, erg/s/cm2/Angstrom.
FLUX_UNIT = 1e-17
#: Parsec and megaparsec, cm (IAU 2015 resolution B2), both written out: a product would differ in its last bit.
PARSEC_CM = 3.0856775814913673e18
MEGAPARSEC_CM = 3.0856775814913673e24
#: Of the flat universe of all ages, distances and masses: km/s/Mpc, and the density of matter over the critical one.
HUBBLE_CONSTANT, OMEGA_M = 70.0, 0.3
LN10 = np.log(10.0)
#: Standard deviation of a Gaussian over its median absolute deviation.
MAD_TO_SIGMA = 1.4826
