"""Figures of one galaxy: maps of signal and kinematics, of lines, and why a galaxy has none."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from mangrove.artefacts import Artefact
from mangrove.report import galaxy_panels as panels
from mangrove.report import single
from mangrove.report.drawing import Gaps, new_figure, note, panel_grid
from mangrove.report.line_names import line_title
from mangrove.report.sky import label_grid
from mangrove.report.sky_frame import sky_frame
from mangrove.report.sky_marks import marks_in_words

#: Datasets that the figures need.
EXTRACT_DATASETS = [
    *("wave", "flux", "ivar", "mask", "lsf", "bin_id", "spaxel_status", "signal", "image", "band", "snr"),
    *("radius", "radius_re"),
]

#: Maps of line fluxes: the lines that are added up.
FLUX_MAPS = (
    ("OII_3727", "OII_3730"),
    ("Hbeta_4863",),
    ("OIII_5008",),
    ("Halpha_6565",),
    ("NII_6585",),
    ("SII_6718", "SII_6733"),
)
#: Room for a colour bar, and beside it the labels of a diagram; for a legend below a map.
_MAP_GAPS = Gaps(left=0.8, right=1.0, bottom=0.6, top=0.75, columns=1.55, rows=0.85)


def maps_figure(extract: Artefact, fit: Artefact, labels: Mapping) -> Figure:
    """Maps of signal, S/N of the bins, kinematics of stars and gas, reduced chi2, status.

    Parameters
    ----------
    extract, fit : Artefact
        Of one galaxy. Without baxels the figure shows the signal and the reason; of a single spectrum, a table.
    labels : mapping of str to ndarray
        The galaxy's rows of the table 'labels'.
    """
    if not len(extract["snr"]):
        return reason_figure(extract)
    if single.is_single(extract):
        return single.table_figure(heading(extract), single.KINEMATICS_COLUMNS, single.kinematics_rows(fit))
    seen = panels.view(extract, fit, labels)
    figure, axes = panel_grid(2, 4, (3.4, 3.4), _MAP_GAPS)
    panels.signal_map(axes[0, 0], seen.frame, extract)
    panels.snr_map(axes[0, 1], seen)
    panels.chi2_map(axes[0, 2], seen)
    panels.status_map(axes[0, 3], seen)
    for pair, what in ((axes[1, :2], "star"), (axes[1, 2:], "gas")):
        panels.velocity_map(pair[0], seen, what)
        panels.dispersion_map(pair[1], seen, what)
    label_grid(axes, seen.frame)
    figure.suptitle(_title(extract, marks_in_words(extract)), fontsize=13)
    return figure


def lines_figure(extract: Artefact, fit: Artefact, labels: Mapping) -> Figure:
    """Maps of the strong lines and of EW(Halpha), and the BPT diagram of the baxels by radius; parameters as above."""
    if not len(extract["snr"]):
        return reason_figure(extract)
    if single.is_single(extract):
        return single.table_figure(heading(extract), single.LINE_COLUMNS, single.line_rows(fit))
    seen = panels.view(extract, fit, labels)
    figure, grid = panel_grid(2, 4, (3.4, 3.4), _MAP_GAPS)
    axes = grid.ravel()
    for ax, names in zip(axes, FLUX_MAPS, strict=False):
        panels.flux_map(ax, seen, names, flux_title(names))
    panels.ew_map(axes[6], seen)
    panels.bpt_diagram(axes[7], seen)
    axes[7].legend(loc="lower left", fontsize=8)
    label_grid(np.append(axes[:7], None).reshape(grid.shape), seen.frame)
    words = (f"grey: no line with S/N > {panels.MAP_SNR:g}", marks_in_words(extract))
    figure.suptitle(_title(extract, *words), fontsize=13)
    return figure


def flux_title(names) -> str:
    """Title of a map of lines added up: the second of a doublet goes by its wavelength."""
    first, *others = map(line_title, names)
    return "+".join([first, *(other.split()[-1] for other in others)])


def heading(extract: Artefact) -> str:
    """Title of a galaxy's figures: name and redshift."""
    return f"{extract.attrs['plateifu']}    z = {extract.attrs['z']:.4f}"


def reason_figure(extract: Artefact) -> Figure:
    """The signal of a galaxy without baxels, and why it has none."""
    figure = new_figure(11, 5)
    left, right = figure.subplots(1, 2)
    if np.any(extract["signal"]):
        frame = sky_frame(extract)
        panels.signal_map(left, frame, extract)
        label_grid(np.array([[left]]), frame)
    else:
        left.set_axis_off()
        note(left, "no signal")
    right.set_axis_off()
    note(right, f"no baxels: {extract.attrs['status'].replace('_', ' ')}\n\n{extract.attrs['reason']}")
    figure.suptitle(heading(extract), fontsize=13)
    return figure


def _title(extract: Artefact, *words: str) -> str:
    return "    ".join(filter(None, [heading(extract), *words]))
