"""Figure of a simulated survey's truth beside the labels."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from mangrove.report.drawing import new_figure
from mangrove.report.label_style import STYLE
from mangrove.report.truth_panel import MIN_SNR, value_panel
from mangrove.report.wording import signed
from mangrove.validation.label_recovery import CLASSES, Checked

#: Panels beside each other.
_COLUMNS = 4


def label_figure(pooled: Mapping[str, Checked]) -> Figure:
    """Measured against true labels of the baxels with S/N above 10 that count, and how many do not.

    Parameters
    ----------
    pooled : mapping
        From :func:`mangrove.validation.label_recovery.pool_labels`.
    """
    names = [name for name in pooled if name not in CLASSES]
    rows = -(-len(names) // _COLUMNS)
    figure = new_figure(16, 4 * rows + 0.4)
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        found, style = pooled[name].found.between(MIN_SNR, np.inf), STYLE[name]
        n_baxel = int(np.sum(pooled[name].snr >= MIN_SNR))
        offset = found.measured - found.truth
        result = f"bias {signed(offset.mean(), 3)}, rms {np.sqrt(np.mean(offset**2)):.3f}" if offset.size else ""
        axes.set_title(f"{style.title}, {found.snr.size} of {n_baxel}\n{result or 'no values'}", fontsize=11)
        axes.set(xlabel=f"true {style.axis}", ylabel=f"measured {style.axis}")
        axes.locator_params(nbins=5)
        value_panel(axes, found)
    for spare in panels[len(names) :]:
        spare.set_axis_off()
    figure.suptitle(f"baxels with S/N above {MIN_SNR:g}", fontsize=13)
    return figure
