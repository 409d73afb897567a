"""The galaxies of the simulated survey: each drawn from its seed and its name, some with a role."""

from dataclasses import replace

import numpy as np

from mangrove.errors import SampleError
from mangrove.survey.releases import split_plateifu
from mangrove.survey.simulation.galaxies import BUNDLES, Population, SimulatedGalaxy, random_generator

#: Mean flux per spaxel at the brightest point near 5500 Angstrom rest, 1e-17 erg/s/cm2/Angstrom.
CENTRAL_FLUX = 1.5
TOO_FAINT_FLUX = 0.02
#: Radius of the field in effective radii. MaNGA's reaches 1.5 or 2.5; here the galaxies are nearer, so that few
#: spectra show their structure.
_FIELD_IN_RE = (0.8, 1.1)

DRP3QUAL_CRITICAL = 1 << 30

_ROLES = {
    "9000-12701": ("star_forming", "spiral"),
    "9001-1901": ("star_forming", ""),
    "9001-1902": ("seyfert", ""),
    "9002-1901": ("passive", ""),
    "9002-1902": ("liner", ""),
    "9003-1901": ("star_forming", "foreground_star"),
    "9003-1902": ("star_forming", "critical"),
    "9004-1901": ("star_forming", "too_faint"),
    "9004-1902": ("star_forming", "repeat"),
    "9005-1901": ("passive", "double_nucleus"),
    "9005-1902": ("star_forming", "offset_agn"),
    "9006-1901": ("blueberry", ""),
}
#: A repeat observation and the plateifu whose galaxy it shows again.
REPEATS = {"9004-1902": "9001-1901"}
#: The default survey: every role once, then regular galaxies: star-forming and passive ones that the split of seed 1
#: keeps for the test, and a star-forming one for validation.
SIMULATED_SURVEY = (*_ROLES, "9006-1904", "9007-1901", "9007-3704")
_FIRST_REGULAR_PLATE = 9008
_N_ARM_KNOTS = 40
_REGULAR_KINDS = (("star_forming", 0.6), ("seyfert", 0.15), ("passive", 0.25))


def survey_plateifus(n: int) -> tuple[str, ...]:
    """The first ``n`` plateifus of the simulated survey: :data:`SIMULATED_SURVEY`, then regular galaxies."""
    extra = max(0, n - len(SIMULATED_SURVEY))
    regular = (f"{_FIRST_REGULAR_PLATE + i // 2}-{1901 + i % 2}" for i in range(extra))
    return (*SIMULATED_SURVEY, *regular)[:n]


def design_galaxy(plateifu: str, seed: int) -> SimulatedGalaxy:
    """Draw a galaxy; it depends on the seed and its plateifu only.

    Parameters
    ----------
    plateifu : str
        The IFU design says how many fibres (19, 37, 61, 91 or 127).
    seed : int

    Raises
    ------
    SampleError
        If the plateifu is malformed or its IFU has another number of fibres.
    """
    _, ifu = split_plateifu(plateifu)
    if ifu // 100 not in BUNDLES:
        raise SampleError(f"'{plateifu}': IFU {ifu} has none of {', '.join(map(str, BUNDLES))} fibres.")
    original = REPEATS.get(plateifu, plateifu)
    rng = random_generator(seed, original, "galaxy")
    _, role = _ROLES.get(plateifu, ("", ""))
    drawn = _draw_kind(rng)
    galaxy = draw_galaxy(rng, original, seed, _ROLES.get(original, (drawn, ""))[0])
    observed = random_generator(seed, plateifu, "observation")
    shift = 0.5 if role == "repeat" else 0.05
    galaxy = replace(
        galaxy,
        plateifu=plateifu,
        role=role,
        pointing=_rounded(observed.normal(0.0, shift, 2), 3),
        psf_fwhm=round(float(observed.normal(2.5, 0.04)), 3),
    )
    return _play_role(galaxy, rng)


def _draw_kind(rng) -> str:
    names, odds = zip(*_REGULAR_KINDS, strict=True)
    return str(rng.choice(names, p=odds))


