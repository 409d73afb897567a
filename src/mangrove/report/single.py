"""Figures of a galaxy of one spectrum: tables in the place of maps."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove.artefacts import Artefact
from mangrove.codes import FitStatus
from mangrove.physics.lines import fit_lines
from mangrove.report.drawing import new_figure, note
from mangrove.report.label_style import STYLE
from mangrove.report.line_names import tex
from mangrove.report.wording import FLUX_UNIT, KINEMATICS_TITLE, KMS, UNKNOWN, in_words, with_error
from mangrove.spectra.labels.shown import is_shown

Rows = list[tuple[str, ...]]
_ROW_INCHES = 0.3


def is_single(extract: Artefact) -> bool:
    """Whether a galaxy is a single spectrum: a field of one spaxel."""
    return extract["bin_id"].size == 1


def table_figure(title: str, columns: Sequence[str], rows: Rows) -> Figure:
    """A table on a figure of its own."""
    figure = new_figure(9.0, max(3.0, 1.2 + _ROW_INCHES * len(rows)))
    draw_table(figure.subplots(), columns, rows)
    figure.suptitle(title, fontsize=13)
    return figure


def profile_figure(title: str) -> Figure:
    """Why there is no profile."""
    figure = new_figure(9.0, 3.0)
    axes = figure.subplots()
    axes.set_axis_off()
    note(axes, "a single spectrum has no radial profile; its labels are in the figure of the labels")
    figure.suptitle(title, fontsize=13)
    return figure


def draw_table(axes: Axes, columns: Sequence[str], rows: Rows) -> None:
    """Draw a table that fills axes: the first column on the left, the others on the right."""
    axes.set_axis_off()
    table = axes.table(cellText=rows, colLabels=columns, bbox=(0.0, 0.0, 1.0, 1.0), colLoc="right", cellLoc="right")
    table.auto_set_font_size(False)
    table.set_fontsize(10)
    for (row, column), cell in table.get_celld().items():
        cell.visible_edges = "B"
        cell.set_edgecolor("0.3" if row == 0 else "0.85")
        if column == 0:
            cell.get_text().set_horizontalalignment("left")


def kinematics_rows(fit: Artefact) -> Rows:
    """Kinematics of stars and gas, reduced chi2 and status of the fit: quantity, value with error, unit."""
    rows = [(title, with_error(fit[name][0], fit[f"{name}_err"][0]), KMS) for name, title in KINEMATICS_TITLE.items()]
    chi2 = fit["chi2_reduced"][0]
    rows.append(("reduced χ²", f"{chi2:.2f}" if np.isfinite(chi2) else UNKNOWN, ""))
    return [*rows, ("status of the fit", in_words(FitStatus(fit["status"][0])), "")]


def line_rows(fit: Artefact) -> Rows:
    """Lines in the fitted range: name, flux and equivalent width with their errors."""
    lines, rows = fit_lines(), []
    for k in np.flatnonzero(np.isfinite(fit["line_flux"][0])):
        flux, width = (with_error(fit[name][0, k], fit[f"{name}_err"][0, k]) for name in ("line_flux", "line_ew"))
        rows.append((tex(lines.label[k]), flux, width))
    return rows or [("no line in the range", UNKNOWN, UNKNOWN)]


def label_rows(labels: Mapping) -> Rows:
    """Labels within the published limits: quantity, value with error, axis with its unit."""
    values = {name: with_error(labels[name][0], labels[f"{name}_err"][0]) for name in STYLE}
    return [(STYLE[n].title, text if is_shown(labels, n)[0] else UNKNOWN, STYLE[n].axis) for n, text in values.items()]


KINEMATICS_COLUMNS = ("", "value", "unit")
LINE_COLUMNS = ("line", f"flux ({FLUX_UNIT} spaxel$^{{-1}}$)", "EW, rest frame (Å)")
LABEL_COLUMNS = ("", "value", "quantity and unit")
