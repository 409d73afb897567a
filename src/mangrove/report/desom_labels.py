"""Figures of the labels on the map of spectra: their medians, held-out galaxies beside them, fits of the templates."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove.artefacts import Artefact
from mangrove.codes import FitStatus
from mangrove.report.drawing import Gaps, new_figure, note, panel_grid
from mangrove.report.label_style import STYLE
from mangrove.report.node_maps import draw_nodes, hatch_nodes
from mangrove.report.node_places import NodePlaces, places_of
from mangrove.report.node_values import column, label_limits, main_labels, shown_labels
from mangrove.report.one_to_one import draw_one_to_one
from mangrove.report.wording import counted, plain, signed
from mangrove.validation.comparison import robust_width

_N_COLUMN = 4
#: Room for colour bars between the maps.
_GAPS = Gaps(left=0.7, right=1.1, bottom=0.6, top=1.0, columns=1.65, rows=1.0)


def labels_figure(node_labels: Artefact) -> Figure:
    """The median of each label on the nodes; those that pooled their neighbours are hatched, those without any grey.

    Parameters
    ----------
    node_labels : Artefact
        'node_labels'.
    """
    places, names = places_of(node_labels), shown_labels(node_labels)
    rows = -(-len(names) // _N_COLUMN)
    figure, grid = panel_grid(rows, _N_COLUMN, (3.4, 3.4 * places.rows / places.columns), _GAPS)
    for axes, name in zip(grid.ravel(), names, strict=False):
        k = column(node_labels, name)
        _median_map(axes, places, name, node_labels["median"][:, k], STYLE[name].title)
        hatch_nodes(axes, places, node_labels["pool_radius"][:, k] > 0)
    for spare in grid.ravel()[len(names) :]:
        spare.set_axis_off()
    least = node_labels.attrs["min_baxels"]
    figure.suptitle(
        "node medians of the training galaxies\n"
        f"hatched: fewer than {counted(least, 'baxel')} of its own with the label, neighbours pooled; grey: no value",
        fontsize=13,
    )
    return figure


def train_test_figure(node_labels: Artefact, quality: Artefact) -> Figure:
    """Node medians of training and of test galaxies on one scale, and one against the other with their correlation.

    Parameters
    ----------
    node_labels, quality : Artefact
        'node_labels' and 'desom_quality'.
    """
    places, names = places_of(node_labels), main_labels(node_labels)
    figure, grid = panel_grid(3, len(names), (3.0, 3.0), _GAPS)
    for name, (upper, middle, lower) in zip(names, grid.T, strict=True):
        k = column(node_labels, name)
        train, test = node_labels["median"][:, k], node_labels["test_median"][:, k]
        limits = label_limits(name, np.concatenate([train, test]))
        _median_map(upper, places, name, train, f"{STYLE[name].title}\ntraining", limits)
        _median_map(middle, places, name, test, "test", limits)
        rho = quality["rho_train_test"][column(quality, name)]
        _nodes_against(lower, node_labels["own_median"][:, k], test, f"ρ = {plain(rho, 3)}\n")
        lower.set(xlabel=f"training: {STYLE[name].axis}", ylabel="test")
    figure.suptitle(
        "node medians of training galaxies (neighbours pooled where there are few) and of test galaxies (grey: none); "
        "bottom: medians of nodes with baxels of both, none pooled"
    )
    return figure


def template_labels_figure(node_labels: Artefact, fits: Artefact) -> Figure:
    """Labels from fits of the nodes' templates against the medians of the labels on the nodes.

    Parameters
    ----------
    node_labels, fits : Artefact
        'node_labels' and 'template_labels'.
    """
    names = main_labels(node_labels)
    figure = new_figure(15, 10)
    panels = figure.subplots(2, 3).ravel()
    fitted = np.isin(fits["status"], (FitStatus.OK, FitStatus.GAS_AT_BOUND))
    for axes, name in zip(panels, names, strict=False):
        at = column(fits, name)
        values = np.where(fitted, fits["value"][:, at], np.nan)
        # Of the spectra that made the template.
        median = node_labels["own_median"][:, column(node_labels, name)]
        _nodes_against(axes, median, values, f"{STYLE[name].title}\n", np.nan_to_num(fits["error"][:, at]))
        axes.set(xlabel=f"node median: {STYLE[name].axis}", ylabel="fit of the template")
    for spare in panels[len(names) :]:
        spare.set_axis_off()
    n = counted(int(fitted.sum()), "template", "templates")
    figure.suptitle(f"fits of {n} of {counted(fitted.size, 'node')} against the labels of the baxels on them")
    return figure


def offset_in_words(difference) -> str:
    """Median and robust scatter of differences, shape (n,), of which there is at least one."""
    return f"bias {signed(float(np.median(difference)), 3)}, scatter {robust_width(difference):.3f}"


def _median_map(axes: Axes, places: NodePlaces, name: str, values, title: str, limits=None) -> None:
    style = STYLE[name]
    draw_nodes(axes, places, values, title, style.axis, limits or label_limits(name, values), cmap=style.cmap)


def _nodes_against(axes: Axes, x, y, words: str, error=None) -> None:
    """Values of the nodes that have both, 1:1, with their number, bias and scatter as the title."""
    both = np.isfinite(x) & np.isfinite(y)
    axes.set_title(f"{words}{counted(int(both.sum()), 'node')}", fontsize=10)
    if not both.any():
        note(axes, "no node has both")
        return
    draw_one_to_one(axes, x[both], y[both], None if error is None else error[both])
    axes.set_title(f"{axes.get_title()}, {offset_in_words(y[both] - x[both])}", fontsize=10)
