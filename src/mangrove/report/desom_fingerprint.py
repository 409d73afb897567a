"""Figure of a galaxy's fingerprint on the map of spectra."""

import numpy as np
from matplotlib.figure import Figure

from mangrove.artefacts import Artefact
from mangrove.report.drawing import Gaps, note, panel_grid
from mangrove.report.limits import robust_limits
from mangrove.report.node_maps import draw_nodes, write_in_nodes
from mangrove.report.node_places import places_of
from mangrove.report.wording import counted

_GAPS = Gaps(left=0.7, right=1.1, bottom=0.6, top=1.0, columns=1.6, rows=0.9)
_SIDE = 6.5


def fingerprint_figure(prints: Artefact) -> Figure:
    """The galaxy of most baxels: mean radius and number of its baxels on each node, and its fingerprint as it is learnt.

    Parameters
    ----------
    prints : Artefact
        'fingerprints'.
    """
    places = places_of(prints)
    figure, (panels,) = panel_grid(1, 2, (_SIDE, _SIDE * places.rows / places.columns), _GAPS)
    if not prints["n_baxel"].any():
        for axes in panels:
            note(axes, "no galaxy has baxels on the map")
        return figure
    k = int(np.argmax(prints["n_baxel"]))
    counts = prints["counts"][k]
    radius = np.where(counts > 0, prints["mean_radius"][k], np.nan)
    known = np.isfinite(radius).any()
    title = "number of baxels, colour: their mean radius" if known else "number of baxels; its R_e is unknown"
    limits = robust_limits(radius, 0, 100)
    shown = draw_nodes(panels[0], places, radius, title, r"mean radius ($R_\mathrm{e}$)", limits, cmap="plasma")
    write_in_nodes(panels[0], places, [f"{n:,}" if n else "" for n in counts], shown if known else None)
    weights = np.where(counts > 0, prints["normalised"][k], np.nan)
    words = f"fingerprint of the map of galaxies, weights by {prints.attrs['weighting']}"
    draw_nodes(panels[1], places, weights, words, "normalised weight", (0, 1))
    patches = counted(int(prints["n_patch"][k]), "separate patch", "separate patches")
    baxels = counted(int(prints["n_baxel"][k]), "baxel")
    figure.suptitle(f"{prints['plateifu'][k]}: {baxels} on {counted(int((counts > 0).sum()), 'node')} in {patches}")
    return figure
