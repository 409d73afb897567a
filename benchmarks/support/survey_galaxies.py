"""The galaxies of a simulated survey's tables: one number between early and late, a mass, and what follows from them.

A galaxy has a type t, even in 0 (early) to 1 (late), and a stellar mass, log M = 10.9 - 0.9 t with a scatter of 0.4 dex.
Early galaxies are rounder and have steeper profiles; one in eight has an active nucleus, most of them of middling type.
"""

from typing import NamedTuple

import numpy as np

from mangrove.analysis.hubble_types import HUBBLE_CLASSES
from mangrove.codes import Split
from mangrove.survey.galaxy import AGN_FLAGS, Galaxy
from mangrove.survey.split import split_of

#: Of the split, as in config.yaml.
VALIDATION, TEST = 0.1, 0.1
#: Side of a spaxel, arcsec.
PIXEL_SCALE = 0.5
#: Numbers of fibre bundles of a plate, and their fields' half width in spaxels.
_BUNDLES = {1901: 17, 1902: 17, 3701: 22, 3702: 22, 3703: 22, 3704: 22, 6101: 27, 6102: 27, 6103: 27, 6104: 27}
_BUNDLES |= {9101: 31, 9102: 31, 12701: 36, 12702: 36, 12703: 36, 12704: 36, 12705: 36}
_FIRST_PLATE = 10001
#: Every so many galaxies one is observed twice, and one has too little light for any baxel.
_REPEATED, _FAINT = 50, 211
_RADIO_CLASSES = np.array(["", "LERG", "HERG"])


class Galaxies(NamedTuple):
    """Galaxies in the order of the sample sheet; every array has shape (n,).

    Attributes
    ----------
    plateifu, mangaid : ndarray of str
        A repeat has the mangaid of the galaxy before it.
    kind : ndarray
        From 0, early, to 1, late.
    log_mass : ndarray
        log10 of stellar mass over M_sun.
    z : ndarray
    r_e : ndarray
        Effective radius along the major axis, arcsec.
    ba, pa : ndarray
        Axis ratio, and position angle in degrees.
    ra, dec : ndarray
        Of the centre, deg.
    half_width : ndarray
        Of the field, spaxels.
    active : ndarray of int8, shape (n, 4)
        Flags of :data:`mangrove.survey.galaxy.AGN_FLAGS`.
    radio_class : ndarray of str
    split : ndarray of int8
    n_baxel : ndarray of int
        0 of a galaxy without light.
    """

    plateifu: np.ndarray
    mangaid: np.ndarray
    kind: np.ndarray
    log_mass: np.ndarray
    z: np.ndarray
    r_e: np.ndarray
    ba: np.ndarray
    pa: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    half_width: np.ndarray
    active: np.ndarray
    radio_class: np.ndarray
    split: np.ndarray
    n_baxel: np.ndarray

    @property
    def has_nucleus(self) -> np.ndarray:
        """Whether the nucleus is active by any of the flags, shape (n,)."""
        return (self.active == 1).any(axis=1)

    @property
    def hubble(self) -> np.ndarray:
        """Hubble class, shape (n,), str."""
        index = np.minimum((self.kind * len(HUBBLE_CLASSES)).astype(int), len(HUBBLE_CLASSES) - 1)
        return np.array(HUBBLE_CLASSES)[index]

    @property
    def sersic_n(self) -> np.ndarray:
        """Sersic index, shape (n,): 4.5 of the earliest, 1 of the latest."""
        return 4.5 - 3.5 * self.kind

    def of(self, rows) -> "Galaxies":
        """Some of them: a slice or indices."""
        return Galaxies(*(values[rows] for values in self))

    def sheet(self) -> list[Galaxy]:
        """The same as rows of a sample sheet, as far as tables of active nuclei need it."""
        return [
            Galaxy(
                plateifu=name, mangaid=mangaid, z=z, ebv=0.0, ra=ra, dec=dec, **dict(zip(AGN_FLAGS, flags, strict=True))
            )
            for name, mangaid, z, ra, dec, flags in zip(
                *(values.tolist() for values in (self.plateifu, self.mangaid, self.z, self.ra, self.dec, self.active)),
                strict=True,
            )
        ]


