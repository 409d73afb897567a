"""What the figures of the report share."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure

from mangrove.spectra.bpt import KEWLEY_LIMIT, kauffmann_2003, kewley_2001

#: Dots per inch of every figure.
DPI = 110
BAD_COLOUR = "#e4e4e4"
#: More points than this are drawn as a density.
DENSITY_FROM = 3000
BPT_COLOURS = {"star-forming": "#2c7fb8", "composite": "#41ab5d", "AGN": "#d7301f"}


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


def bar_beside(axes: Axes, shown, unit: str, **options) -> Colorbar:
    """The colour bar of what axes show, as high as they are."""
    bar = axes.figure.colorbar(shown, cax=axes.inset_axes([1.02, 0.0, 0.045, 1.0]), **options)
    bar.set_label(unit, fontsize=10)
    bar.ax.tick_params(labelsize=9)
    return bar


def save_png(figure: Figure, path) -> None:
    """Write a figure as PNG.

    ``Figure.savefig`` lays a figure out and draws it twice, as its layout may depend on the first time; that of
    :func:`new_figure` does not.
    """
    FigureCanvasAgg(figure).print_png(path)


def robust_limits(values, low: float = 2.0, high: float = 98.0) -> tuple[float, float]:
    """Percentiles of the finite values, always apart; (0, 1) without any."""
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return 0.0, 1.0
    bottom, top = np.percentile(finite, [low, high])
    margin = 0.05 * abs(bottom) or 0.5
    return (float(bottom), float(top)) if top > bottom else (float(bottom - margin), float(top + margin))


def counted(n: int, one: str, many: str = "") -> str:
    """A number with its noun, whose plural ends in s or is given."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def note(axes: Axes, text: str) -> None:
    """Text in the middle of axes that have nothing to show."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=11, color="0.35", wrap=True)


def legend_below(axes: Axes, handles, gap: float) -> None:
    """A legend below a map, so that no spaxel is hidden; ``gap`` in heights of the map."""
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, -gap)}
    axes.legend(handles=handles, **place, ncols=2, fontsize=8, frameon=False)


def bpt_axes(axes: Axes) -> None:
    """The frame of a BPT diagram: curves, limits, labels."""
    x = np.linspace(-2.6, KEWLEY_LIMIT, 2000)
    axes.plot(x, kauffmann_2003(x), "k--", lw=1.3, label="Kauffmann et al. 2003")
    axes.plot(x, kewley_2001(x), "k-", lw=1.3, label="Kewley et al. 2001")
    axes.set(xlim=(-2.4, 0.6), ylim=(-1.3, 1.5), xlabel="log [NII] 6585 / Hα", ylabel="log [OIII] 5008 / Hβ")


def count_bars(axes: Axes, names: dict[int, str], codes, title: str) -> None:
    """A bar per named code, with its count."""
    counts = [int(np.sum(codes == code)) for code in names]
    labels = [name.replace("_", " ") for name in names.values()]
    bars = axes.barh(labels, counts, color="#4c78a8")
    axes.bar_label(bars, padding=4, fontsize=10)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set(title=title, xlabel="number")
