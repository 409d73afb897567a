"""Images of a galaxy's emission lines from its line cube, for runs that have no spectra of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from astropy.table import Table
from plotly.subplots import make_subplots

from mangrove.explorer.downloads import measured
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.figure_events import rows_of
from mangrove.explorer.galaxy_data import line_cube_index
from mangrove.explorer.galaxy_maps import as_unit
from mangrove.explorer.mathtext import as_html
from mangrove.explorer.selectable import selectable_points
from mangrove.explorer.style import UNKNOWN
from mangrove.report.limits import robust_limits
from mangrove.report.line_images import chosen_lines, line_flux, read_cubes
from mangrove.report.line_names import line_title

#: Lines that are shown at most.
_MOST = 6
_COLUMNS = 3
_FLUX = "1e-17 erg s-1 cm-2 spaxel-1"
_UNIT = as_unit(_FLUX)


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
    """The images side by side, arcsec from the middle of the cube; a lasso on one selects spaxels."""
    x, y = _axes(run, plateifu, images)
    inside = _with_data(images)
    spaxels = np.flatnonzero(inside).tolist()
    rows = -(-len(images) // _COLUMNS)
    titles = [as_html(line_title(name)) for name in images]
    figure = make_subplots(rows, _COLUMNS, subplot_titles=titles, horizontal_spacing=0.1, vertical_spacing=0.12)
    for k, image in enumerate(images.values()):
        row, column = divmod(k, _COLUMNS)
        low, high = robust_limits(image)
        shown = go.Heatmap(
            x=x,
            y=y,
            z=image.astype(np.float32),
            zmin=low,
            zmax=high,
            colorscale="Viridis",
            hoverongaps=False,
            hovertemplate=f"%{{z:.4g}} {_UNIT}<extra></extra>",
            colorbar=_bar(rows, row, column),
        )
        figure.add_trace(shown, row + 1, column + 1)
        below, right = np.nonzero(inside)
        figure.add_trace(selectable_points(x[right], y[below], spaxels), row + 1, column + 1)
    figure.update_xaxes(showgrid=False, constrain="domain", title="x offset (arcsec)")
    figure.update_yaxes(showgrid=False, constrain="domain", title="y offset (arcsec)")
    for k, axis in enumerate(figure.select_yaxes()):
        axis.update(scaleanchor=f"x{k + 1 if k else ''}", scaleratio=1)
    figure.update_layout(
        height=380 * rows, dragmode="lasso", hovermode="closest", plot_bgcolor=UNKNOWN, margin={"t": 40, "r": 90}
    )
    return figure


def spaxel_table(run: ExploredRun, plateifu: str, selection: Any) -> Table | None:
    """Places and fluxes of the spaxels that are selected in a figure of :func:`line_images_figure`; None without a line cube.

    Parameters
    ----------
    selection : Any
        Dash's ``selectedData``.

    Returns
    -------
    Table
        column and row (spaxels from 0), x and y (arcsec from the middle of the cube), and the flux of each line.
    """
    images = line_images(run, plateifu)
    if not images:
        return None
    x, y = _axes(run, plateifu, images)
    row, column = np.divmod(np.array(rows_of(selection, x.size * y.size), int), x.size)
    table = Table({"column": column, "row": row, "x": measured(x[column], "arcsec"), "y": measured(y[row], "arcsec")})
    for name, image in images.items():
        table[name] = measured(image[row, column], _FLUX)
    table.meta["PLATEIFU"] = plateifu
    return table


def _axes(run: ExploredRun, plateifu: str, images: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Centres of columns and rows, arcsec from the middle of the cube, shapes (nx,) and (ny,)."""
    scale = float(run.column("line_cube_set", "pixel_scale")[line_cube_index(run, plateifu)])
    ny, nx = next(iter(images.values())).shape
    return scale * (np.arange(nx) - 0.5 * (nx - 1)), scale * (np.arange(ny) - 0.5 * (ny - 1))


def _with_data(images: Mapping[str, np.ndarray]) -> np.ndarray:
    """Spaxels that have the flux of a line, shape (ny, nx)."""
    return np.any([np.isfinite(image) for image in images.values()], axis=0)


def _bar(rows: int, row: int, column: int) -> dict:
    width, height = (1.0 - 0.1 * (_COLUMNS - 1)) / _COLUMNS, 1.0 / rows
    place = {"x": column * (width + 0.1) + width + 0.003, "y": 1.0 - (row + 0.5) * height, "len": 0.8 * height}
    return place | {"xanchor": "left", "thickness": 9, "title": {"text": _UNIT, "side": "right", "font": {"size": 10}}}
