"""The labels of a map's nodes as figures and pages show them."""

import numpy as np

from mangrove.artefacts import Artefact
from mangrove.report.label_style import MIN_RANGE, STYLE, bpt_limits
from mangrove.report.limits import fenced_limits, robust_limits

#: Labels of the figures that have several panels for each.
MAIN = ("log_age_lw", "metallicity_lw", "log_ml_r", "ebv_star", "log_ssfr", "d_bpt")
#: The label that the templates' cells and the nodes of examples are coloured by.
COLOURED_BY = "log_age_lw"
#: Quantiles of a label that bound 68 %, and the median.
_LOW, _MIDDLE, _HIGH = 0.16, 0.5, 0.84


def label_limits(name: str, values) -> tuple[float, float]:
    """Limits of the colours of node medians, at least :data:`mangrove.report.label_style.MIN_RANGE` apart.

    They hold the bulk of the nodes: one odd galaxy on nodes of its own does not take the colours from the others.
    """
    if name == "d_bpt":
        return bpt_limits(values)
    ends = robust_limits(values, 0, 100)
    low, high = np.clip(fenced_limits(values), *ends).tolist()
    return low, max(high, low + MIN_RANGE)


def shown_labels(node_labels: Artefact) -> list[str]:
    """Labels of an artefact that figures can name, in the order of ``STYLE`` of :mod:`mangrove.report.label_style`."""
    known = set(node_labels["label"].tolist())
    return [name for name in STYLE if name in known]


def main_labels(node_labels: Artefact) -> list[str]:
    """Those of :data:`MAIN` that an artefact has."""
    return [name for name in MAIN if name in set(node_labels["label"].tolist())]


def column(artefact: Artefact, name: str) -> int:
    """Index of a label of an artefact."""
    return artefact["label"].tolist().index(name)


def flux_axis(spectra: Artefact) -> str:
    """Label of an axis of normalised fluxes."""
    low, high = spectra.attrs["norm_band"]
    return f"flux / mean at {low:g}-{high:g} Å"


def interval(node_labels: Artefact, node: int, name: str) -> tuple[float, float, float]:
    """The 16 %, 50 % and 84 % quantiles of a label on a node."""
    values = node_labels["value"][node, column(node_labels, name)]
    return tuple(
        np.interp(
            [  #: Quantiles of a label that bound 68 %, and the median.
                _LOW,
                _MIDDLE,
                _HIGH,
            ],
            node_labels["quantile"],
            values,
        ).tolist()
    )
