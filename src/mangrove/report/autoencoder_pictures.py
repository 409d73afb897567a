"""Pictures of the galaxies of line cubes: their images where the run has cubes, else a map of a line."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from mangrove.artefacts import Artefact
from mangrove.report.drawing import note
from mangrove.report.galaxy_images import read_extracts
from mangrove.report.galaxy_pictures import SOURCE, galaxy_picture
from mangrove.report.line_images import chosen_lines, line_flux, read_cubes
from mangrove.report.line_names import line_title

_PERCENTILE = 99.5
#: Where a map has no data: grey, and dark enough for white text.
_NO_DATA = "0.4"


class Pictures(NamedTuple):
    """What some galaxies look like.

    Attributes
    ----------
    extracts : mapping of str to Artefact
        By name, of a run with cubes (:func:`mangrove.report.galaxy_images.read_extracts`); else empty.
    maps : mapping of str to ndarray
        Flux of a line, shape (ny, nx), by name, where there are no extracts.
    line : str
        Name of that line.
    """

    extracts: Mapping[str, Artefact]
    maps: Mapping[str, np.ndarray]
    line: str

    @property
    def source(self) -> str:
        """What the pictures are made from, for the title of a figure."""
        return f"pictures: flux of {line_title(self.line)} with its continuum" if self.maps else SOURCE

    def draw(self, axes: Axes, name: str) -> None:
        """The picture of a galaxy in a square."""
        if name not in self.maps:
            galaxy_picture(axes, self.extracts.get(name))
            return
        values = self.maps[name]
        axes.set(xticks=[], yticks=[], facecolor=_NO_DATA)
        axes.set_box_aspect(1)
        if not np.isfinite(values).any():
            note(axes, "no data")
            return
        # A square root, as the eye sees faint parts of a galaxy beside its centre.
        bright = np.sqrt(np.clip(values, 0.0, None))
        axes.imshow(bright, origin="lower", cmap="magma", vmin=0.0, vmax=np.nanpercentile(bright, _PERCENTILE))


def read_pictures(
    cubes, extracts: str, names: Sequence[str], lines: Sequence[str], galaxies: Iterable[int]
) -> Pictures:
    """Pictures of some galaxies.

    Parameters
    ----------
    cubes : path
        Artefact 'line_cube_set'.
    extracts : path
        Folder of the artefacts 'extract', named after their galaxies; empty in a run without cubes.
    names : sequence of str
        Of all galaxies of the line cubes.
    lines : sequence of str
        Of the line cubes; the map is of the first of the preferred ones.
    galaxies : iterable of int
        Indices of those to read.
    """
    galaxies = sorted(set(galaxies))
    if extracts:
        shown = [names[k] for k in galaxies]
        files = [path for path in (Path(extracts, f"{name}.h5") for name in shown) if path.is_file()]
        return Pictures(read_extracts(files, shown), {}, "")
    (line,) = chosen_lines(lines, 1)
    read = read_cubes(cubes, galaxies, [line])
    return Pictures({}, {names[k]: line_flux(cube, cube.flux)[0] for k, cube in read.items()}, line)