def draw_galaxy(rng, plateifu: str, seed: int, kind: str, field_in_re=_FIELD_IN_RE) -> SimulatedGalaxy:
    """Draw a galaxy of a kind, without a role.

    Parameters
    ----------
    rng : numpy.random.Generator
    plateifu : str
    seed : int
    kind : str
        See :class:`mangrove.survey.simulation.galaxies.SimulatedGalaxy`.
    field_in_re : tuple of float
        Lowest and highest radius of the field in effective radii.
    """
    field = BUNDLES[int(plateifu.split("-")[1]) // 100][1]
    early = kind in ("passive", "liner")
    effective_radius = field / 2 / rng.uniform(*field_in_re)
    v_max = rng.uniform(100, 250)
    galaxy = SimulatedGalaxy(
        plateifu=plateifu,
        seed=seed,
        kind=kind,
        role="",
        mangaid=f"1-{rng.integers(100_000, 999_999)}",
        ra=round(rng.uniform(110, 250), 6),
        dec=round(rng.uniform(0, 55), 6),
        pointing=(0.0, 0.0),
        redshift=round(rng.uniform(0.02, 0.08), 6),
        ebv_galactic=round(rng.uniform(0.01, 0.1), 4),
        drp3qual=0,
        psf_fwhm=2.5,
        central_flux=CENTRAL_FLUX * rng.uniform(0.9, 1.15),
        bulge_fraction=rng.uniform(0.25, 0.45) if early else rng.uniform(0.05, 0.25),
        bulge_radius=effective_radius * rng.uniform(0.25, 0.4),
        effective_radius=effective_radius,
        inclination=rng.uniform(25, 70),
        position_angle=rng.uniform(0, 180),
        populations=_draw_populations(rng, kind),
        v_systemic=float(rng.normal(0, 20)) if rng.uniform() < 0.25 else 0.0,
        v_max=v_max,
        turnover_radius=effective_radius * rng.uniform(0.2, 0.4),
        sigma_centre=rng.uniform(140, 210) if early else 50 + 0.4 * v_max * rng.uniform(0.6, 1.2),
        sigma_outer=rng.uniform(60, 90) if early else rng.uniform(52, 65),
        sigma_gas=rng.uniform(25, 45),
        sigma_nuclear_gas=rng.uniform(120, 200) if kind in ("seyfert", "liner") else 60.0,
        ebv_centre=rng.uniform(0.0, 0.12) if early else rng.uniform(0.1, 0.45),
        ebv_gradient=rng.uniform(-0.15, -0.05),
        ew_halpha=0.0 if early else rng.uniform(8, 35),
        ew_nuclear={"seyfert": rng.uniform(20, 50), "liner": 1.2, "passive": 0.25}.get(kind, 0.15),
        nuclear_radius=rng.uniform(0.8, 1.5) if kind == "seyfert" else effective_radius,
        oxygen=rng.uniform(8.45, 8.75),
        oxygen_gradient=rng.uniform(-0.12, -0.03),
        knots=_draw_knots(rng, effective_radius),
    )
    return _as_blueberry(galaxy) if kind == "blueberry" else galaxy


def _draw_populations(rng, kind: str) -> tuple[Population, ...]:
    """Ages and metallicities are drawn continuously: they lie between the points of any template grid."""
    early = kind in ("passive", "liner")
    young_light = 0.0 if early else rng.uniform(0.2, 0.4)
    metallicity = rng.uniform(-0.1, 0.2) if early else rng.uniform(-0.4, 0.1)
    table = (
        ("bulge", 0.7, rng.uniform(9.85, 10.08), -0.06, metallicity + 0.05, -0.15),
        ("bulge", 0.3, rng.uniform(9.4, 9.7), -0.10, metallicity + 0.10, -0.15),
        ("disc", 0.5 * (1 - young_light), rng.uniform(9.6, 9.95), -0.10, metallicity, -0.12),
        ("disc", 0.5 * (1 - young_light), rng.uniform(9.55, 9.8) if early else rng.uniform(8.85, 9.3), -0.15,
         metallicity + 0.05, -0.12),
        ("disc", young_light, rng.uniform(7.2, 8.2), -0.15, metallicity + 0.10, -0.12),
    )  # fmt: skip
    return tuple(Population(*row) for row in table)


def _draw_knots(rng, effective_radius: float) -> tuple[tuple[float, float, float], ...]:
    """HII regions: (east, north, amplitude over the smooth disc)."""
    radius = effective_radius * rng.uniform(0.4, 1.8, 8)
    angle = rng.uniform(0, 2 * np.pi, 8)
    amplitude = rng.uniform(0.5, 2.0, 8)
    return tuple(_rounded(k, 3) for k in zip(radius * np.sin(angle), radius * np.cos(angle), amplitude, strict=True))


def _as_blueberry(galaxy: SimulatedGalaxy) -> SimulatedGalaxy:
    """A compact starburst of very low metallicity (like 8626-12704)."""
    populations = (
        Population("bulge", 1.0, 9.0, -0.1, -1.1, 0.0),
        Population("disc", 0.7, 6.75, 0.0, -1.2, 0.0),
        Population("disc", 0.3, 8.2, 0.0, -1.15, 0.0),
    )
    return replace(
        galaxy,
        populations=populations,
        central_flux=3.0,
        bulge_fraction=0.1,
        effective_radius=1.3,
        bulge_radius=1.0,
        inclination=30.0,
        v_max=40.0,
        turnover_radius=0.6,
        sigma_centre=55.0,
        sigma_outer=52.0,
        ebv_centre=0.05,
        ew_halpha=300.0,
        ew_nuclear=0.0,
        oxygen=7.8,
        oxygen_gradient=0.0,
        knots=(),
    )


def _as_spiral(galaxy: SimulatedGalaxy, rng) -> SimulatedGalaxy:
    """A nearby two-armed spiral seen nearly face-on, its young stars and HII regions along the arms."""
    populations = (
        Population("bulge", 0.8, 10.0, -0.05, 0.15, -0.1),
        Population("bulge", 0.2, 9.6, -0.1, 0.15, -0.1),
        Population("disc", 0.6, 9.8, -0.15, 0.05, -0.2),
        Population("disc", 0.4, 9.2, -0.25, 0.05, -0.2),
        Population("arms", 1.0, 7.9, -0.1, 0.1, -0.2),
    )
    galaxy = replace(
        galaxy,
        populations=populations,
        redshift=0.0213,
        central_flux=1.5,
        bulge_fraction=0.06,
        bulge_radius=4.0,
        effective_radius=18.0,
        inclination=32.0,
        v_systemic=0.0,
        v_max=210.0,
        turnover_radius=4.0,
        sigma_centre=130.0,
        sigma_outer=55.0,
        ebv_centre=0.3,
        ebv_gradient=-0.1,
        ew_halpha=14.0,
        oxygen=8.75,
        oxygen_gradient=-0.12,
        arm_pitch=18.0,
    )
    return replace(galaxy, knots=_draw_arm_knots(rng, galaxy))


def _draw_arm_knots(rng, galaxy: SimulatedGalaxy) -> tuple[tuple[float, float, float], ...]:
    """HII regions along the arms, as in :func:`_draw_knots`."""
    radius = galaxy.effective_radius * rng.uniform(0.25, 1.3, _N_ARM_KNOTS)
    ridge = np.log(radius / galaxy.effective_radius) / np.tan(np.deg2rad(galaxy.arm_pitch))
    azimuth = ridge + np.pi * rng.integers(0, 2, _N_ARM_KNOTS) + rng.normal(0.0, 0.1, _N_ARM_KNOTS)
    major, minor = radius * np.cos(azimuth), radius * np.sin(azimuth) * np.cos(np.deg2rad(galaxy.inclination))
    angle = np.deg2rad(galaxy.position_angle)
    east, north = major * np.sin(angle) + minor * np.cos(angle), major * np.cos(angle) - minor * np.sin(angle)
    amplitude = rng.uniform(0.5, 3.0, _N_ARM_KNOTS)
    return tuple(_rounded(knot, 3) for knot in zip(east, north, amplitude, strict=True))


def _play_role(galaxy: SimulatedGalaxy, rng) -> SimulatedGalaxy:
    angle = rng.uniform(0, 2 * np.pi)
    east, north = np.sin(angle), np.cos(angle)
    if galaxy.role == "foreground_star":
        return replace(galaxy, foreground_star=_rounded((4.0 * east, 4.0 * north), 3))
    if galaxy.role == "critical":
        return replace(galaxy, drp3qual=galaxy.drp3qual | DRP3QUAL_CRITICAL)
    if galaxy.role == "too_faint":
        return replace(galaxy, central_flux=TOO_FAINT_FLUX, ew_halpha=5.0)
    if galaxy.role == "double_nucleus":
        return replace(galaxy, second_nucleus=_rounded((3.8 * east, 3.8 * north), 3))
    if galaxy.role == "spiral":
        return _as_spiral(galaxy, rng)
    if galaxy.role == "offset_agn":
        return replace(galaxy, agn_offset=_rounded((2.5 * east, 2.5 * north), 3), ew_nuclear=80.0,
                       nuclear_radius=0.8, sigma_nuclear_gas=180.0)  # fmt: skip
    return galaxy


def _rounded(values, digits: int) -> tuple[float, ...]:
    return tuple(round(float(v), digits) for v in values)
