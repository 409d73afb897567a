"""Spectra of a galaxy's baxels with their models and residuals."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove.artefacts import Artefact
from mangrove.codes import FitStatus
from mangrove.physics.lines import fit_lines
from mangrove.report.colours import BLUE, GREEN, RED
from mangrove.report.drawing import DPI, Place, axes_at, note
from mangrove.report.galaxy import heading, reason_figure
from mangrove.report.line_names import tex
from mangrove.report.shown_spectra import NAMED_SNR, central_baxel, example_baxels, spread
from mangrove.report.wording import FLUX_UNIT, KMS, in_words, signed
from mangrove.spectra.fit.model import Model
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.fit.stored_model import fitted_spectra, stored_model

#: From a panel to its title, points: between them stand the names of the lines.
TITLE_PAD = 74

_LABEL_GAP = 0.013
#: Part of a place that the residual takes; inches between it and the spectrum.
_RESIDUAL_SHARE, _BETWEEN = 0.24, 0.12
_RESIDUAL_LIMIT = 6.0


class _Panel(NamedTuple):
    """What one baxel's two axes show."""

    spectrum: Spectrum
    model: Model | None
    title: str
    labels: list[tuple[float, str]]


def spectra_figure(extract: Artefact, fit: Artefact) -> Figure:
    """Spectra, models and residuals of the baxels of highest, median and lowest S/N."""
    if not len(extract["snr"]):
        return reason_figure(extract)
    chosen = example_baxels(extract["snr"])
    figure, axes = _panels(len(chosen))
    draw_spectra(axes, extract, fit, chosen)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="upper right", ncols=5, fontsize=10)
    axes[-1, 1].set_xlabel("rest wavelength, vacuum (Å)", fontsize=11)
    figure.suptitle(heading(extract), fontsize=13, y=1.0 - 0.12 / figure.get_figheight())
    return figure


def _panels(n: int) -> tuple[Figure, np.ndarray]:
    """A figure of n pairs of axes one below the other, shape (n, 2), the first of a pair for a spectrum."""
    # Inches: spectrum, residual, room for the names of lines and a title above, between both; heading, axis label.
    spectrum, residual, above, between, head, foot = 2.65, 0.85, 1.3, 0.15, 0.3, 0.7
    height = head + n * (above + spectrum + between + residual) + foot
    figure, axes, top = Figure(figsize=(16.0, height), dpi=DPI), np.empty((n, 2), Axes), height - head
    for pair in axes:
        for k, (gap, size) in enumerate(((above, spectrum), (between, residual))):
            top -= gap + size
            pair[k] = figure.add_axes((0.055, top / height, 0.935, size / height), sharex=axes[0, 0])
    for inner in axes.ravel()[:-1]:
        inner.tick_params(labelbottom=False)
    return figure, axes


def draw_spectra(axes, extract: Artefact, fit: Artefact, chosen: Sequence[int]) -> None:
    """Draw spectra, models and residuals of some baxels.

    Parameters
    ----------
    axes : array of Axes, shape (n, 2)
        For the spectrum and the residual of each.
    extract, fit : Artefact
    chosen : sequence of int, length n
    """
    galaxy, spectra = fitted_spectra(extract, fit)
    for (upper, lower), i in zip(axes, chosen, strict=True):
        model = stored_model(fit, i, galaxy, spectra[i])
        _draw_panel(upper, lower, _Panel(spectra[i], model, _baxel_title(fit, i), _detected_lines(fit, i)))


def draw_centre(figure: Figure, place: Place, extract: Artefact, fit: Artefact) -> None:
    """Draw the spectrum of the baxel at the centre, its fit, and below the residual, into a place of a figure.

    Title, legend and the names of the lines take another :data:`TITLE_PAD` points above it.
    """
    residual = _RESIDUAL_SHARE * place.height
    lower = axes_at(figure, place._replace(height=residual))
    spectrum = place._replace(bottom=place.bottom + residual + _BETWEEN, height=place.height - residual - _BETWEEN)
    upper = axes_at(figure, spectrum)
    draw_spectra(np.array([[upper, lower]]), extract, fit, [central_baxel(extract)])
    upper.tick_params(labelbottom=False)
    lower.set_xlim(upper.get_xlim())
    lower.set_xlabel("rest wavelength, vacuum (Å)")
    above = 1.0 + (TITLE_PAD - 6.0) / 72.0 / spectrum.height
    upper.legend(loc="lower right", bbox_to_anchor=(1.0, above), ncols=4, fontsize=9, frameon=False, borderaxespad=0.0)


def _baxel_title(fit: Artefact, i: int) -> str:
    head = f"baxel {i}    S/N {fit['snr'][i]:.1f}"
    status = in_words(FitStatus(fit["status"][i]))
    if not np.isfinite(fit["v_star"][i]):
        return f"{head}    status: {status}"
    pairs = (
        (r"$V_*$", "v_star"),
        (r"$\sigma_*$", "sigma_star"),
        (r"$V_\mathrm{gas}$", "v_gas"),
        (r"$\sigma_\mathrm{gas}$", "sigma_gas"),
    )
    kinematics = "    ".join(f"{label} = {_with_error(fit[name][i], fit[name + '_err'][i])}" for label, name in pairs)
    return f"{head}    {kinematics} {KMS}    χ² = {fit['chi2_reduced'][i]:.2f}    status: {status}"


def _with_error(value: float, error: float) -> str:
    digits = 1 if error < 9.5 else 0
    return f"{signed(value, digits).removeprefix('+')} ± {error:.{digits}f}"


def _detected_lines(fit: Artefact, i: int) -> list[tuple[float, str]]:
    """Rest wavelength and label of the lines of a baxel above the S/N for labels."""
    lines = fit_lines()
    detected = fit["line_flux"][i] > NAMED_SNR * fit["line_flux_err"][i]
    return [(float(lines.wave[k]), tex(lines.label[k])) for k in np.flatnonzero(detected)]


def _draw_panel(upper: Axes, lower: Axes, panel: _Panel) -> None:
    spectrum, model = panel.spectrum, panel.model
    wave, good = spectrum.wave, spectrum.good
    data = np.where(good, spectrum.flux, np.nan)
    upper.plot(wave, data, color="0.25", lw=0.8, label="data")
    for axes in (upper, lower):
        _shade(axes, wave, ~good)
        axes.tick_params(labelsize=9)
    if model is None:
        note(lower, "no fit")
    else:
        total = model.stars + model.gas
        upper.plot(wave, total, color=RED, lw=0.9, label="stars + gas")
        upper.plot(wave, model.stars, color=BLUE, lw=0.9, label="stars")
        upper.plot(wave, model.gas, color=GREEN, lw=0.9, label="gas")
        lower.plot(wave, (data - total) / spectrum.error, color="0.35", lw=0.6)
    lower.axhline(0.0, color=RED, lw=0.8)
    lower.set(ylim=(-_RESIDUAL_LIMIT, _RESIDUAL_LIMIT), ylabel="residual\n/ error")
    upper.set(xlim=(wave[0], wave[-1]), ylim=_flux_limits(data))
    upper.set_ylabel(f"flux density\n({FLUX_UNIT} Å$^{{-1}}$ spaxel$^{{-1}}$)", fontsize=9)
    upper.set_title(panel.title, fontsize=11, loc="left", pad=TITLE_PAD)
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
