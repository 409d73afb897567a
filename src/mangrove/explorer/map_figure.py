"""Maps of a galaxy on the sky as figures that are clicked: square spaxels, as the cube lies, unknown grey.

The axes say where east and north are: those of a cube in the usual orientation run left and up.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mangrove.artefacts import Artefact
from mangrove.explorer.figure_events import places_of
from mangrove.explorer.galaxy_maps import ShownMap
from mangrove.explorer.selectable import selectable_points
from mangrove.explorer.style import UNKNOWN
from mangrove.report.sky import SkyFrame, on_spaxels, sky_frame
from mangrove.report.sky_marks import effective_ellipse

#: Place of the trace that outlines the chosen baxel, in a figure of one map; in each of several it follows its map.
OUTLINE = 1
_HEIGHT = 400
_SMALL = 330


def map_figure(bins: Artefact, shown: ShownMap, baxel: int | None, centres: tuple) -> go.Figure:
    """A quantity of the baxels on their spaxels.

    Parameters
    ----------
    bins : Artefact
        'extract' with bin_id and spaxel_status.
    baxel : int or None
        That which is outlined.
    centres : tuple of ndarray
        x and y of the baxels, spaxels from 0, shape (n_baxel,): a lasso selects baxels by them.
    """
    frame = sky_frame(bins)
    figure = go.Figure([_heatmap(bins, frame, shown, _bar(shown)), outline_trace(bins, baxel)])
    _add_ellipse(figure, bins)
    figure.add_trace(_selectable(frame, bins, *centres))
    _lay_out(figure, frame, _HEIGHT)
    return figure


def maps_figure(bins: Artefact, shown: Mapping[str, ShownMap], baxel: int | None, centres: tuple) -> go.Figure:
    """Several maps side by side, each with its colour bar, of which a lasso selects baxels as of :func:`map_figure`."""
    frame, n = sky_frame(bins), len(shown)
    gap = 0.075
    figure = make_subplots(1, n, subplot_titles=[one.title for one in shown.values()], horizontal_spacing=gap)
    width = (1.0 - (n - 1) * gap) / n
    traces, columns = [], []
    for k, one in enumerate(shown.values()):
        place = {"x": k * (width + gap) + width + 0.003, "xanchor": "left", "len": 0.9, "thickness": 9}
        traces += [_heatmap(bins, frame, one, _bar(one) | place), outline_trace(bins, baxel)]
        columns += [k + 1, k + 1]
    traces += [_selectable(frame, bins, *centres) for _ in range(n)]
    figure.add_traces(traces, [1] * len(traces), [*columns, *range(1, n + 1)])
    _lay_out(figure, frame, _SMALL)
    figure.update_yaxes(title="", showticklabels=False)
    figure.update_yaxes(title=frame.ylabel, showticklabels=True, col=1)
    figure.update_layout(margin={"t": 40, "r": 70})
    return figure


def image_figure(bins: Artefact, picture: np.ndarray, baxel: int | None, centres: tuple) -> go.Figure:
    """A picture of the galaxy (:func:`mangrove.report.galaxy_pictures.picture_of`) with the axes and the lasso of the maps."""
    frame = sky_frame(bins)
    x, y = spaxel_axes(bins, frame)
    rising = picture if frame.extent[1] > frame.extent[0] else picture[:, ::-1]
    step = abs(x[1] - x[0])
    image = go.Image(
        z=_bytes_of(rising),
        x0=min(x),
        dx=step,
        y0=y[0],
        dy=y[1] - y[0],
        hoverinfo="skip",
    )
    clicked = go.Heatmap(x=x, y=y, z=np.zeros(picture.shape[:2]), opacity=0, showscale=False, **_hover(bins, "baxel"))
    figure = go.Figure([image, outline_trace(bins, baxel), clicked])
    _add_ellipse(figure, bins)
    figure.add_trace(_selectable(frame, bins, *centres))
    _lay_out(figure, frame, _HEIGHT)
    return figure


def outline_trace(bins: Artefact, baxel: int | None) -> go.Scatter:
    """The edge of a baxel; empty for None."""
    x, y = outline(bins, baxel)
    line = {"color": "#ff3df2", "width": 2.5}
    return go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False)


def outline(bins: Artefact, baxel: int | None) -> tuple[list, list]:
    """Edges of the spaxels of a baxel towards others, arcsec: pairs of ends with None between them."""
    left, right, bottom, top = sky_frame(bins).extent
    inside = np.pad(bins["bin_id"] == (-2 if baxel is None else baxel), 1)
    ny, nx = bins["bin_id"].shape
    x, y = np.linspace(left, right, nx + 1), np.linspace(bottom, top, ny + 1)
    # Between columns: from the lower to the upper edge of a row; between rows likewise.
    row, column = np.nonzero(inside[1:-1, 1:] != inside[1:-1, :-1])
    upright = [(x[c], x[c], y[r], y[r + 1]) for r, c in zip(row, column, strict=True)]
    row, column = np.nonzero(inside[1:, 1:-1] != inside[:-1, 1:-1])
    level = [(x[c], x[c + 1], y[r], y[r]) for r, c in zip(row, column, strict=True)]
    xs = [part for a, b, _, _ in (*upright, *level) for part in (a, b, None)]
    ys = [part for _, _, a, b in (*upright, *level) for part in (a, b, None)]
    return xs, ys


def clicked_baxel(bins: Artefact, click: Any) -> int | None:
    """The baxel under a click on a map, from Dash's ``clickData``; None beside the baxels."""
    points = places_of(click)
    if not points:
        return None
    x, y = spaxel_axes(bins, sky_frame(bins))
    column, row = int(np.argmin(np.abs(x - points[0][0]))), int(np.argmin(np.abs(y - points[0][1])))
    found = int(bins["bin_id"][row, column])
    return found if found >= 0 else None


