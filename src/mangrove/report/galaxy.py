"""Figures of one galaxy: maps of signal and motions, maps of lines, spectra with their models."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mangrove.artefacts import Artefact
from mangrove.data_model import FIT_STATUS, SPAXEL_STATUS
from mangrove.lines import fit_lines
from mangrove.report.drawing import BAD_COLOUR, bpt_axes, legend_below, new_figure, note, robust_limits
from mangrove.report.label_style import has_gas
from mangrove.report.sky import SkyFrame, draw_borders, draw_image, draw_map, label_grid, on_spaxels, sky_frame
from mangrove.spectra.bpt import MIN_LINE_SNR, bpt_ratios
from mangrove.spectra.composition import Spectrum
from mangrove.spectra.fitting import Model
from mangrove.spectra.model import fitted_spectra, stored_model

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
#: Smallest S/N of a line that is shown in a map, of one that is named in a spectrum.
MAP_SNR, NAMED_SNR = 2.0, 3.0

_FLUX_UNIT = r"$10^{-17}$ erg s$^{-1}$ cm$^{-2}$"
_SPAXEL_COLOURS = {1: "#f4f4f4", 2: "#6b6b6b", 3: "#9d9d9d", 4: "#cfcfcf"}
_FIT_COLOURS = ("#4c9f70", "#3b528b", "#000000", "#d7301f", "#fd8d3c", "#9e4fb0", "#80cdf0", "#f7d13d", "#c51b7d")
_LABEL_GAP = 0.013
_TITLE_PAD = 74
_RESIDUAL_LIMIT = 6.0


class _Panel(NamedTuple):
    """What one baxel's two axes show."""

    spectrum: Spectrum
    model: Model | None
    title: str
    labels: list[tuple[float, str]]


def maps_figure(extract: Artefact, fit: Artefact) -> Figure:
    """Maps of signal, S/N of the bins, motions of stars and gas, reduced chi2, status.

    Parameters
    ----------
    extract, fit : Artefact
        Of one galaxy. Without baxels the figure shows the signal and the reason.
    """
    if not len(extract["snr"]):
        return reason_figure(extract)
    figure, frame = new_figure(19, 8.2), sky_frame(extract)
    axes = figure.subplots(2, 4)
    _signal_map(axes[0, 0], frame, extract)
    snr = on_spaxels(extract, extract["snr"])
    draw_map(axes[0, 1], frame, snr, f"S/N reached, {len(extract['snr'])} baxels", "S/N per pixel")
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
    figure, frame = new_figure(19, 8.2), sky_frame(extract)
    panels = figure.subplots(2, 4)
    axes = panels.ravel()
    for ax, (title, names) in zip(axes, FLUX_MAPS.items(), strict=False):
        flux, error = _summed(fit, names)
        values = np.log10(np.where((flux > 0) & (flux > MAP_SNR * error), flux, np.nan))
        draw_map(ax, frame, on_spaxels(extract, values), title, f"log flux [{_FLUX_UNIT} spaxel$^{{-1}}$]")
    halpha = fit_lines().index("Halpha-6565")
    flux, error, ew = (fit[name][:, halpha] for name in ("line_flux", "line_flux_err", "line_ew"))
    log_ew = np.log10(np.where((ew > 0) & (flux > MAP_SNR * error), ew, np.nan))
    draw_map(axes[6], frame, on_spaxels(extract, log_ew), "EW Hα, rest frame", "log EW [Å]", "plasma")
    _galaxy_bpt(axes[7], extract, fit)
    label_grid(np.append(axes[:7], None).reshape(panels.shape), frame)
    figure.suptitle(f"{heading(extract)}    lines with S/N > {MAP_SNR:g}, grey: fainter or none", fontsize=13)
    return figure


def spectra_figure(extract: Artefact, fit: Artefact) -> Figure:
    """Spectra, models and residuals of the baxels of highest, median and lowest S/N."""
    if not len(extract["snr"]):
        return reason_figure(extract)
    galaxy, spectra = fitted_spectra(extract, fit)
    chosen = example_baxels(extract["snr"])
    figure = new_figure(16, 0.6 + 5.0 * len(chosen))
    axes = figure.subplots(2 * len(chosen), 1, sharex=True, gridspec_kw={"height_ratios": [3, 1] * len(chosen)})
    for (upper, lower), i in zip(axes.reshape(-1, 2), chosen, strict=True):
        model = stored_model(fit, i, galaxy, spectra[i])
        _draw_panel(upper, lower, _Panel(spectra[i], model, _baxel_title(fit, i), _detected_lines(fit, i)))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=5, fontsize=10)
    axes[-1].set_xlabel("rest wavelength, vacuum (Å)", fontsize=11)
    figure.suptitle(heading(extract), fontsize=13)
    return figure


