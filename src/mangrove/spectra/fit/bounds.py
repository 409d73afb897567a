"""Bounds of what a fit varies; labels say where a value is at one."""

#: Bounds of the dispersions, km/s: of the stars, and of each component of the gas.
SIGMA_STAR_BOUND = (1.0, 600.0)
SIGMA_GAS_BOUND = (1.0, 350.0)
SIGMA_COMPONENT_BOUND = (SIGMA_GAS_BOUND, (1.0, 600.0), (500.0, 4000.0))
#: Broadening takes light from so far beyond, km/s; pPXF insists on as much (Cappellari 2023, equation 5c).
BROADENING_ROOM = 900.0
#: pPXF stops within this part of a bound.
NEAR_BOUND = 0.999
#: Stars within 5 % of the bound count as at it: a redshift wrong by just as much is measured to within the noise.
NEARLY = 1.05
#: S/N of the best line above which the gas is detected: its kinematics mean something, and bounds that they reach too.
GAS_DETECTED = 5.0
#: Largest E(B-V) of the stars, mag.
MAX_EBV = 3.0
#: Dispersions from which a fit starts, km/s.
START_SIGMA_STAR, START_SIGMA_GAS = 120.0, 60.0
#: Fewest good pixels that are fitted.
MIN_PIXELS = 100
#: Pixels nearer to a line, km/s, are never clipped: outflows and narrow cores are real.
CLIP_FROM_LINE = 1500.0
