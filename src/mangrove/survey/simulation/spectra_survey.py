"""A large simulated survey of spectra without cubes: regular galaxies, more various than those of the cubes."""

from dataclasses import replace

import numpy as np

from mangrove.errors import SampleError
from mangrove.survey.releases import split_plateifu
from mangrove.survey.simulation.design import draw_galaxy
from mangrove.survey.simulation.galaxies import BUNDLES, Population, SimulatedGalaxy, random_generator

_FIRST_PLATE = 7000
_IFUS = (3701, 3702, 6101, 6102)
#: On every plate of this multiple, the second IFU shows the galaxy of the first again.
_REPEAT_PLATES = 5
_KINDS = (("star_forming", 0.55), ("seyfert", 0.1), ("liner", 0.1), ("passive", 0.25))
#: Radius of the field in effective radii: that of MaNGA's primary and secondary samples.
_FIELD_IN_RE = (1.5, 2.5)
#: EW of Halpha (Angstrom) over the fraction of the light that young stars give, log10 of its mean, and its scatter.
_LOG_EW_OF_YOUNG, _EW_SCATTER = 2.0, 0.15
#: 12 + log(O/H) at solar metallicity (Asplund et al. 2009), and the range of it that the gas has.
_SOLAR_OXYGEN, _OXYGEN = 8.69, (8.0, 8.85)


def spectra_plateifus(n: int) -> tuple[str, ...]:
    """The first ``n`` plateifus of the survey."""
    return tuple(f"{_FIRST_PLATE + i // len(_IFUS)}-{_IFUS[i % len(_IFUS)]}" for i in range(n))


def design_various_galaxy(plateifu: str, seed: int) -> SimulatedGalaxy:
    """Draw a galaxy; it depends on the seed and its plateifu only.

    Its kind and structure are drawn as in :mod:`mangrove.survey.simulation.design`; populations, dust and gas are more
    various, from passive galaxies to starbursts. The Halpha of star formation follows the light of the young stars, and
    the gas' metallicity that of the disc, so that lines and continuum tell of the same history. One galaxy in twenty is
    seen a second time, under another plateifu (its MANGAID is the same): with other pointing, beam and noise.

    Raises
    ------
    SampleError
        If the plateifu is malformed or its IFU has another number of fibres than MaNGA's.
    """
    plate, ifu = split_plateifu(plateifu)
    if ifu // 100 not in BUNDLES:
        raise SampleError(f"'{plateifu}': IFU {ifu} has none of {', '.join(map(str, BUNDLES))} fibres.")
    original = f"{plate}-{_IFUS[0]}" if _is_repeat(plate, ifu) else plateifu
    rng = random_generator(seed, original, "various galaxy")
    names, odds = zip(*_KINDS, strict=True)
    kind = str(rng.choice(names, p=odds))
    galaxy = draw_galaxy(rng, original, seed, kind, _FIELD_IN_RE)
    early = kind in ("passive", "liner")
    galaxy = _early_galaxy(rng, galaxy) if early else _late_galaxy(rng, galaxy)
    observed = random_generator(seed, plateifu, "observation")
    return replace(
        galaxy,
        plateifu=plateifu,
        mangaid=f"1-{original.replace('-', '')}",
        redshift=round(rng.uniform(0.02, 0.1), 6),
        pointing=tuple(round(float(shift), 3) for shift in observed.normal(0.0, 0.3, 2)),
        psf_fwhm=round(float(observed.normal(2.5, 0.04)), 3),
    )


def _is_repeat(plate: int, ifu: int) -> bool:
    return plate % _REPEAT_PLATES == 0 and ifu == _IFUS[1]


def _early_galaxy(rng, galaxy: SimulatedGalaxy) -> SimulatedGalaxy:
    """Old, metal-rich stars with an intermediate population in some, and little dust."""
    metallicity = rng.normal(0.05, 0.1)
    old, middle = rng.uniform(9.85, 10.05), rng.uniform(9.3, 9.7)
    share = rng.uniform(0.0, 0.6)
    metallicity_gradient = rng.uniform(-0.25, -0.05)
    populations = tuple(
        Population(part, fraction, age, rng.uniform(-0.1, 0.0), metallicity + offset, metallicity_gradient)
        for part, fraction, age, offset in (
            ("bulge", 1.0 - 0.5 * share, old, 0.05),
            ("bulge", 0.5 * share, middle, 0.1),
            ("disc", 1.0 - share, old, 0.0),
            ("disc", share, middle, 0.05),
        )
    )
    return replace(
        galaxy,
        populations=populations,
        ebv_centre=rng.uniform(0.0, 0.15),
        ebv_gradient=rng.uniform(-0.08, 0.0),
        ew_nuclear=rng.uniform(1.0, 4.0) if galaxy.kind == "liner" else 10 ** rng.uniform(-1.0, -0.3),
        oxygen=_oxygen(rng, metallicity),
        oxygen_gradient=0.5 * metallicity_gradient,
    )


def _late_galaxy(rng, galaxy: SimulatedGalaxy) -> SimulatedGalaxy:
    """A disc whose young stars give from a hundredth to most of its light.

    The more they give, the younger and brighter is the intermediate population too, as in a history of star formation
    without breaks, and the poorer in metals are all.
    """
    activity = rng.uniform(0.0, 1.0)
    young_light = 10 ** (-2.0 + 1.8 * activity)
    middle_light = (0.25 + 0.5 * activity) * (1.0 - young_light)
    middle = 9.5 - 0.6 * activity + rng.normal(0.0, 0.07)
    metallicity = 0.05 - 0.55 * activity + rng.normal(0.0, 0.12)
    age_gradient, metallicity_gradient = rng.uniform(-0.2, 0.0), rng.uniform(-0.2, 0.0)
    table = (
        ("bulge", 0.7, rng.uniform(9.85, 10.05), -0.05, metallicity + 0.05),
        ("bulge", 0.3, middle + 0.2, -0.1, metallicity + 0.1),
        ("disc", 1.0 - young_light - middle_light, rng.uniform(9.8, 10.0), age_gradient, metallicity),
        ("disc", middle_light, middle, age_gradient, metallicity + 0.05),
        ("disc", young_light, rng.uniform(6.9, 7.8), age_gradient, metallicity + 0.1),
    )
    return replace(
        galaxy,
        bulge_fraction=rng.uniform(0.02, 0.4),
        populations=tuple(Population(*row, metallicity_gradient) for row in table),
        ebv_centre=rng.uniform(0.02, 0.6),
        ebv_gradient=rng.uniform(-0.2, 0.0),
        ew_halpha=young_light * 10 ** rng.normal(_LOG_EW_OF_YOUNG, _EW_SCATTER),
        oxygen=_oxygen(rng, metallicity),
        oxygen_gradient=0.5 * metallicity_gradient,
    )


def _oxygen(rng, metallicity: float) -> float:
    """12 + log(O/H) of gas about stars of a metallicity, dex."""
    return float(np.clip(_SOLAR_OXYGEN + 0.6 * metallicity + rng.normal(0.0, 0.08), *_OXYGEN))
