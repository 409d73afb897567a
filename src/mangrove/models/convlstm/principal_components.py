"""Principal components of the training cubes, which lie in a file that need not fit the memory."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mangrove.models.convlstm.cubes import LineCubes
from mangrove.models.convlstm.flips import N_DIHEDRAL, dihedral
from mangrove.models.convlstm.units import mean_absolute_flux, to_units

#: Images of cubes that the components are found from, at most.
MOST_IMAGES = 2000
#: Components whose variance is a smaller share of the largest one are rounding errors.
_LEAST_SHARE = 1e-6
#: Cubes read at a time.
_BLOCK = 16


class PrincipalComponents(NamedTuple):
    """Principal components of cubes in the network's units, largest variance first.

    Attributes
    ----------
    mean : ndarray of float32, shape (line, pixel, y, x)
        Over valid values; 0 where none is valid.
    component : ndarray of float32, shape (component, line, pixel, y, x)
        Of unit length.
    deviation : ndarray of float32, shape (component,)
        Standard deviation of the cubes along each.
    """

    mean: np.ndarray
    component: np.ndarray
    deviation: np.ndarray


def principal_components(
    cubes: LineCubes,
    rows: np.ndarray,
    kind: str,
    n_component: int,
    seed: int,
    most: int = MOST_IMAGES,
    n_turn: int = N_DIHEDRAL,
) -> PrincipalComponents:
    """Principal components of the 8 flips and quarter turns of cubes, of a random part of these if there are too many.

    What is not valid counts as the mean. The images' scalar products give the components (the method of snapshots,
    Sirovich 1987, Quart. Appl. Math. 45, 561), added up line by line: no more than one line of all images is in memory.

    Parameters
    ----------
    cubes : LineCubes
    rows : ndarray of int
        The cubes to use; those without a valid value are left out.
    kind : {"scaled", "asinh", "native"}
        Units of the network, see :mod:`mangrove.models.convlstm.units`.
    n_component : int
        At most; fewer if there are fewer images.
    seed : int
        Of the choice of images.
    most : int
        Images to use at most.
    n_turn : int
        Flips and turns of each cube to use, the first of :func:`mangrove.models.convlstm.flips.dihedral`; 1 for the
        cube as it is.
    """
    scale = _flux_scales(cubes, rows)
    images = _Images(cubes, *_chosen(rows[scale > 0], scale[scale > 0], seed, most, n_turn), kind)
    product, means = np.zeros((images.n, images.n)), []
    for mean, deviation in images.by_line():
        product += deviation @ deviation.T
        means.append(mean)
    variance, weight = np.linalg.eigh(product)
    kept = np.flatnonzero(variance > _LEAST_SHARE * variance[-1])[::-1][:n_component] if images.n else []
    weight = _with_sign(weight[:, kept] / np.sqrt(variance[kept])).astype(np.float32)
    component = [weight.T @ deviation for _, deviation in images.by_line()]
    shape = (len(kept), *cubes.shape)
    return PrincipalComponents(
        np.stack(means),
        np.stack(component, axis=1).reshape(shape),
        np.sqrt(variance[kept] / images.n).astype(np.float32),
    )


class _Images:
    """Chosen images of cubes, read line by line."""

    def __init__(self, cubes: LineCubes, rows: np.ndarray, turn: np.ndarray, scale: np.ndarray, kind: str) -> None:
        self.n, self._cubes, self._kind = len(rows), cubes, kind
        self._rows, self._turn, self._scale = rows, turn, scale

    def by_line(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Of each line: the mean, shape (pixel, y, x), and the images less the mean, (n, pixel * y * x), float32."""
        rows, place = np.unique(self._rows, return_inverse=True)
        for line in self._cubes.line:
            read = LineCubes.open(self._cubes.path, (line,)).read(rows)
            units, valid = self._turned(read.flux[:, 0], place), self._turned(read.valid[:, 0], place)
            units = to_units(self._kind, units, valid, self._scale)
            mean = units.sum(axis=0, dtype=np.float64) / np.maximum(valid.sum(axis=0), 1)
            mean = mean.astype(np.float32)
            yield mean, np.where(valid, units - mean, np.float32(0)).reshape(self.n, mean.size)

    def _turned(self, values: np.ndarray, place: np.ndarray) -> np.ndarray:
        turned = np.empty((self.n, *values.shape[1:]), values.dtype)
        for k in range(N_DIHEDRAL):
            of_k = np.flatnonzero(self._turn == k)
            turned[of_k] = dihedral(values[place[of_k]], k)
        return turned


def _chosen(
    rows: np.ndarray, scale: np.ndarray, seed: int, most: int, n_turn: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, flips and turns (0 to 7), and flux scales of the images to use."""
    all_images = np.arange(len(rows) * n_turn)
    if len(all_images) > most:
        all_images = np.sort(np.random.default_rng([seed, len(all_images)]).choice(all_images, most, replace=False))
    place = all_images // n_turn
    return rows[place], all_images % n_turn, scale[place]


def _flux_scales(cubes: LineCubes, rows: np.ndarray) -> np.ndarray:
    """Mean absolute flux of each cube over valid values, float32, 0 for one without any."""
    scales = np.zeros(len(rows), np.float32)
    for start in range(0, len(rows), _BLOCK):
        read = cubes.read(rows[start : start + _BLOCK])
        scales[start : start + _BLOCK] = mean_absolute_flux(read.flux, read.valid)
    return scales


def _with_sign(weight: np.ndarray) -> np.ndarray:
    """Columns whose largest entry is positive: which of the two signs an eigenvector has is chance."""
    if not weight.size:
        return weight
    largest = np.take_along_axis(weight, np.abs(weight).argmax(axis=0)[None], axis=0)
    return weight * np.sign(largest)