def draw_galaxies(n: int, n_baxel: int, seed: int) -> Galaxies:
    """So many galaxies with so many baxels together.

    Parameters
    ----------
    n : int
    n_baxel : int
        At least as many as galaxies.
    seed : int
    """
    rng = np.random.default_rng([seed, 0])
    number = np.arange(n)
    # A repeat is the same galaxy once more, in another bundle.
    original = np.where(number % _REPEATED == _REPEATED - 1, number - 1, number)
    kind, about_mass, size = (
        values[original] for values in (rng.random(n), rng.normal(0, 0.4, n), rng.normal(0, 0.1, n))
    )
    log_mass = 10.9 - 0.9 * kind + about_mass
    z = (0.01 + 0.02 * rng.lognormal(0.0, 0.5, n))[original]
    ba = np.clip(rng.uniform(0.2 + 0.4 * (1 - kind), 1.0), 0.15, 1.0)[original]
    bundle = np.array(list(_BUNDLES))[number % len(_BUNDLES)]
    half_width = np.array(list(_BUNDLES.values()))[number % len(_BUNDLES)]
    mangaid = np.char.add("1-", (100_000 + original).astype(str))
    active = _active(kind, rng)[original]
    return Galaxies(
        plateifu=np.array([f"{_FIRST_PLATE + i // len(_BUNDLES)}-{b}" for i, b in enumerate(bundle.tolist())]),
        mangaid=mangaid,
        kind=kind,
        log_mass=log_mass,
        z=z,
        r_e=half_width[original] * PIXEL_SCALE / 2.0 * 10**size,
        ba=ba,
        pa=rng.uniform(0.0, 180.0, n)[original],
        ra=rng.uniform(0.0, 360.0, n)[original],
        dec=np.rad2deg(np.arcsin(rng.uniform(-0.1, 0.9, n)))[original],
        half_width=half_width,
        active=active,
        radio_class=np.where(active[:, AGN_FLAGS.index("agn_radio")] == 1, _RADIO_CLASSES[1 + number % 2], ""),
        split=splits(mangaid, seed),
        n_baxel=_shares(n_baxel, half_width**1.5, number % _FAINT != _FAINT // 2, rng),
    )


def splits(mangaid: np.ndarray, seed: int) -> np.ndarray:
    """Split of each galaxy, int8 codes of :class:`mangrove.codes.Split`, shape (n,)."""
    return np.array([split_of(name, seed, VALIDATION, TEST) for name in mangaid.tolist()], np.int8).reshape(-1)


def is_train(galaxies: Galaxies) -> np.ndarray:
    """Whether networks learn from a galaxy, shape (n,)."""
    return galaxies.split == Split.TRAIN


def _active(kind: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Flags of active nuclei, int8, shape (n, 4): most by their radio emission, of every tenth galaxy nothing is known."""
    chance = 0.25 * np.exp(-0.5 * ((kind - 0.4) / 0.25) ** 2)
    flags = rng.random((len(kind), len(AGN_FLAGS))) < chance[:, None] * np.array([0.2, 0.15, 0.5, 0.15])
    known = rng.random(len(kind)) > 0.1
    return np.where(known[:, None], flags, -1).astype(np.int8)


def _shares(n_baxel: int, weight: np.ndarray, bright: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Baxels of each galaxy, int, shape (n,), one at least of each that is bright; ``n_baxel`` together."""
    weight = np.where(bright, weight * rng.lognormal(0.0, 0.3, weight.size), 0.0)
    return bright + rng.multinomial(n_baxel - bright.sum(), weight / weight.sum())
