"""Maps of one galaxy: signal and motions, lines."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mangrove.artefacts import Artefact
from mangrove.data_model import FIT_STATUS, SPAXEL_STATUS
from mangrove.lines import fit_lines
from mangrove.report.drawing import (
    BAD_COLOUR,
    Gaps,
    bar_beside,
    bpt_axes,
    counted,
    legend_below,
    new_figure,
    note,
    panel_grid,
    robust_limits,
)
from mangrove.report.label_style import has_gas
from mangrove.report.sky import SkyFrame, draw_borders, draw_image, draw_map, label_grid, on_spaxels, sky_frame
from mangrove.spectra.bpt import MIN_LINE_SNR, bpt_ratios

#: Datasets that the figures need.
EXTRACT_DATASETS = [
    "wave",
    "flux",
    "ivar",
    "mask",
    "lsf",
    "bin_id",
    "spaxel_status",
    "signal",
    "snr",
    "radius",
    "radius_re",
]

#: Maps of line fluxes: title and the lines that are added up.
FLUX_MAPS = {
    "[OII] 3727+3730": ("OII-3727", "OII-3730"),
    "Hβ": ("Hbeta-4863",),
    "[OIII] 5008": ("OIII-5008",),
    "Hα": ("Halpha-6565",),
    "[NII] 6585": ("NII-6585",),
    "[SII] 6718+6733": ("SII-6718", "SII-6733"),
}
#: Smallest S/N of a line that is shown in a map.
MAP_SNR = 2.0

#: Unit of the line fluxes, in a label.
FLUX_UNIT = r"$10^{-17}$ erg s$^{-1}$ cm$^{-2}$"
#: Room for a colour bar, and beside it the labels of a diagram; for a legend below a map.
_MAP_GAPS = Gaps(left=0.8, right=1.0, bottom=0.6, top=0.75, columns=1.55, rows=0.85)
_SPAXEL_COLOURS = {1: "#f4f4f4", 2: "#6b6b6b", 3: "#9d9d9d", 4: "#cfcfcf"}
_FIT_COLOURS = ("#4c9f70", "#3b528b", "#000000", "#d7301f", "#fd8d3c", "#9e4fb0", "#80cdf0", "#f7d13d", "#c51b7d")


def maps_figure(extract: Artefact, fit: Artefact) -> Figure:
    """Maps of signal, S/N of the bins, motions of stars and gas, reduced chi2, status.

    Parameters
    ----------
    extract, fit : Artefact
        Of one galaxy. Without baxels the figure shows the signal and the reason.
    """
    if not len(extract["snr"]):
        return reason_figure(extract)
    frame = sky_frame(extract)
    figure, axes = panel_grid(2, 4, (3.4, 3.4), _MAP_GAPS)
    _signal_map(axes[0, 0], frame, extract)
    snr = on_spaxels(extract, extract["snr"])
    draw_map(axes[0, 1], frame, snr, f"S/N reached, {counted(len(extract['snr']), 'baxel')}", "S/N per pixel")
    draw_borders(axes[0, 1], frame, extract["bin_id"])
    chi2 = on_spaxels(extract, fit["chi2_reduced"])
    draw_map(axes[0, 2], frame, chi2, "reduced χ²", "χ² per degree of freedom", "cividis")
    _status_map(axes[0, 3], frame, extract, fit)
    motions, middle = _shown_motions(fit)
    limits = _velocity_limits(motions)
    about = f"km/s from the stars' median of {middle:+.0f} km/s".replace("-", "\N{MINUS SIGN}")
    for ax, what in zip(axes[1, ::2], ("star", "gas"), strict=True):
        draw_map(ax, frame, on_spaxels(extract, motions[f"v_{what}"]), f"V {what}", about, "RdBu_r", limits)
    for ax, what in zip(axes[1, 1::2], ("star", "gas"), strict=True):
        draw_map(ax, frame, on_spaxels(extract, motions[f"sigma_{what}"]), f"σ {what}", "km/s", "magma")
    label_grid(axes, frame)
    figure.suptitle(heading(extract), fontsize=13)
    return figure


def lines_figure(extract: Artefact, fit: Artefact) -> Figure:
    """Maps of the strong lines and of EW(Halpha), and the BPT diagram of the baxels by radius."""
    if not len(extract["snr"]):
        return reason_figure(extract)
    frame = sky_frame(extract)
    figure, panels = panel_grid(2, 4, (3.4, 3.4), _MAP_GAPS)
    axes = panels.ravel()
    for ax, (title, names) in zip(axes, FLUX_MAPS.items(), strict=False):
        flux, error = _summed(fit, names)
        values = np.log10(np.where((flux > 0) & (flux > MAP_SNR * error), flux, np.nan))
        draw_map(ax, frame, on_spaxels(extract, values), title, f"log flux [{FLUX_UNIT} spaxel$^{{-1}}$]")
    halpha = fit_lines().index("Halpha-6565")
    flux, error, ew = (fit[name][:, halpha] for name in ("line_flux", "line_flux_err", "line_ew"))
    log_ew = np.log10(np.where((ew > 0) & (flux > MAP_SNR * error), ew, np.nan))
    draw_map(axes[6], frame, on_spaxels(extract, log_ew), "EW Hα, rest frame", "log EW [Å]", "plasma")
    _galaxy_bpt(axes[7], extract, fit)
    label_grid(np.append(axes[:7], None).reshape(panels.shape), frame)
    figure.suptitle(f"{heading(extract)}    lines with S/N > {MAP_SNR:g}, grey: fainter or none", fontsize=13)
    return figure


def heading(extract: Artefact) -> str:
    """Title of a galaxy's figures: name and redshift."""
    return f"{extract.attrs['plateifu']}    z = {extract.attrs['z']:.4f}"


