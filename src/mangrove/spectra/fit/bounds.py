"""Bounds of what a fit varies; labels say where a value is at one."""

#: Bounds of the dispersions, km/s: of the stars, and of each component of the gas.
SIGMA_STAR_BOUND = (1.0, 600.0)
SIGMA_GAS_BOUND = (1.0, 350.0)
SIGMA_COMPONENT_BOUND = (SIGMA_GAS_BOUND, (1.0, 600.0), (500.0, 4000.0))
#: pPXF stops within this part of a bound.
NEAR_BOUND = 0.999
#: Largest E(B-V) of the stars, mag.
MAX_EBV = 3.0
