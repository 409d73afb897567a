"""What the autoencoders are trained on: copies of the training galaxies' line cubes; validated on cubes as they are."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.codes import Split
from mangrove.errors import TrainingError
from mangrove.models.convlstm.copies import Copy
from mangrove.models.convlstm.cubes import LineCubes
from mangrove.models.training.memory import filled, fits
from mangrove.models.training.rows import DeviceRows, Rows, Shared, StreamedRows

#: Bytes of a value: flux and ivar of 4, whether it is valid.
_N_BYTE = 9
#: Galaxies whose copies stay together where cubes are streamed.
_TOGETHER = 2
#: Cubes that the host reads at a time on their way to the device: 112 MB of 19 lines and 10 pixels.
_BLOCK = 64


class CubeTrainingSet(NamedTuple):
    """Rows to train an autoencoder on.

    A training row is a galaxy's copy: ``flux``, ``ivar``, ``valid`` of its cube, and the fields of
    :class:`mangrove.models.convlstm.copies.Copy`. A validation row is a galaxy: ``flux`` and ``valid``.

    Attributes
    ----------
    rows, validation : Rows
    cubes : LineCubes
    galaxies : ndarray of int
        The training galaxies, as they stand in the line cubes.
    noise_scale : float
        Of the copies' noise, see :func:`mangrove.models.convlstm.augmentation.augmented`.
    names : callable
        What people call galaxies, given as they stand in the line cubes.
    """

    rows: Rows
    validation: Rows
    cubes: LineCubes
    galaxies: np.ndarray
    noise_scale: float
    names: Callable[[np.ndarray], Sequence[str]]

    @classmethod
    def read(cls, line_cube_set, augmentation, lines: Sequence[str] = ()) -> "CubeTrainingSet":
        """Of the artefacts 'line_cube_set', of the named lines of it (all if none is), and 'augmentation'.

        Cubes without a valid value are left out. All lie on the device where they fit, and the host holds a few at a time
        while they are read; else they are streamed.

        Raises
        ------
        ArtefactError
            If one is missing, damaged or of another kind.
        ModelError
            If the line cubes lack a line.
        TrainingError
            If the copies are of other galaxies, or a cube is not finite.
        """
        cubes = LineCubes.open(line_cube_set, lines)
        copies = artefacts.read(augmentation, "augmentation")
        if not np.array_equal(copies["plateifu"], cubes.plateifu):
            raise TrainingError(f"{augmentation} is of other galaxies than {line_cube_set}: make it again.")
        usable = _usable(cubes)
        train, held_out = (np.flatnonzero((cubes.split == code) & usable) for code in (Split.TRAIN, Split.VALIDATION))
        n_copy = copies["flip"].shape[1]
        own = {name: copies[name][train].reshape(-1) for name in Copy._fields}
        return cls(
            _rows(cubes, train, n_copy, own),
            _rows(cubes, held_out, 1, {}),
            cubes,
            train,
            float(copies.attrs["noise_scale"]),
            lambda galaxies: cubes.plateifu[galaxies].tolist(),
        )


def _rows(cubes: LineCubes, galaxies: np.ndarray, n_copy: int, own: dict[str, np.ndarray]) -> Rows:
    """Every galaxy ``n_copy`` times, one after the other; ``own`` are the arrays of copies, none for held-out galaxies."""
    named = ("flux", "ivar", "valid") if own else ("flux", "valid")
    galaxy = np.repeat(galaxies, n_copy)
    # Those of the training and of the validation share the memory.
    if not fits(cubes.n * int(np.prod(cubes.shape)) * _N_BYTE):
        stored = {name: name for name in named}
        return StreamedRows(cubes.path, stored, galaxy, _TOGETHER * n_copy, columns=cubes.line_index, own=own)
    # One block, an empty one, of no galaxy.
    starts = range(0, max(len(galaxies), 1), _BLOCK)
    blocks = (cubes.read(galaxies[start : start + _BLOCK])._asdict() for start in starts)
    read = filled(len(galaxies), ({name: block[name] for name in named} for block in blocks))
    index = np.repeat(np.arange(len(galaxies), dtype=np.int32), n_copy)
    arrays = {name: Shared(values, index) if own else values for name, values in read.items()}
    return DeviceRows(arrays | own, galaxy)


def _usable(cubes: LineCubes) -> np.ndarray:
    """Whether each cube has a valid value, shape (n,)."""
    usable = np.zeros(cubes.n, bool)
    for rows, block in cubes.blocks():
        values = block.flux.reshape(len(rows), -1)
        # A sum is finite where all values are, and needs no array of its own.
        bad = rows[~np.isfinite(values.sum(axis=1, dtype=float))]
        if bad.size:
            raise TrainingError(
                f"the line cubes of {', '.join(cubes.plateifu[bad])} hold NaN or inf: make them again, or leave these "
                "galaxies out of the sample sheet."
            )
        usable[rows] = block.valid.any(axis=(1, 2, 3, 4))
    return usable
