"""Small pictures of galaxies, made from the images of their cubes, as a page holds them."""

import base64
import io

import numpy as np

from mangrove.errors import ArtefactError
from mangrove.explorer.explored_run import ExploredRun
from mangrove.report.galaxy_images import field_of_view, picture_of, read_extracts


def thumbnail(run: ExploredRun, plateifu: str) -> str:
    """A galaxy in colour, or its continuum in grey, as a PNG in a data URL: a pixel a spaxel, turned as the cube.

    '' for what has no picture: a galaxy that the run does not have or did not extract, spectra without a place on the
    sky. The last few hundred are kept.
    """
    if plateifu not in run.galaxies:
        return ""
    return run.recent("thumbnails", [run.path("extract", plateifu=plateifu)], lambda: _made(run, plateifu))


def data_url(picture: np.ndarray) -> str:
    """A picture, shape (ny, nx, 3), the first row at the bottom, as a PNG in a data URL."""
    from matplotlib.image import imsave  # slow to import: the explorer opens without

    written = io.BytesIO()
    imsave(written, picture, origin="lower", format="png")
    return f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"


def _made(run: ExploredRun, plateifu: str) -> str:
    try:
        extract = read_extracts([run.path("extract", plateifu=plateifu)], [plateifu])[plateifu]
    except ArtefactError:
        return ""
    picture = picture_of(extract) if extract.ok else None
    if picture is None:
        return ""
    (left, right), (bottom, top) = (np.add(edges, 0.5).astype(int) for edges in field_of_view(extract))
    return data_url(np.ascontiguousarray(picture[bottom:top, left:right]))