def radii(columns: Mapping) -> tuple[np.ndarray, str]:
    """Radii of the baxels, shape (n_baxel,), and their unit: effective radii where they are known, else arcsec.

    Parameters
    ----------
    columns : mapping of str to ndarray
        radius, radius_re.
    """
    known = np.isfinite(columns["radius_re"]).any()
    return (columns["radius_re"], "R$_e$") if known else (columns["radius"], "arcsec")


def reason_figure(extract: Artefact) -> Figure:
    """The signal of a galaxy without baxels, and why it has none."""
    figure = new_figure(11, 5)
    left, right = figure.subplots(1, 2)
    if np.any(extract["signal"]):
        frame = sky_frame(extract)
        _signal_map(left, frame, extract)
        label_grid(np.array([[left]]), frame)
    else:
        left.set_axis_off()
        note(left, "no signal")
    right.set_axis_off()
    note(right, f"no baxels: {extract.attrs['status']}\n\n{extract.attrs['reason']}")
    figure.suptitle(heading(extract), fontsize=13)
    return figure


def _signal_map(axes: Axes, frame: SkyFrame, extract: Artefact) -> None:
    signal = extract["signal"]
    log = np.log10(np.where(signal > 0, signal, np.nan))
    draw_map(axes, frame, log, "continuum", f"log flux [{FLUX_UNIT} Å$^{{-1}}$ spaxel$^{{-1}}$]", "gray")


def _shown_motions(fit: Artefact) -> tuple[dict[str, np.ndarray], float]:
    """Velocities less their middle and dispersions, shape (n_baxel,), and that middle: the median of the stars, km/s.

    Those of gas are NaN where :func:`mangrove.report.label_style.has_gas` is not true.
    """
    stars = fit["v_star"][np.isfinite(fit["v_star"])]
    middle = float(np.median(stars)) if stars.size else 0.0
    shown = {"v_star": fit["v_star"] - middle, "sigma_star": fit["sigma_star"]}
    gas = {"v_gas": fit["v_gas"] - middle, "sigma_gas": fit["sigma_gas"]}
    return shown | {name: np.where(has_gas(fit.data), values, np.nan) for name, values in gas.items()}, middle


def _velocity_limits(motions: dict[str, np.ndarray]) -> tuple[float, float]:
    """Limits, km/s, for stars and gas, at equal distance from zero."""
    _, half = robust_limits(np.abs(np.concatenate([motions["v_star"], motions["v_gas"]])), high=97.0)
    return -max(half, 10.0), max(half, 10.0)


def _status_map(axes: Axes, frame: SkyFrame, extract: Artefact, fit: Artefact) -> None:
    """What became of each spaxel: unbinned ones by spaxel status, others by the status of their fit."""
    first_spaxel = len(FIT_STATUS)
    fitted = on_spaxels(extract, fit["status"])
    codes = np.where(np.isfinite(fitted), fitted, first_spaxel + extract["spaxel_status"])
    colours = [*_FIT_COLOURS, BAD_COLOUR, *_SPAXEL_COLOURS.values()]
    names = [*FIT_STATUS.values(), *SPAXEL_STATUS.values()]
    norm = BoundaryNorm(np.arange(len(colours) + 1) - 0.5, len(colours))
    draw_image(axes, frame, codes, "status of fit or spaxel", cmap=ListedColormap(colours), norm=norm)
    present = [int(code) for code in np.unique(codes)]
    handles = [Patch(facecolor=colours[c], edgecolor="0.4", label=names[c].replace("_", " ")) for c in present]
    legend_below(axes, handles, 0.03)


def _summed(fit: Artefact, names) -> tuple[np.ndarray, np.ndarray]:
    """Flux and error, shape (n_baxel,), of lines added up."""
    column = [fit_lines().index(name) for name in names]
    return fit["line_flux"][:, column].sum(axis=1), np.sqrt((fit["line_flux_err"][:, column] ** 2).sum(axis=1))


def _galaxy_bpt(axes: Axes, extract: Artefact, fit: Artefact) -> None:
    bpt_axes(axes)
    axes.set_box_aspect(1)
    x, y = bpt_ratios(fit["line_flux"], fit["line_flux_err"], fit["line"], MIN_LINE_SNR)
    use = np.isfinite(x)
    radius, unit = radii(extract.data)
    if use.any():
        colour = np.nan_to_num(radius[use])
        shown = axes.scatter(x[use], y[use], c=colour, s=16, cmap="viridis", edgecolors="0.2", linewidths=0.3)
        bar_beside(axes, shown, f"radius ({unit})")
    else:
        note(axes, f"no baxel with S/N > {MIN_LINE_SNR:g}\nin all four lines")
    axes.set_title(f"BPT, {use.sum()} of {use.size} baxels with S/N > {MIN_LINE_SNR:g}", fontsize=11)
    axes.legend(loc="lower left", fontsize=8)
