"""Maps of a galaxy on the sky as figures that are clicked: square spaxels, as the cube lies, unknown grey.

The axes say where east and north are: those of a cube in the usual orientation run left and up.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mangrove.artefacts import Artefact
from mangrove.explorer.figure_events import places_of
from mangrove.explorer.galaxy_maps import ShownMap
from mangrove.explorer.selectable import selectable_points
from mangrove.explorer.style import UNKNOWN
from mangrove.report.sky_frame import SkyFrame, effective_ellipse, on_spaxels, sky_frame

#: Place of the trace that outlines the chosen baxel, in a figure of one map; in each of several it follows its map.
OUTLINE = 1
_HEIGHT = 400
_SMALL = 330
#: Between maps that stand side by side, for the colour bar; in widths of the figure.
_GAP = 0.075


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
    map_traces = [_heatmap(bins, frame, shown, _bar(shown)), _outline_trace(bins, frame, baxel)]
    return _figure_of_one(bins, frame, map_traces, centres)


def maps_figure(bins: Artefact, shown: Mapping[str, ShownMap], baxel: int | None, centres: tuple) -> go.Figure:
    """Several maps side by side, each with its colour bar, of which a lasso selects baxels as of :func:`map_figure`."""
    frame, n = sky_frame(bins), len(shown)
    width = (1.0 - (n - 1) * _GAP) / n
    left = [k * (width + _GAP) for k in range(n)]
    axes = [{"xaxis": f"x{k + 1 if k else ''}", "yaxis": f"y{k + 1 if k else ''}"} for k in range(n)]
    traces: list[go.Heatmap | go.Scatter] = []
    for k, one in enumerate(shown.values()):
        place = {"x": left[k] + width + 0.003, "xanchor": "left", "len": 0.9, "thickness": 9}
        traces += [
            _heatmap(bins, frame, one, _bar(one) | place, **axes[k]),
            _outline_trace(bins, frame, baxel, **axes[k]),
        ]
    traces += [_selectable(frame, bins, *centres).update(names) for names in axes]
    layout = _layout(frame, _SMALL, n) | {"margin": {"t": 40, "r": 70}}
    for k, names in enumerate(axes):
        x, y = (layout[f"{name[0]}axis{name[1:]}"] for name in names.values())
        x |= {"domain": [left[k], left[k] + width], "anchor": names["yaxis"]}
        y |= {"anchor": names["xaxis"]} | ({"title": None, "showticklabels": False} if k else {})
    above = {"y": 1.0, "xref": "paper", "yref": "paper", "yanchor": "bottom", "showarrow": False, "font": {"size": 16}}
    layout["annotations"] = [
        above | {"text": one.title, "x": left[k] + 0.5 * width} for k, one in enumerate(shown.values())
    ]
    return go.Figure(traces, layout)


def image_figure(bins: Artefact, picture: np.ndarray, baxel: int | None, centres: tuple) -> go.Figure:
    """A picture of the galaxy (:func:`mangrove.report.galaxy_images.picture_of`) with the axes and the lasso of the maps."""
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
    return _figure_of_one(bins, frame, [image, _outline_trace(bins, frame, baxel), clicked], centres)


def outline(bins: Artefact, frame: SkyFrame, baxel: int | None) -> tuple[list, list]:
    """Edges of the spaxels of a baxel towards others, arcsec: pairs of ends with None between them; none for None."""
    left, right, bottom, top = frame.extent
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


def _outline_trace(bins: Artefact, frame: SkyFrame, baxel: int | None, **axes: str) -> go.Scatter:
    x, y = outline(bins, frame, baxel)
    line = {"color": "#ff3df2", "width": 2.5}
    return go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False, **axes)


def _heatmap(bins: Artefact, frame: SkyFrame, shown: ShownMap, bar: dict, **axes: str) -> go.Heatmap:
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
        **axes,
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


def _ellipse(bins: Artefact) -> list[go.Scatter]:
    """The effective radius, dashed."""
    ellipse = effective_ellipse(bins)
    if ellipse is None:
        return []
    x, y = np.append(ellipse, ellipse[:1], axis=0).T
    lines = ({"color": "white", "width": 2.5}, {"color": "black", "width": 1.2, "dash": "dash"})
    return [go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False) for line in lines]


def _figure_of_one(bins: Artefact, frame: SkyFrame, map_traces: list, centres: tuple) -> go.Figure:
    traces = [*map_traces, *_ellipse(bins), _selectable(frame, bins, *centres)]
    return go.Figure(traces, _layout(frame, _HEIGHT))


def _layout(frame: SkyFrame, height: int, n_map: int = 1) -> dict:
    """Layout of maps with square spaxels: as a dict, which Plotly checks once."""
    left, right, bottom, top = frame.shown
    square = {"showgrid": False, "constrain": "domain", "zeroline": False, "nticks": 6}
    layout: dict = {
        "height": height,
        "dragmode": "lasso",
        "hovermode": "closest",
        "uirevision": "map",
        "plot_bgcolor": UNKNOWN,
    }
    for number in ("", *range(2, n_map + 1)):
        layout[f"xaxis{number}"] = square | {"title": {"text": frame.xlabel}, "range": [left, right]}
        upwards = {"title": {"text": frame.ylabel}, "range": [bottom, top], "autorange": False}
        layout[f"yaxis{number}"] = square | upwards | {"scaleanchor": f"x{number}", "scaleratio": 1}
    return layout
