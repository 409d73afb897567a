"""A galaxy on one page: image, bins, kinematics, lines, populations, and the spectrum of its centre."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove.artefacts import Artefact
from mangrove.physics.cosmology import kpc_per_arcsec
from mangrove.report import galaxy_panels as panels
from mangrove.report import single
from mangrove.report.drawing import DPI, Place, axes_at
from mangrove.report.galaxy import flux_title, reason_figure
from mangrove.report.galaxy_spectra import draw_centre
from mangrove.report.sky import label_grid
from mangrove.report.sky_frame import known
from mangrove.report.sky_marks import marks_in_words
from mangrove.report.wording import counted

_ROWS, _COLUMNS = 3, 4
#: Inches: side of a panel, from one to the next, left and upper edge of the first, height of the page.
_SIDE, _STEP, _DOWN, _LEFT, _TOP = 2.55, 3.95, 3.2, 0.9, 0.95
_SPECTRUM, _NAMES, _TABLE = 3.2, 2.15, 3.3
_WIDTH = _LEFT + (_COLUMNS - 1) * _STEP + _SIDE + 1.0
_HEIGHT = _TOP + (_ROWS - 1) * _DOWN + _SIDE + _NAMES + _SPECTRUM + 0.6


def summary_figure(extract: Artefact, fit: Artefact, labels: Mapping) -> Figure:
    """The galaxy on one page.

    Parameters
    ----------
    extract, fit : Artefact
        Of one galaxy. Without baxels the figure shows the signal and the reason; of a single spectrum, tables.
    labels : mapping of str to ndarray
        The galaxy's rows of the table 'labels'.
    """
    if not len(extract["snr"]):
        return reason_figure(extract)
    seen = panels.view(extract, fit, labels)
    if single.is_single(extract):
        return _single_page(seen)
    figure, axes = Figure(figsize=(_WIDTH, _HEIGHT), dpi=DPI), np.empty((_ROWS, _COLUMNS), Axes)
    for row, column in np.ndindex(axes.shape):
        top = _HEIGHT - _TOP - row * _DOWN
        axes[row, column] = axes_at(figure, Place(_LEFT + column * _STEP, top - _SIDE, _SIDE, _SIDE))
    panels.image_map(axes[0, 0], seen.frame, extract)
    panels.snr_map(axes[0, 1], seen)
    for row, what in enumerate(("star", "gas")):
        columns = (2, 3) if row == 0 else (0, 1)
        panels.velocity_map(axes[row, columns[0]], seen, what)
        panels.dispersion_map(axes[row, columns[1]], seen, what)
    panels.flux_map(axes[1, 2], seen, ("Halpha_6565",), f"{flux_title(('Halpha_6565',))} flux")
    panels.ew_map(axes[1, 3], seen)
    panels.class_map(axes[2, 0], seen.frame, extract, labels, 0.2)
    panels.bpt_diagram(axes[2, 1], seen)
    axes[2, 1].legend(loc="lower left", fontsize=7, frameon=False)
    panels.label_map(axes[2, 2], seen, "log_age_lw")
    panels.label_map(axes[2, 3], seen, "metallicity_lw")
    maps = axes.copy()
    maps[2, 1] = None
    label_grid(maps, seen.frame)
    draw_centre(figure, Place(_LEFT, 0.6, _WIDTH - _LEFT - 0.3, _SPECTRUM), extract, fit)
    _head(figure, extract)
    figure.text(1 - 0.3 / _WIDTH, 1 - 0.3 / _HEIGHT, marks_in_words(extract), fontsize=10, va="center", ha="right")
    return figure


def _single_page(seen: panels.GalaxyView) -> Figure:
    """A single spectrum on one page: kinematics, the BPT diagram, labels, and the spectrum with its fit."""
    height = _TOP + _TABLE + _NAMES + _SPECTRUM + 0.6
    figure, bottom = Figure(figsize=(_WIDTH, height), dpi=DPI), height - _TOP - _TABLE
    kinematics, labels = single.kinematics_rows(seen.fit), single.label_rows(seen.labels)
    single.draw_table(axes_at(figure, Place(_LEFT, bottom, 4.2, _TABLE)), single.KINEMATICS_COLUMNS, kinematics)
    diagram = axes_at(figure, Place(_LEFT + 5.2, bottom, _TABLE, _TABLE))
    panels.bpt_diagram(diagram, seen)
    diagram.legend(loc="lower left", fontsize=7, frameon=False)
    place = Place(_LEFT + 5.6 + _TABLE, bottom, _WIDTH - _LEFT - 5.9 - _TABLE, _TABLE)
    single.draw_table(axes_at(figure, place), single.LABEL_COLUMNS, labels)
    draw_centre(figure, Place(_LEFT, 0.6, _WIDTH - _LEFT - 0.3, _SPECTRUM), seen.extract, seen.fit)
    _head(figure, seen.extract)
    return figure


def _head(figure: Figure, extract: Artefact) -> None:
    top = 1.0 - 0.3 / figure.get_figheight()
    figure.text(_LEFT / _WIDTH, top, description(extract), fontsize=13, va="center")


def description(extract: Artefact) -> str:
    """Name, redshift, size and number of baxels of a galaxy in one line."""
    attrs, words = extract.attrs, [f"{extract.attrs['plateifu']}"]
    if attrs["mangaid"] and attrs["mangaid"] != attrs["plateifu"]:
        words.append(f"MaNGA-ID {attrs['mangaid']}")
    words.append(f"z = {attrs['z']:.4f}")
    r_e = known(attrs, "r_e")
    if r_e:
        kpc = f" = {r_e * kpc_per_arcsec(attrs['z']):.1f} kpc" if attrs["z"] > 0 else ""
        words.append(rf"$R_\mathrm{{e}}$ = {r_e:.1f} arcsec{kpc}")
    if single.is_single(extract):
        return "    ".join([*words, "a single spectrum"])
    spaxels = int(np.sum(extract["bin_id"] >= 0))
    return "    ".join([*words, f"{counted(len(extract['snr']), 'baxel')} of {counted(spaxels, 'spaxel')}"])
