"""The emission-line cubes of a survey in one artefact, each galaxy with its split."""

from collections.abc import Mapping, Sequence

import h5py

from mangrove import artefacts
from mangrove.survey.split import split_of

#: What each galaxy's cube gives to its row.
_DATASETS = ("flux", "ivar", "valid", "window_wave", "spaxel_status")
_ATTRIBUTES = ("plateifu", "mangaid", "z", "r_e", "pixel_scale", "centre_in_field")


def usable(paths: Sequence) -> list:
    """Those of the artefacts 'line_cube' that hold data."""
    return [path for path in paths if artefacts.read(path, "line_cube", []).ok]


def fill(out: h5py.File, paths: Sequence, params: Mapping) -> None:
    """Write line cubes into an open artefact 'line_cube_set', one galaxy a row.

    Parameters
    ----------
    paths : sequence of path
        Artefacts 'line_cube' that are :func:`usable`.
    params : mapping
        seed, validation_fraction, test_fraction: of the split by galaxy.
    """
    fractions = params["validation_fraction"], params["test_fraction"]
    for i, path in enumerate(paths):
        cube = artefacts.read(path, "line_cube", _DATASETS)
        for name in _DATASETS:
            out[name][i] = cube[name]
        for name in _ATTRIBUTES:
            out[name][i] = cube.attrs[name]
        out["split"][i] = split_of(cube.attrs["mangaid"], params["seed"], *fractions)
