"""Figure of anomalous active nuclei: picture, BPT classes of the baxels, score of each line."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.report.autoencoder_pictures import Pictures
from mangrove.report.autoencoder_sample import Shown, agn_words, causes, heading, run_title, score_title
from mangrove.report.colours import BAD_COLOUR
from mangrove.report.drawing import BARS, DPI, Place, axes_at, bar_beside, note, noted
from mangrove.report.galaxy_panels import class_map
from mangrove.report.limits import extend_of, robust_limits
from mangrove.report.line_names import line_title
from mangrove.report.sky import label_grid
from mangrove.report.sky_frame import sky_frame

#: Galaxies in the figure, and side by side.
N_GALAXY, _N_COLUMN = 6, 2
#: Inches: side of a picture, gaps beside the pictures, width of the bars; room below and above a galaxy, above all.
_SIDE, _LEFT, _GAP, _NAMES, _BARS_WIDTH, _RIGHT = 2.25, 0.25, 0.85, 1.3, 2.1, 0.25
_BELOW, _ABOVE, _TOP = 1.2, 0.62, 0.75
_WIDTH = _LEFT + _SIDE + _GAP + _SIDE + _NAMES + _BARS_WIDTH + _RIGHT
_HEIGHT = _BELOW + _SIDE + _ABOVE
_LABELS = ("bpt_class", "d_bpt", "d_bpt_flag")


class Classes(NamedTuple):
    """Labels of the baxels of some galaxies by name; None in a run without baxels."""

    rows: Mapping[str, Mapping[str, np.ndarray]] | None


def read_classes(path, names: list[str]) -> Classes:
    """BPT classes of the baxels of some galaxies, from the artefact 'labels'; an empty path where there are no baxels."""
    if not path:
        return Classes(None)
    table = artefacts.read(path, "labels", ["plateifu", "galaxy", "baxel", *_LABELS])
    index, rows = {name: k for k, name in enumerate(table["plateifu"].tolist())}, {}
    for name in names:
        own = np.flatnonzero(table["galaxy"] == index[name]) if name in index else np.empty(0, int)
        own = own[np.argsort(table["baxel"][own], kind="stable")]
        rows[name] = {label: table[label][own] for label in _LABELS}
    return Classes(rows)


def galaxies_figure(judged: Artefact, agn: Artefact, shown: Shown, pictures: Pictures, classes: Classes) -> Figure:
    """Some galaxies: a picture, the BPT class of each baxel, and the recommended score line by line.

    Parameters
    ----------
    judged, agn : Artefact
        'anomalies' and 'agn'.
    shown : Shown
    pictures : Pictures
        Of these galaxies.
    classes : Classes
    """
    if not shown.galaxy:
        return noted(shown.words)
    n_row = -(-len(shown.galaxy) // _N_COLUMN)
    n_column = min(_N_COLUMN, len(shown.galaxy))
    figure = Figure(figsize=(n_column * _WIDTH, _TOP + n_row * _HEIGHT), dpi=DPI)
    for place, k in enumerate(shown.galaxy):
        row, column = divmod(place, _N_COLUMN)
        left, bottom = column * _WIDTH + _LEFT, (n_row - row - 1) * _HEIGHT + _BELOW
        name = str(judged["plateifu"][k])
        picture = axes_at(figure, Place(left, bottom, _SIDE, _SIDE))
        pictures.draw(picture, name)
        _class_panel(
            axes_at(figure, Place(left + _SIDE + _GAP, bottom, _SIDE, _SIDE)),
            name,
            pictures,
            classes,
            judged["spaxel_score"][k],
        )
        bars = left + 2 * _SIDE + _GAP + _NAMES
        _line_panel(axes_at(figure, Place(bars, bottom, _BARS_WIDTH, _SIDE)), judged, k)
        width, height = figure.get_size_inches()
        words = f"{heading(judged, k)}\n{_second_line(judged, agn, k)}"
        figure.text(left / width, (bottom + _SIDE + 0.24) / height, words, fontsize=10, va="bottom")
    title = f"{run_title(judged)}: {shown.words}\n{pictures.source}"
    figure.suptitle(title, fontsize=12, y=1 - 0.1 / figure.get_figheight(), va="top")
    return figure


def _second_line(judged: Artefact, agn: Artefact, galaxy: int) -> str:
    """Classes of the active nucleus, and causes other than the galaxy."""
    return "    ".join(filter(None, [agn_words(agn, galaxy), causes(judged["cause"][galaxy])]))


def _class_panel(axes: Axes, name: str, pictures: Pictures, classes: Classes, spaxel_score: np.ndarray) -> None:
    """BPT class of each baxel; of a galaxy without baxels, where its residuals are."""
    extract = pictures.extracts.get(name)
    rows = (classes.rows or {}).get(name)
    if extract is None or rows is None or not rows["bpt_class"].size:
        _spaxel_panel(axes, spaxel_score)
        return
    frame = sky_frame(extract)
    class_map(axes, frame, extract, rows, 0.19)
    label_grid(np.array([[axes]]), frame)


def _spaxel_panel(axes: Axes, score: np.ndarray) -> None:
    """Residuals over their errors of the spaxels, shape (ny, nx)."""
    axes.set(xticks=[], yticks=[], facecolor=BAD_COLOUR)
    axes.set_title("no baxels; residual / error", fontsize=10)
    if not np.isfinite(score).any():
        note(axes, "no data")
        return
    top = robust_limits(score, high=99.0)[1]
    shown = axes.imshow(score, origin="lower", vmin=0.0, vmax=top, interpolation="nearest")
    bar_beside(axes, shown, "", extend=extend_of(score, 0.0, top))


def _line_panel(axes: Axes, judged: Artefact, galaxy: int) -> None:
    """The score of each line as a bar, and the median of all galaxies as a mark."""
    value, place = judged["line_value"][galaxy, 0], np.arange(judged["line"].size)
    every = judged["line_value"][:, 0]
    some = np.isfinite(every).any(axis=0)
    median = np.full(place.size, np.nan)
    median[some] = np.nanmedian(every[:, some], axis=0)
    axes.barh(place, np.nan_to_num(value), **BARS)
    axes.plot(median, place, "|", color="k", ms=7, mew=1.6)
    axes.set_yticks(
        place, [line_title(name) for name in judged["line"].tolist()], fontsize=9 if place.size < 12 else 6.5
    )
    axes.set_ylim(place.size - 0.4, -0.6)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_xlabel(score_title(judged["score"][0]), fontsize=9)
    axes.set_title("lines; mark: median of all", fontsize=10)
    for k in np.flatnonzero(~np.isfinite(value)):
        axes.text(0.02, k, "no data", transform=axes.get_yaxis_transform(), va="center", fontsize=7, color="0.4")
