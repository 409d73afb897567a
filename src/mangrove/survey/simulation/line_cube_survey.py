"""A simulated survey of emission-line cubes: galaxies of all kinds, one in 48 with a planted anomaly of known strength."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mangrove.physics.lines import window_lines
from mangrove.survey.releases import split_plateifu
from mangrove.survey.simulation.design import draw_galaxy
from mangrove.survey.simulation.galaxies import SimulatedGalaxy, random_generator
from mangrove.survey.simulation.maps import galaxy_maps
from mangrove.survey.simulation.spectra_survey import design_various_galaxy

#: Kinds of planted anomalies, and lowest and highest strength, drawn evenly in its logarithm. Strength is, in this order:
#: light of the second nucleus over that of the galaxy; EW(Halpha) of the gas that the nucleus out of place ionises, over
#: all the galaxy's light before dust, Angstrom; EW(Halpha) before dust, Angstrom; peak of the residual over the noise of
#: an empty spaxel.
STRENGTHS = {
    "double_nucleus": (0.05, 0.4),
    "offset_agn": (2.0, 30.0),
    "blueberry": (60.0, 400.0),
    "sky_residual": (2.0, 20.0),
}
ANOMALIES = tuple(STRENGTHS)

_IFUS = (1901, 1902, 3701, 3703)
_FIRST_PLATE, _FIRST_HELD_OUT_PLATE = 6000, 5000
#: One galaxy of every plate of this multiple has an anomaly: one in 48 of the survey. Were there more of a kind, networks
#: would learn it.
_PLATES_PER_ANOMALY = 12
_REDSHIFTS = (0.02, 0.075)
#: Scatter of the logarithm of the brightness, dex, and the largest departure.
_FLUX_SCATTER, _LARGEST_DEPARTURE = 0.25, 0.6
#: Smallest size over that of a galaxy that fills its field as MaNGA's do; drawn evenly in its logarithm up to 1.
_SMALLEST = 0.4
#: Brightness of the continuum of a blueberry, as SimulatedGalaxy.central_flux: low, as its lines make it bright, the
#: larger the brighter (docs/autoencoders.md).
_BLUEBERRY_FLUX = 0.3
#: Largest size of a blueberry over the smallest, 1.3 arcsec, drawn evenly in its logarithm: small, but not the smallest.
_LARGEST_BLUEBERRY = 2.5
#: Distance of a second nucleus, and of an active nucleus out of place, from the centre, arcsec.
_SECOND_DISTANCE, _AGN_DISTANCE = 3.8, 3.0
#: Strong lines of OH's 7-2 band, vacuum, Angstrom (Osterbrock et al. 1996, in air there), ...
_OH_LINES = (6865.85, 6925.13, 6941.44, 6950.85)
#: ... and the lines of galaxies on which they fall at the survey's redshifts.
_NEAR_OH = ("Halpha_6565", "NII_6585", "SII_6718")


class LineCubeGalaxy(NamedTuple):
    """A galaxy of the survey.

    Attributes
    ----------
    galaxy : SimulatedGalaxy
        Its ``role`` is the anomaly.
    strength : float
        Of the anomaly, see :data:`STRENGTHS`; NaN for a normal galaxy.
    sky_line : float
        Observed wavelength of the sky residual, vacuum, Angstrom; NaN without one.
    """

    galaxy: SimulatedGalaxy
    strength: float
    sky_line: float

    @property
    def anomaly(self) -> str:
        """One of ``ANOMALIES``; empty for a normal galaxy."""
        return self.galaxy.role


def line_cube_plateifus(n: int) -> tuple[str, ...]:
    """The first ``n`` plateifus of the survey."""
    return _plateifus(_FIRST_PLATE, n)


def held_out_galaxies(n_normal: int, n_planted: int, seed: int) -> list[LineCubeGalaxy]:
    """Galaxies like those of the survey but none of it: normal ones, then ``n_planted`` with each anomaly."""
    wanted = [""] * n_normal + [anomaly for anomaly in ANOMALIES for _ in range(n_planted)]
    names = _plateifus(_FIRST_HELD_OUT_PLATE, len(wanted))
    return [_design(name, seed, anomaly) for name, anomaly in zip(names, wanted, strict=True)]


def design_line_cube_galaxy(plateifu: str, seed: int) -> LineCubeGalaxy:
    """Draw a galaxy of the survey; it depends on the seed and its plateifu only.

    Galaxies are those of :mod:`mangrove.survey.simulation.spectra_survey`, but none is seen twice, their brightness and
    size vary more (no anomaly is the brightest or the smallest), and they lie near enough for the autoencoders' sample.
    One in 48 has an anomaly.

    Raises
    ------
    SampleError
        If the plateifu is malformed or its IFU has another number of fibres than MaNGA's.
    """
    return _design(plateifu, seed, _anomaly_of(plateifu, seed))


def _plateifus(first_plate: int, n: int) -> tuple[str, ...]:
    return tuple(f"{first_plate + i // len(_IFUS)}-{_IFUS[i % len(_IFUS)]}" for i in range(n))


def _anomaly_of(plateifu: str, seed: int) -> str:
    plate, ifu = split_plateifu(plateifu)
    number, rest = divmod(plate - _FIRST_PLATE, _PLATES_PER_ANOMALY)
    if rest or ifu != random_generator(seed, str(plate), "place of the anomaly").choice(_IFUS):
        return ""
    return ANOMALIES[number % len(ANOMALIES)]


def _design(plateifu: str, seed: int, anomaly: str) -> LineCubeGalaxy:
    rng = random_generator(seed, plateifu, "line cube")
    galaxy = _scaled(design_various_galaxy(plateifu, seed), _SMALLEST ** rng.uniform())
    if anomaly == "blueberry":
        blueberry = draw_galaxy(rng, plateifu, seed, "blueberry")
        blueberry = _scaled(blueberry, _LARGEST_BLUEBERRY ** rng.uniform())
        galaxy = replace(blueberry, pointing=galaxy.pointing, psf_fwhm=galaxy.psf_fwhm, central_flux=_BLUEBERRY_FLUX)
    scatter = np.clip(rng.normal(0.0, _FLUX_SCATTER), -_LARGEST_DEPARTURE, _LARGEST_DEPARTURE)
    galaxy = replace(
        galaxy,
        role=anomaly,
        mangaid=f"1-{plateifu.replace('-', '')}",
        redshift=round(rng.uniform(*_REDSHIFTS), 6),
        central_flux=galaxy.central_flux * 10**scatter,
    )
    if not anomaly:
        return LineCubeGalaxy(galaxy, np.nan, np.nan)
    strength = float(np.exp(rng.uniform(*np.log(STRENGTHS[anomaly]))))
    return _planted(galaxy, strength, rng)


def _scaled(galaxy: SimulatedGalaxy, size: float) -> SimulatedGalaxy:
    """The galaxy with all its lengths times ``size``, its kinematics as they were."""
    lengths = ("effective_radius", "bulge_radius", "turnover_radius", "nuclear_radius")
    knots = tuple((size * east, size * north, amplitude) for east, north, amplitude in galaxy.knots)
    return replace(galaxy, knots=knots, **{name: size * getattr(galaxy, name) for name in lengths})


def _planted(galaxy: SimulatedGalaxy, strength: float, rng) -> LineCubeGalaxy:
    """The galaxy with the anomaly that its role names."""
    angle = rng.uniform(0, 2 * np.pi)
    towards = np.array([np.sin(angle), np.cos(angle)])
    sky_line = np.nan
    if galaxy.role == "double_nucleus":
        place = tuple(map(float, _SECOND_DISTANCE * towards))
        galaxy = replace(galaxy, second_nucleus=place, nucleus_share=strength / galaxy.bulge_fraction)
    elif galaxy.role == "offset_agn":
        galaxy = _with_offset_agn(galaxy, tuple(map(float, _AGN_DISTANCE * towards)), strength)
    elif galaxy.role == "blueberry":
        galaxy = replace(galaxy, ew_halpha=strength)
    else:
        sky_line, redshift = _sky_line(rng)
        galaxy = replace(galaxy, redshift=redshift)
    return LineCubeGalaxy(galaxy, strength, sky_line)


def _with_offset_agn(galaxy: SimulatedGalaxy, place: tuple[float, float], strength: float) -> SimulatedGalaxy:
    """The galaxy with its one active nucleus out of place, of a strength as :data:`STRENGTHS` defines it.

    Its other gas stays as it was; a Seyfert galaxy's own nucleus is the one that moves.
    """
    seyfert = galaxy.kind == "seyfert"
    galaxy = replace(
        galaxy,
        kind="star_forming" if seyfert else galaxy.kind,
        ew_old_stars=0.0 if seyfert else galaxy.ew_nuclear,
        agn_offset=place,
        ew_nuclear=1.0,
        nuclear_radius=0.8,
        sigma_nuclear_gas=180.0,
    )
    maps = galaxy_maps(galaxy)
    return replace(galaxy, ew_nuclear=strength * float(maps.light.sum() / maps.halpha["seyfert"].sum()))


def _sky_line(rng) -> tuple[float, float]:
    """A line of the night sky, Angstrom, and a redshift that puts a line of the galaxy within 60 km/s of it."""
    lines = window_lines()
    rest = lines.wave[[lines.index(name) for name in _NEAR_OH]]
    pairs = [(sky, sky / one - 1.0) for sky in _OH_LINES for one in rest]
    low, high = _REDSHIFTS
    near = [pair for pair in pairs if low < pair[1] < high]
    sky, redshift = near[rng.integers(len(near))]
    return sky, round(redshift + rng.uniform(-2e-4, 2e-4), 6)
