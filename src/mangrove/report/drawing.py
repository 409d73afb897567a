"""What the figures of the report share: sizes, axes, colour bars, notes and legends."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from mangrove.codes import Code
from mangrove.report.wording import in_words
from mangrove.whole_files import whole_file

#: Dots per inch of every figure.
DPI = 110
#: More points than this are drawn as a density.
DENSITY_FROM = 3000
#: Between the bars of a histogram.
BARS = {"color": "#4c78a8", "edgecolor": "white", "linewidth": 0.6}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, inches, whose axes leave room for each other's labels."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.08)
    return figure


class Gaps(NamedTuple):
    """Room around and between the panels of a figure, inches."""

    left: float
    right: float
    bottom: float
    top: float
    columns: float
    rows: float


def panel_grid(rows: int, columns: int, size: tuple[float, float], gaps: Gaps, **options) -> tuple[Figure, np.ndarray]:
    """A figure of equal panels at fixed places, and its axes, shape (rows, columns).

    Where the room that labels take is known, as for maps: to measure every label takes longer than to draw all.

    Parameters
    ----------
    size : tuple of float
        Width and height of a panel, inches.
    gaps : Gaps
    **options
        Of ``Figure.subplots``.
    """
    width = gaps.left + columns * size[0] + (columns - 1) * gaps.columns + gaps.right
    height = gaps.bottom + rows * size[1] + (rows - 1) * gaps.rows + gaps.top
    figure = Figure(figsize=(width, height), dpi=DPI)
    places = {"left": gaps.left / width, "right": 1 - gaps.right / width}
    places |= {"bottom": gaps.bottom / height, "top": 1 - gaps.top / height}
    places |= {"wspace": gaps.columns / size[0], "hspace": gaps.rows / size[1]}
    return figure, figure.subplots(rows, columns, squeeze=False, gridspec_kw=places, **options)


class Place(NamedTuple):
    """Place of axes in a figure, inches from its lower left corner."""

    left: float
    bottom: float
    width: float
    height: float


def axes_at(figure: Figure, place: Place) -> Axes:
    """New axes at a place in inches."""
    width, height = figure.get_size_inches()
    return figure.add_axes((place.left / width, place.bottom / height, place.width / width, place.height / height))


def bar_beside(axes: Axes, shown, unit: str, width: float = 0.045, **options) -> Colorbar:
    """The colour bar of what axes show, as high as they are, of a width in theirs."""
    bar = axes.figure.colorbar(shown, cax=axes.inset_axes([1.02, 0.0, width, 1.0]), **options)
    bar.set_label(unit, fontsize=10)
    bar.ax.tick_params(labelsize=9)
    return bar


def count_bar(axes: Axes, shown, unit: str) -> Colorbar:
    """The colour bar of counts on a logarithmic scale, whose ticks are whole numbers."""
    bar = axes.figure.colorbar(shown, ax=axes, pad=0.02)
    plain_log_ticks(bar.ax.yaxis)
    bar.set_label(unit)
    return bar


def plain_log_ticks(axis: Axis) -> None:
    """Ticks at 1, 2 and 5 times powers of ten on a logarithmic axis, written as plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))


def save_png(figure: Figure, path) -> None:
    """Write a figure as PNG.

    ``Figure.savefig`` lays a figure out and draws it twice, as its layout may depend on the first time; that of
    :func:`new_figure` does not.
    """
    with whole_file(path) as part:
        FigureCanvasAgg(figure).print_png(part)


def beyond(axes: Axes, x, y, colour: str) -> int:
    """Draw the points outside of the limits of axes as triangles at their edge; their number.

    Parameters
    ----------
    x, y : array_like, shape (n,)
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    sides = {"<": x < left, ">": x > right, "v": y < bottom, "^": y > top}
    outside = np.zeros(x.shape, bool)
    for marker, side in sides.items():
        new = side & ~outside
        outside |= side
        place = np.clip(x[new], left, right), np.clip(y[new], bottom, top)
        if new.any():
            axes.plot(*place, marker, ms=5, mfc="none", color=colour, clip_on=False, zorder=4)
    return int(outside.sum())


def whole_numbers(*axes: Axes) -> None:
    """Ticks at whole numbers on the y axes, which count something."""
    for one in axes:
        one.yaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))


def note(axes: Axes, text: str) -> None:
    """Text in the middle of axes that have nothing to show."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=11, color="0.35", wrap=True)


def noted(text: str) -> Figure:
    """A figure of a text."""
    figure = new_figure(6, 3)
    axes = figure.subplots()
    axes.set_axis_off()
    note(axes, text)
    return figure


def legend_below(axes: Axes, handles, gap: float) -> None:
    """A legend below a map, so that no spaxel is hidden; ``gap`` in heights of the map."""
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, -gap)}
    axes.legend(handles=handles, **place, ncols=2, fontsize=9, frameon=False)


def legend_above(axes: Axes, **options) -> None:
    """A legend in one line between axes and their title, so that no point is hidden."""
    n = len(axes.get_legend_handles_labels()[0])
    place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "borderaxespad": 0.3}
    axes.legend(**place, ncols=max(n, 1), fontsize=9, frameon=False, **options)
    axes.set_title(axes.get_title(), pad=24)


def count_bars(axes: Axes, kind: type[Code], codes, title: str, what: str) -> None:
    """A bar per code of a kind, with its count."""
    counts = [int(np.sum(codes == code)) for code in kind]
    labels = [in_words(code) for code in kind]
    bars = axes.barh(labels, counts, **BARS)
    axes.bar_label(bars, fmt="{:,.0f}", padding=4, fontsize=10)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set(title=title, xlabel=f"number of {what}")
