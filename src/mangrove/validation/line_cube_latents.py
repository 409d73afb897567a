"""What the latents of held-out line cubes say: whether anomalies of one kind lie together, and copies of a galaxy."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from mangrove.analysis.nearest import mean_or_nan, nearest
from mangrove.models.convlstm.augmentation import augmented
from mangrove.models.convlstm.copies import Copy
from mangrove.models.convlstm.cubes import Cubes, LineCubes
from mangrove.models.convlstm.flips import N_DIHEDRAL, flips_of
from mangrove.models.convlstm.model import CubeModel

#: Neighbours of an anomaly that count.
N_NEIGHBOUR = 5
#: Largest share of galaxies with an anomaly where it is rare, as in a survey, and draws of as few.
RARE, _N_DRAW = 0.05, 200
#: Galaxies whose copies are encoded, at most, and cubes at a time.
_N_COPIED, _BLOCK = 32, 16


class CopyDistances(NamedTuple):
    """Median distances of invariant latents; NaN without galaxies.

    Attributes
    ----------
    noise : float
        Between two copies of a cube that differ by their added noise alone.
    turned : float
        Between two that are also flipped and turned, each in its own way.
    galaxies : float
        Between a galaxy and its nearest neighbour among the others.
    """

    noise: float
    turned: float
    galaxies: float


def same_kind_fraction(place: np.ndarray, kind: np.ndarray, wanted: str) -> float:
    """Mean fraction of the first :data:`N_NEIGHBOUR` neighbours of the galaxies of a kind that are of that kind too.

    Parameters
    ----------
    place : ndarray, shape (n, n_dimension)
        NaN for a galaxy without latents.
    kind : ndarray of str, shape (n,)
    wanted : str
    """
    index = nearest(place, N_NEIGHBOUR).index[kind == wanted]
    found = (index >= 0).sum(axis=1)
    same = ((index >= 0) & (kind[index] == wanted)).sum(axis=1)
    return mean_or_nan(np.divide(same, found, out=np.full(len(index), np.nan), where=found > 0))


def rare_kind_fraction(place: np.ndarray, kind: np.ndarray, wanted: str, seed: int) -> float:
    """:func:`same_kind_fraction` of an anomaly that is rare: among normal galaxies and few of that anomaly, none of others.

    The mean over random draws of as many galaxies of the kind as make up at most :data:`RARE` of all.

    Parameters
    ----------
    place : ndarray, shape (n, n_dimension)
        NaN for a galaxy without latents.
    kind : ndarray of str, shape (n,)
        Empty for a normal galaxy.
    wanted : str
    seed : int
        Of the draws.

    Returns
    -------
    float
        NaN where so few are no more than the neighbours that count, so that not all of these could be of the kind.
    """
    normal, planted = np.flatnonzero(kind == ""), np.flatnonzero(kind == wanted)
    n_drawn = min(int(RARE / (1 - RARE) * normal.size), planted.size)
    if n_drawn <= N_NEIGHBOUR:
        return float("nan")
    rng, found = np.random.default_rng(seed), []
    for _ in range(_N_DRAW):
        rows = np.concatenate([normal, rng.choice(planted, n_drawn, replace=False)])
        found.append(same_kind_fraction(place[rows], kind[rows], wanted))
    return mean_or_nan(np.array(found))


def copy_distances(model: CubeModel, cubes: LineCubes, rows: np.ndarray, seed: int) -> CopyDistances:
    """How far apart the invariant latents of copies of a cube are that are not shifted, each with its own added noise.

    Parameters
    ----------
    model : CubeModel
    cubes : LineCubes
    rows : ndarray of int
        Galaxies, of which the first 32 are copied.
    seed : int
    """
    rng, rows = np.random.default_rng(seed), rows[:_N_COPIED]
    if not rows.size:
        return CopyDistances(*[float("nan")] * 3)
    parts = [
        [_invariant(model, cubes.read(block), turned, rng) for turned in (False, False, True, True)]
        for block in np.split(rows, range(_BLOCK, len(rows), _BLOCK))
    ]
    one, other, turned, again = (np.concatenate(copies) for copies in zip(*parts, strict=True))
    return CopyDistances(
        _median_distance(one, other),
        _median_distance(turned, again),
        float(np.nanmedian(nearest(one, 1).distance)) if len(one) > 1 else float("nan"),
    )


def _invariant(model: CubeModel, cubes: Cubes, turned: bool, rng) -> np.ndarray:
    n = len(cubes.flux)
    kind = rng.integers(N_DIHEDRAL, size=n) if turned else np.zeros(n, int)
    seeds = rng.integers(1, 2**32, size=n, dtype=np.uint32)
    still = np.zeros(n, np.int16)
    copy = Copy(kind // 4, kind % 4, still, still, seeds)
    made = augmented(*map(jnp.asarray, cubes), Copy(*map(jnp.asarray, copy)), 1.0)
    return np.mean([model.encode(one).mean for one in flips_of(Cubes(*map(np.asarray, made)))], axis=0)


def _median_distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.median(np.sqrt(((one - other) ** 2).sum(axis=1))))
