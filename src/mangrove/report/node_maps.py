"""Drawing on the nodes of a self-organising map: they are (column, row) from 1, row 1 at the bottom."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from mangrove.artefacts import Artefact
from mangrove.report.colours import BAD_COLOUR
from mangrove.report.drawing import bar_beside, note
from mangrove.report.limits import extend_of, robust_limits
from mangrove.report.node_places import NodePlaces

#: Most ticks on an axis of nodes.
_MOST_TICKS = 10
_BAR_TICKS = 6
#: Room in a cell around the spectrum in it.
_INSET = 0.06
#: Luminance of a colour (ITU-R BT.601) above which text on it is black.
_LUMINANCE = np.array([0.299, 0.587, 0.114])
_BRIGHT = 0.55
#: Height of a character over its width, and the part of a cell that a number takes.
_CHARACTER, _FILLED = 0.62, 0.8
_POINTS_PER_INCH = 72.0
_LARGEST_TEXT = 10.0


def map_in_words(quality: Artefact) -> str:
    """Measures of a map's order in one line; those that too few members leave open are left out."""
    measures = {
        "occupation entropy": quality.attrs["occupation_entropy"],
        "topographic error": quality.attrs["topographic_error_8"],
        "trustworthiness": quality.attrs["trustworthiness"],
    }
    return ", ".join(f"{name} {value:.3f}" for name, value in measures.items() if np.isfinite(value))


def node_axes(axes: Axes, places: NodePlaces) -> None:
    """Square cells centred on (column, row), both from 1, row 1 at the bottom."""
    axes.set(xlim=(0.5, places.columns + 0.5), ylim=(0.5, places.rows + 0.5), aspect="equal")
    axes.set(xlabel="column", ylabel="row")
    for axis, n in ((axes.xaxis, places.columns), (axes.yaxis, places.rows)):
        axis.set_ticks(np.arange(1, n + 1, -(-n // _MOST_TICKS)))
    axes.tick_params(length=2)


def draw_nodes(
    axes: Axes, places: NodePlaces, values, title: str, unit: str = "", limits=None, **colours
) -> ScalarMappable:
    """Colour the nodes by values, shape (n_node,), with a colour bar; NaN is light grey.

    Parameters
    ----------
    unit : str
        Label of the colour bar.
    limits : tuple of float, optional
        Of the colours; the 2nd and 98th percentile by default.
    **colours
        Of ``Axes.pcolormesh``, as ``cmap``.
    """
    values = np.asarray(values, float)
    low, high = limits or robust_limits(values)
    edges = (np.arange(n + 1) + 0.5 for n in (places.columns, places.rows))
    axes.set_facecolor(BAD_COLOUR)
    shown = axes.pcolormesh(*edges, places.laid_out(values), vmin=low, vmax=high, **colours)
    node_axes(axes, places)
    axes.set_title(title, fontsize=11)
    if not np.isfinite(values).any():
        note(axes, "no value")
        return shown
    bar = bar_beside(axes, shown, unit, extend=extend_of(values, low, high))
    bar.locator = MaxNLocator(_BAR_TICKS, steps=[1, 2, 2.5, 5, 10])
    return shown


def write_in_nodes(axes: Axes, places: NodePlaces, texts: Sequence[str], shown: ScalarMappable | None = None) -> None:
    """Write a text into every node, as large as the cells allow, black or white by the colour beneath it.

    Parameters
    ----------
    texts : sequence of str, shape (n_node,)
    shown : ScalarMappable, optional
        What :func:`draw_nodes` gave; black without.
    """
    longest = max((len(text) for text in texts), default=1) or 1
    width, _ = axes.figure.get_size_inches() * axes.get_position().size
    points = _POINTS_PER_INCH * width / places.columns
    size = min(_LARGEST_TEXT, _FILLED * points / (_CHARACTER * max(longest, 2)))
    colours = ["k"] * len(texts) if shown is None else _ink(shown, places)
    for k, text in enumerate(texts):
        place = places.column[k] + 1, places.row[k] + 1
        axes.text(*place, text, ha="center", va="center", fontsize=size, color=colours[k])


def hatch_nodes(axes: Axes, places: NodePlaces, chosen) -> None:
    """Hatch the nodes where ``chosen``, bool of shape (n_node,), is true."""
    cells = [Rectangle((places.column[k] + 0.5, places.row[k] + 0.5), 1, 1) for k in np.flatnonzero(chosen)]
    axes.add_collection(PatchCollection(cells, facecolor="none", edgecolor="0.6", hatch="///", linewidth=0))


def outline_node(axes: Axes, places: NodePlaces, node: int, colour: str) -> None:
    """Frame a node, in white besides, so that the frame stands out from any colour."""
    corner = places.column[node] + 0.5, places.row[node] + 0.5
    for around, width in (("w", 5.0), (colour, 2.5)):
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=around, linewidth=width, zorder=3))


def cross_out(axes: Axes, places: NodePlaces, chosen) -> None:
    """Mark the nodes where ``chosen``, bool of shape (n_node,), is true with a cross."""
    at = np.flatnonzero(chosen)
    axes.plot(places.column[at] + 1, places.row[at] + 1, "x", color="0.2", ms=8, mew=1.5)


class CellScale(NamedTuple):
    """Ranges of x and y that fill a cell."""

    x: tuple[float, float]
    y: tuple[float, float]

    def placed(self, places: NodePlaces, node: int, x, y) -> tuple[np.ndarray, np.ndarray]:
        """A curve in the cell of a node; what leaves the range of y ends at its edge."""
        room = 1 - 2 * _INSET
        across = (np.asarray(x) - self.x[0]) / (self.x[1] - self.x[0])
        up = np.clip((np.asarray(y) - self.y[0]) / (self.y[1] - self.y[0]), 0, 1)
        return (
            places.column[node] + 0.5 + _INSET + room * across,
            places.row[node] + 0.5 + _INSET + room * up,
        )


def frame_cells(axes: Axes, places: NodePlaces, empty) -> None:
    """Axes of cells with lines between them; those where ``empty``, bool of shape (n_node,), is true are grey."""
    node_axes(axes, places)
    cells = [Rectangle((places.column[k] + 0.5, places.row[k] + 0.5), 1, 1) for k in np.flatnonzero(empty)]
    axes.add_collection(PatchCollection(cells, facecolor=BAD_COLOUR, linewidth=0, zorder=0))
    for lines, n in ((axes.axvline, places.columns), (axes.axhline, places.rows)):
        for edge in np.arange(1, n) + 0.5:
            lines(edge, color="0.8", lw=0.6, zorder=0.5)


def _ink(shown: ScalarMappable, places: NodePlaces) -> list[str]:
    colours = shown.to_rgba(shown.get_array())[places.row, places.column, :3]
    values = np.ma.filled(np.ma.masked_invalid(shown.get_array()), np.nan)[places.row, places.column]
    bright = (colours @ _LUMINANCE > _BRIGHT) | ~np.isfinite(values)
    return ["k" if one else "w" for one in bright]
