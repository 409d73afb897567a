"""Images of a galaxy's emission lines from its line cube, for runs that have no spectra of it."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.galaxy_data import line_cube_index
from mangrove.explorer.galaxy_maps import as_unit
from mangrove.explorer.mathtext import as_html
from mangrove.explorer.style import UNKNOWN
from mangrove.report.drawing import robust_limits
from mangrove.report.line_images import chosen_lines, line_flux, read_cubes
from mangrove.report.line_names import line_title

#: Lines that are shown at most.
_MOST = 6
_COLUMNS = 3
_UNIT = as_unit("1e-17 erg s-1 cm-2 spaxel-1")


def line_images(run: ExploredRun, plateifu: str) -> dict[str, np.ndarray]:
    """Flux of each of up to six lines over their windows, with their continuum, shape (ny, nx), by name; NaN without data.

    1e-17 erg/s/cm2/spaxel. Empty where the run has no line cube of the galaxy.
    """
    place = line_cube_index(run, plateifu)
    if place is None:
        return {}
    names = chosen_lines(run.column("line_cube_set", "line").tolist(), _MOST)
    cube = read_cubes(run.path("line_cube_set"), [place], names)[place]
    return dict(zip(cube.line, line_flux(cube, cube.flux), strict=True))


def line_images_figure(run: ExploredRun, plateifu: str, images: dict[str, np.ndarray]) -> go.Figure:
    """The images side by side, arcsec from the middle of the cube."""
    scale = float(run.column("line_cube_set", "pixel_scale")[line_cube_index(run, plateifu)])
    rows = -(-len(images) // _COLUMNS)
    titles = [as_html(line_title(name)) for name in images]
    figure = make_subplots(rows, _COLUMNS, subplot_titles=titles, horizontal_spacing=0.1, vertical_spacing=0.12)
    for k, image in enumerate(images.values()):
        row, column = divmod(k, _COLUMNS)
        ny, nx = image.shape
        low, high = robust_limits(image)
        shown = go.Heatmap(
            x=scale * (np.arange(nx) - 0.5 * (nx - 1)),
            y=scale * (np.arange(ny) - 0.5 * (ny - 1)),
            z=image.astype(np.float32),
            zmin=low,
            zmax=high,
            colorscale="Viridis",
            hoverongaps=False,
            hovertemplate=f"%{{z:.4g}} {_UNIT}<extra></extra>",
            colorbar=_bar(rows, row, column),
        )
        figure.add_trace(shown, row + 1, column + 1)
    figure.update_xaxes(showgrid=False, constrain="domain", title="x offset (arcsec)")
    figure.update_yaxes(showgrid=False, constrain="domain", title="y offset (arcsec)")
    for k, axis in enumerate(figure.select_yaxes()):
        axis.update(scaleanchor=f"x{k + 1 if k else ''}", scaleratio=1)
    figure.update_layout(height=380 * rows, plot_bgcolor=UNKNOWN, margin={"t": 40, "r": 90})
    return figure


def _bar(rows: int, row: int, column: int) -> dict:
    width, height = (1.0 - 0.1 * (_COLUMNS - 1)) / _COLUMNS, 1.0 / rows
    place = {"x": column * (width + 0.1) + width + 0.003, "y": 1.0 - (row + 0.5) * height, "len": 0.8 * height}
    return place | {"xanchor": "left", "thickness": 9, "title": {"text": _UNIT, "side": "right", "font": {"size": 10}}}