def spaxel_axes(bins: Artefact, frame: SkyFrame) -> tuple[np.ndarray, np.ndarray]:
    """Centres of columns and rows on the axes of the maps, arcsec, shapes (nx,) and (ny,)."""
    left, right, bottom, top = frame.extent
    ny, nx = bins["bin_id"].shape
    x, y = np.linspace(left, right, nx + 1), np.linspace(bottom, top, ny + 1)
    return 0.5 * (x[1:] + x[:-1]), 0.5 * (y[1:] + y[:-1])


def _heatmap(bins: Artefact, frame: SkyFrame, shown: ShownMap, bar: dict) -> go.Heatmap:
    x, y = spaxel_axes(bins, frame)
    low, high = shown.limits
    return go.Heatmap(
        x=x,
        y=y,
        z=on_spaxels(bins, shown.values).astype(np.float32),
        zmin=low,
        zmax=high,
        colorscale=shown.colours,
        colorbar=bar,
        showscale=bool(np.isfinite(shown.values).any()),
        **_hover(bins, f"%{{z:.4g}} {shown.unit}" if shown.texts is None else "%{text}", shown.texts),
    )


def _bytes_of(picture: np.ndarray) -> np.ndarray:
    """Colours from 0 to 255; those of a picture of floats run from 0 to 1."""
    if picture.dtype == np.uint8:
        return picture
    return np.clip(np.round(255 * picture), 0, 255).astype(np.uint8)


def _hover(bins: Artefact, what: str, texts=None) -> dict:
    template = (
        f"baxel %{{customdata}}<br>{what}<extra></extra>" if what != "baxel" else "baxel %{customdata}<extra></extra>"
    )
    found = {"customdata": bins["bin_id"], "hovertemplate": template, "hoverongaps": False}
    if texts is not None:
        found["text"] = np.append(np.asarray(texts, dtype=object), "")[bins["bin_id"]]
    return found


def _bar(shown: ShownMap) -> dict:
    bar: dict = {"title": {"text": shown.unit, "side": "right"}, "thickness": 14, "outlinewidth": 0}
    if shown.words:
        bar |= {"tickvals": list(range(len(shown.words))), "ticktext": list(shown.words)}
    return bar


def _selectable(frame: SkyFrame, bins: Artefact, column: np.ndarray, row: np.ndarray) -> go.Scatter:
    """Centres of the baxels, which a lasso selects."""
    left, right, bottom, top = frame.extent
    ny, nx = bins["bin_id"].shape
    return selectable_points(
        left + (column + 0.5) * (right - left) / nx,
        bottom + (row + 0.5) * (top - bottom) / ny,
        list(range(column.size)),
    )


def _add_ellipse(figure: go.Figure, bins: Artefact) -> None:
    """The effective radius, dashed."""
    ellipse = effective_ellipse(bins)
    if ellipse is None:
        return
    x, y = np.append(ellipse, ellipse[:1], axis=0).T
    for line in ({"color": "white", "width": 2.5}, {"color": "black", "width": 1.2, "dash": "dash"}):
        figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False))


def _lay_out(figure: go.Figure, frame: SkyFrame, height: int) -> None:
    left, right, bottom, top = frame.shown
    square = {"showgrid": False, "constrain": "domain", "zeroline": False, "nticks": 6}
    figure.update_xaxes(title=frame.xlabel, range=[left, right], **square)
    figure.update_yaxes(title=frame.ylabel, range=[bottom, top], autorange=False, **square)
    for k, axis in enumerate(figure.select_yaxes()):
        axis.update(scaleanchor=f"x{k + 1 if k else ''}", scaleratio=1)
    figure.update_layout(height=height, dragmode="lasso", hovermode="closest", uirevision="map", plot_bgcolor=UNKNOWN)