def example_baxels(snr) -> list[int]:
    """Indices of the baxels of highest, median and lowest S/N, each once."""
    order = np.argsort(-np.asarray(snr), kind="stable")
    return list(dict.fromkeys(int(order[k]) for k in (0, order.size // 2, order.size - 1)))


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
    draw_map(axes, frame, log, "continuum", f"log flux [{_FLUX_UNIT} Å$^{{-1}}$ spaxel$^{{-1}}$]", "gray")


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
        axes.figure.colorbar(shown, ax=axes, shrink=0.82, pad=0.02).set_label(f"radius ({unit})", fontsize=10)
    else:
        note(axes, f"no baxel with S/N > {MIN_LINE_SNR:g}\nin all four lines")
    axes.set_title(f"BPT, {use.sum()} of {use.size} baxels with S/N > {MIN_LINE_SNR:g}", fontsize=11)
    axes.legend(loc="lower left", fontsize=8)


def _baxel_title(fit: Artefact, i: int) -> str:
    head = f"baxel {i}    S/N {fit['snr'][i]:.1f}"
    status = FIT_STATUS[int(fit["status"][i])].replace("_", " ")
    if not np.isfinite(fit["v_star"][i]):
        return f"{head}    status: {status}"
    pairs = (("V star", "v_star"), ("σ star", "sigma_star"), ("V gas", "v_gas"), ("σ gas", "sigma_gas"))
    motions = "    ".join(f"{label} {_with_error(fit[name][i], fit[name + '_err'][i])}" for label, name in pairs)
    return f"{head}    {motions} km/s    χ² {fit['chi2_reduced'][i]:.2f}    status: {status}"


def _with_error(value: float, error: float) -> str:
    digits = 1 if error < 9.5 else 0
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def _detected_lines(fit: Artefact, i: int) -> list[tuple[float, str]]:
    """Rest wavelength and label of the lines of a baxel above the S/N for labels."""
    lines = fit_lines()
    detected = fit["line_flux"][i] > NAMED_SNR * fit["line_flux_err"][i]
    return [(float(lines.wave[k]), lines.label[k]) for k in np.flatnonzero(detected)]


def _draw_panel(upper: Axes, lower: Axes, panel: _Panel) -> None:
    spectrum, model = panel.spectrum, panel.model
    wave, good = spectrum.wave, spectrum.good
    data = np.where(good, spectrum.flux, np.nan)
    upper.plot(wave, data, color="0.35", lw=0.8, label="data")
    for axes in (upper, lower):
        _shade(axes, wave, ~good)
        axes.tick_params(labelsize=9)
    if model is None:
        note(lower, "no fit")
    else:
        total = model.stars + model.gas
        upper.plot(wave, total, color="#d7301f", lw=0.9, label="stars + gas")
        upper.plot(wave, model.stars, color="#2c7fb8", lw=0.9, label="stars")
        upper.plot(wave, model.gas, color="#41ab5d", lw=0.9, label="gas")
        lower.plot(wave, (data - total) / spectrum.error, color="0.35", lw=0.6)
    lower.axhline(0.0, color="#d7301f", lw=0.8)
    lower.set(ylim=(-_RESIDUAL_LIMIT, _RESIDUAL_LIMIT), ylabel="residual\n/ error")
    upper.set(xlim=(wave[0], wave[-1]), ylim=_flux_limits(data))
    upper.set_ylabel(f"flux density\n({_FLUX_UNIT} Å$^{{-1}}$ spaxel$^{{-1}}$)", fontsize=9)
    upper.set_title(panel.title, fontsize=11, loc="left", pad=_TITLE_PAD)
    _label_lines(upper, panel.labels)


def _flux_limits(data) -> tuple[float, float]:
    """Limits with the continuum in sight: the strongest lines may leave the panel."""
    if not np.isfinite(data).any():
        return 0.0, 1.0
    continuum, peak = np.nanpercentile(data, 98.0), np.nanmax(data)
    top = min(peak, 5.0 * continuum) if continuum > 0 else peak
    bottom = min(0.0, float(np.nanpercentile(data, 0.5)))
    return bottom - 0.03 * (top - bottom), top + 0.05 * (top - bottom)


def _shade(axes: Axes, wave, masked) -> None:
    """Shade the runs of masked pixels."""
    step = np.diff(np.concatenate([[0], np.asarray(masked, np.int8), [0]]))
    half = 0.5 * (wave[1] - wave[0])
    for first, last in zip(np.flatnonzero(step == 1), np.flatnonzero(step == -1), strict=True):
        axes.axvspan(wave[first] - half, wave[last - 1] + half, color="#f3d9a4", lw=0, zorder=0)


def _label_lines(axes: Axes, labels: list[tuple[float, str]]) -> None:
    """Names of lines above the axes, moved apart, each with a stroke to its wavelength."""
    low, high = axes.get_xlim()
    places = spread([(wave - low) / (high - low) for wave, _ in labels], _LABEL_GAP)
    across = axes.get_xaxis_transform()
    for (wave, label), place in zip(labels, places, strict=True):
        x = low + place * (high - low)
        axes.plot([wave, wave, x], [0.97, 1.01, 1.05], transform=across, color="0.5", lw=0.5, clip_on=False)
        axes.text(x, 1.06, label, transform=across, rotation=90, ha="center", va="bottom", fontsize=8)


def spread(positions, gap: float) -> np.ndarray:
    """Positions in rising order moved as little as needed to lie at least ``gap`` apart.

    Groups of crowded positions share one block of even spacing about their mean; blocks that meet are merged.
    """
    blocks: list[list[float]] = []
    for position in positions:
        blocks.append([position])
        while len(blocks) > 1 and _start(blocks[-1], gap) - _end(blocks[-2], gap) < gap:
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    return np.array([_start(block, gap) + k * gap for block in blocks for k in range(len(block))])


def _start(block: list[float], gap: float) -> float:
    return float(np.mean(block)) - 0.5 * gap * (len(block) - 1)


def _end(block: list[float], gap: float) -> float:
    return float(np.mean(block)) + 0.5 * gap * (len(block) - 1)
