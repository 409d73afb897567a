"""Pictures of galaxies as arrays, made from the images of their cubes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.codes import SpaxelStatus

#: What a picture is made from, and a map of baxels.
_DATASETS = ["image", "band", "signal", "spaxel_status", "bin_id"]
_PERCENTILE = 99.5
#: Bands of a colour image as red, green and blue, and their weights, which make an old population look yellow.
RGB_WEIGHTS = {"i": 0.75, "r": 1.0, "g": 1.5}
_SOFTENING, _STRETCH, _DARK = 8.0, 0.06, 1e-6


def read_extracts(paths: Sequence, plateifu: Sequence[str]) -> dict[str, Artefact]:
    """What :func:`picture_of` and maps of baxels need of some galaxies, by name; those without an extract are left out.

    Parameters
    ----------
    paths : sequence of path
        Artefacts 'extract' of a run, named after their galaxies.
    plateifu : sequence of str
    """
    by_name: Mapping[str, str] = {Path(path).stem: path for path in paths}
    return {name: artefacts.read(by_name[name], "extract", _DATASETS) for name in plateifu if name in by_name}


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


def _has_picture(extract: Artefact) -> bool:
    on_sky = bool(extract["band"].size or extract.attrs["wcs"])
    return on_sky and bool(np.any(extract["signal"] > 0)) and min(extract["signal"].shape) >= 2


def _edges(used: np.ndarray) -> tuple[float, float]:
    """Edges of the first and the last pixel that is used; of all if none is."""
    index = np.flatnonzero(used)
    return (index[0] - 0.5, index[-1] + 0.5) if index.size else (-0.5, used.size - 0.5)


def colour_image(extract: Artefact) -> np.ndarray | None:
    """Red, green and blue of the spaxels by Lupton et al. (2004), shape (ny, nx, 3); None without the bands.

    Black is zero; the stretch goes by the brightest hundredth of the r band, so that no star sets it alone.
    """
    bands = dict(zip(extract["band"].tolist(), extract["image"], strict=True))
    if not set(RGB_WEIGHTS) <= set(bands):
        return None
    from astropy.visualization import make_lupton_rgb  # imports matplotlib, which the explorer opens without

    light = {band: np.nan_to_num(bands[band].astype(float)) for band in RGB_WEIGHTS}
    seen = light["r"][light["r"] > 0]
    bright = np.percentile(seen, 99.0) if seen.size else 1.0
    # A little light everywhere: the ratio of two bands has a value.
    scaled = [np.maximum(RGB_WEIGHTS[band] * image / bright, _DARK) for band, image in light.items()]
    return make_lupton_rgb(*scaled, minimum=0.0, stretch=_STRETCH, Q=_SOFTENING)
