"""Small pictures of galaxies, made from the images of their cubes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.codes import SpaxelStatus
from mangrove.report.drawing import BAD_COLOUR, note
from mangrove.report.galaxy_panels import colour_image

#: What a picture is made from, and a map of baxels.
_DATASETS = ["image", "band", "signal", "spaxel_status", "bin_id"]
#: Where pictures come from, for the titles of figures.
SOURCE = "pictures: g, r, i images of the cubes"
_PERCENTILE = 99.5
#: Text on pictures: points per inch of their side, and at most.
_POINTS, _LARGEST = 5.6, 9.0


def read_extracts(paths: Sequence, plateifu: Sequence[str]) -> dict[str, Artefact]:
    """What :func:`galaxy_picture` and maps of baxels need of some galaxies, by name; those without an extract are left out.

    Parameters
    ----------
    paths : sequence of path
        Artefacts 'extract' of a run, named after their galaxies.
    plateifu : sequence of str
    """
    by_name: Mapping[str, str] = {Path(path).stem: path for path in paths}
    return {name: artefacts.read(by_name[name], "extract", _DATASETS) for name in plateifu if name in by_name}


def galaxy_picture(axes: Axes, extract: Artefact | None) -> None:
    """A galaxy as :func:`picture_of` shows it, in a square.

    Parameters
    ----------
    extract : Artefact or None
        With the datasets of :func:`read_extracts`; None leaves a note.
    """
    axes.set(xticks=[], yticks=[], facecolor=BAD_COLOUR)
    axes.set_box_aspect(1)
    picture = None if extract is None else picture_of(extract)
    if picture is None:
        note(axes, "no image")
        return
    axes.imshow(picture, origin="lower")
    (left, right), (bottom, top) = field_of_view(extract)
    half = max(right - left, top - bottom) / 2
    x, y = (left + right) / 2, (bottom + top) / 2
    axes.set(xlim=(x - half, x + half), ylim=(y - half, y + half), facecolor="k")


def picture_of(extract: Artefact) -> np.ndarray | None:
    """A galaxy in colour from its g, r and i images, shape (ny, nx, 3); the continuum, in grey, of cubes that bring none.

    Spaxels without images and without a place on the sky, as those of simulated spectra, make no picture: None.
    """
    if not _has_picture(extract):
        return None
    colours = colour_image(extract)
    if colours is not None:
        return colours
    grey = np.sqrt(np.clip(np.nan_to_num(extract["signal"]), 0, None))
    return np.repeat(np.clip(grey / np.percentile(grey, _PERCENTILE), 0, 1)[:, :, None], 3, axis=2)


def field_of_view(extract: Artefact) -> tuple[tuple[float, float], tuple[float, float]]:
    """Edges of the part of a picture that was observed: left and right, bottom and top, spaxels, whose centres are whole."""
    inside = extract["spaxel_status"] != SpaxelStatus.OUTSIDE_FIELD
    across, up = (_edges(inside.any(axis=axis)) for axis in (0, 1))
    return across, up


def write_on_picture(axes: Axes, side: float, upper: str, lower: str = "") -> None:
    """Text in the upper and lower left corner of a picture whose side is so many inches."""
    size = min(_POINTS * side, _LARGEST)
    for text, y, at in ((upper, 0.97, "top"), (lower, 0.03, "bottom")):
        axes.text(0.03, y, text, transform=axes.transAxes, va=at, ha="left", fontsize=size, color="w")


def _has_picture(extract: Artefact) -> bool:
    on_sky = bool(extract["band"].size or extract.attrs["wcs"])
    return on_sky and bool(np.any(extract["signal"] > 0)) and min(extract["signal"].shape) >= 2


def _edges(used: np.ndarray) -> tuple[float, float]:
    """Edges of the first and the last pixel that is used; of all if none is."""
    index = np.flatnonzero(used)
    return (index[0] - 0.5, index[-1] + 0.5) if index.size else (-0.5, used.size - 0.5)
