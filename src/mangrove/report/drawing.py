"""What the figures of the report share."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mangrove.spectra.bpt import KEWLEY_LIMIT, kauffmann_2003, kewley_2001

BAD_COLOUR = "#e4e4e4"
#: More points than this are drawn as a density.
DENSITY_FROM = 3000
BPT_COLOURS = {"star-forming": "#2c7fb8", "composite": "#41ab5d", "AGN": "#d7301f"}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, inches, whose axes leave room for each other's labels."""
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.08)
    return figure


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
