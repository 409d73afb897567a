"""What a simulated galaxy is before it is observed."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mangrove.survey.releases import split_plateifu

# Fibres of an IFU -> (side of the cube in spaxels, diameter of the field in arcsec); Law et al. 2016.
BUNDLES = {19: (34, 12.5), 37: (44, 17.5), 61: (54, 22.5), 91: (64, 27.5), 127: (74, 32.5)}


class Population(NamedTuple):
    """One stellar population of a part of the galaxy.

    Attributes
    ----------
    part : str
        ``bulge``, ``disc`` or ``arms``: the light of the disc gathered in spiral arms.
    fraction : float
        Of the light of that part.
    log_age, metallicity : float
        log10(age/yr) and [M/H] at the centre.
    age_gradient, metallicity_gradient : float
        dex per effective radius.
    """

    part: str
    fraction: float
    log_age: float
    age_gradient: float
    metallicity: float
    metallicity_gradient: float


@dataclass(frozen=True)
class SimulatedGalaxy:
    """A galaxy and how it is observed. Lengths are arcsec, angles degrees (N to E), speeds km/s.

    ``kind`` is the physics (star_forming, seyfert, passive, liner, blueberry), ``role`` what is special about it ('' if
    nothing). ``central_flux`` sets the brightness: see :data:`mangrove.survey.simulation.design.CENTRAL_FLUX`. Offsets are
    (east, north) of the galaxy's centre; ``pointing`` is the offset of the IFU from it. ``ew_halpha`` is the rest-frame
    equivalent width (Angstrom) of Halpha from star formation before dust, ``ew_nuclear`` that of active or old-star
    ionisation, ``ew_old_stars`` that of old stars beside an active nucleus; ``oxygen`` is 12 + log(O/H) at the centre. ``knots`` are HII regions: (east, north, amplitude over the smooth
    disc). ``arm_pitch`` is the pitch angle of two spiral arms; 0 for none. ``nucleus_share`` is the light of a second
    nucleus over that of the bulge.
    """

    plateifu: str
    seed: int
    kind: str
    role: str
    mangaid: str
    ra: float
    dec: float
    pointing: tuple[float, float]
    redshift: float
    ebv_galactic: float
    drp3qual: int
    psf_fwhm: float
    central_flux: float
    bulge_fraction: float
    bulge_radius: float
    effective_radius: float
    inclination: float
    position_angle: float
    populations: tuple[Population, ...]
    v_systemic: float
    v_max: float
    turnover_radius: float
    sigma_centre: float
    sigma_outer: float
    sigma_gas: float
    sigma_nuclear_gas: float
    ebv_centre: float
    ebv_gradient: float
    ew_halpha: float
    ew_nuclear: float
    nuclear_radius: float
    oxygen: float
    oxygen_gradient: float
    knots: tuple[tuple[float, float, float], ...]
    agn_offset: tuple[float, float] = (0.0, 0.0)
    second_nucleus: tuple[float, float] | None = None
    nucleus_share: float = 0.6
    foreground_star: tuple[float, float] | None = None
    arm_pitch: float = 0.0
    ew_old_stars: float = 0.0

    @property
    def n_fibre(self) -> int:
        """Number of fibres of the IFU."""
        return int(str(split_plateifu(self.plateifu)[1])[:-2])

    @property
    def side(self) -> int:
        """Spaxels along a side of the cube."""
        return BUNDLES[self.n_fibre][0]

    @property
    def field_diameter(self) -> float:
        """Diameter of the hexagonal field between opposite corners, arcsec."""
        return BUNDLES[self.n_fibre][1]


def random_generator(seed: int, *names: str) -> np.random.Generator:
    """Generator that depends on the seed and the names alone, on no other galaxy."""
    digest = hashlib.sha256("/".join([str(seed), *names]).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def ifu_position(galaxy: SimulatedGalaxy) -> tuple[float, float]:
    """Right ascension and declination of the IFU, deg."""
    east, north = galaxy.pointing
    dec = galaxy.dec + north / 3600.0
    return round(galaxy.ra + east / 3600.0 / np.cos(np.deg2rad(galaxy.dec)), 8), round(dec, 8)
