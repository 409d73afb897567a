"""Panels of the figures of one galaxy: maps of signal, kinematics and lines, the BPT diagram."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.patches import Patch

from mangrove.artefacts import Artefact
from mangrove.codes import BptClass, FitStatus, SpaxelStatus
from mangrove.physics.bpt import MIN_LINE_SNR, bpt_ratios
from mangrove.physics.lines import fit_lines
from mangrove.report.bpt_panel import bpt_axes
from mangrove.report.colours import BAD_COLOUR, BLUE
from mangrove.report.drawing import bar_beside, beyond, legend_below, note
from mangrove.report.galaxy_images import RGB_WEIGHTS, colour_image
from mangrove.report.label_style import BPT_COLOURS, BPT_NAMES, STYLE, bpt_limits, has_gas, radii, shown_limits
from mangrove.report.limits import robust_limits
from mangrove.report.line_names import HALPHA
from mangrove.report.sky import draw_borders, draw_image, draw_map
from mangrove.report.sky_frame import SkyFrame, on_spaxels, sky_frame
from mangrove.report.sky_marks import draw_marks
from mangrove.report.wording import FLUX_UNIT, KINEMATICS_TITLE, KMS, counted, in_words, sign_apart
from mangrove.spectra.labels.shown import is_shown, shown_values

#: Smallest S/N of a line that is shown in a map.
MAP_SNR = 2.0

_UNBINNED_COLOURS = ("#f4f4f4", "#6b6b6b", "#9d9d9d", "#cfcfcf")
#: Of the statuses of a fit, in their order: told apart with any colour vision ("muted" by Paul Tol, with black).
_FIT_COLOURS = (
    *("#44AA99", "#332288", "#000000", "#882255", "#CC6677"),
    *("#AA4499", "#88CCEE", "#DDCC77", "#999933", "#117733"),
)
#: Smallest half width of the colours of a velocity, km/s.
_MIN_HALF_V = 10.0


class GalaxyView(NamedTuple):
    """A galaxy as its figures show it.

    Attributes
    ----------
    extract, fit : Artefact
    labels : mapping of str to ndarray
        The galaxy's rows of the table 'labels'.
    frame : SkyFrame
    """

    extract: Artefact
    fit: Artefact
    labels: Mapping
    frame: SkyFrame


def view(extract: Artefact, fit: Artefact, labels: Mapping) -> GalaxyView:
    """A galaxy with baxels and the place of its spaxels."""
    return GalaxyView(extract, fit, labels, sky_frame(extract))


def value_map(axes: Axes, seen: GalaxyView, values, title: str, unit: str, cmap: str = "viridis", limits=None) -> None:
    """A map of values of the baxels, shape (n_baxel,), with the marks of the galaxy."""
    draw_map(axes, seen.frame, on_spaxels(seen.extract, values), title, unit, cmap, limits)
    draw_marks(axes, seen.frame, seen.extract)


def signal_map(axes: Axes, frame: SkyFrame, extract: Artefact) -> None:
    """The continuum of the spaxels."""
    signal = extract["signal"]
    log = np.log10(np.where(signal > 0, signal, np.nan))
    draw_map(axes, frame, log, "continuum", f"log flux [{FLUX_UNIT} Å$^{{-1}}$ spaxel$^{{-1}}$]", "gray")
    draw_marks(axes, frame, extract)


def image_map(axes: Axes, frame: SkyFrame, extract: Artefact) -> None:
    """The galaxy in colour from its broad-band images; the continuum where the cube brings none."""
    colours = colour_image(extract)
    if colours is None:
        signal_map(axes, frame, extract)
        return
    draw_image(axes, frame, colours, "image in " + ", ".join(reversed(RGB_WEIGHTS)))
    draw_marks(axes, frame, extract)


def snr_map(axes: Axes, seen: GalaxyView) -> None:
    """S/N that the baxels reached, and their borders."""
    snr = seen.extract["snr"]
    value_map(axes, seen, snr, f"S/N of {counted(len(snr), 'baxel')}", "S/N per pixel")
    draw_borders(axes, seen.frame, seen.extract["bin_id"])


def chi2_map(axes: Axes, seen: GalaxyView) -> None:
    """Reduced chi2 of the fits."""
    value_map(axes, seen, seen.fit["chi2_reduced"], "reduced χ²", "χ² per degree of freedom", "cividis")


def velocity_map(axes: Axes, seen: GalaxyView, what: str) -> None:
    """Velocity of 'star' or 'gas' about the median of the stars; both share one scale."""
    kinematics, middle = shown_kinematics(seen.fit)
    _, half = robust_limits(np.abs(np.concatenate([kinematics["v_star"], kinematics["v_gas"]])), high=97.0)
    half, name = max(half, _MIN_HALF_V), f"v_{what}"
    less = f"$V$ {sign_apart(-middle)} ({KMS})"
    value_map(axes, seen, kinematics[name], KINEMATICS_TITLE[name], less, "RdBu_r", (-half, half))


def dispersion_map(axes: Axes, seen: GalaxyView, what: str) -> None:
    """Velocity dispersion of 'star' or 'gas'."""
    name = f"sigma_{what}"
    value_map(axes, seen, shown_kinematics(seen.fit)[0][name], KINEMATICS_TITLE[name], KMS, "magma")


def shown_kinematics(fit: Artefact) -> tuple[dict[str, np.ndarray], float]:
    """Velocities less their middle and dispersions, shape (n_baxel,), and that middle: the median of the stars, km/s.

    Those of gas are NaN where :func:`mangrove.report.label_style.has_gas` is not true.
    """
    stars = fit["v_star"][np.isfinite(fit["v_star"])]
    middle = float(np.median(stars)) if stars.size else 0.0
    shown = {"v_star": fit["v_star"] - middle, "sigma_star": fit["sigma_star"]}
    gas = {"v_gas": fit["v_gas"] - middle, "sigma_gas": fit["sigma_gas"]}
    return shown | {name: np.where(has_gas(fit.data), values, np.nan) for name, values in gas.items()}, middle


def flux_map(axes: Axes, seen: GalaxyView, names: Sequence[str], title: str) -> None:
    """Logarithm of the flux of lines added up, where it has S/N above :data:`MAP_SNR`."""
    column = [fit_lines().index(name) for name in names]
    flux = seen.fit["line_flux"][:, column].sum(axis=1)
    error = np.sqrt((seen.fit["line_flux_err"][:, column] ** 2).sum(axis=1))
    values = np.log10(np.where((flux > 0) & (flux > MAP_SNR * error), flux, np.nan))
    value_map(axes, seen, values, title, f"log flux [{FLUX_UNIT} spaxel$^{{-1}}$]")


def ew_map(axes: Axes, seen: GalaxyView) -> None:
    """Logarithm of the equivalent width of Halpha, where the line has S/N above :data:`MAP_SNR`."""
    k = fit_lines().index("Halpha_6565")
    flux, error, ew = (seen.fit[name][:, k] for name in ("line_flux", "line_flux_err", "line_ew"))
    values = np.log10(np.where((ew > 0) & (flux > MAP_SNR * error), ew, np.nan))
    value_map(axes, seen, values, f"EW({HALPHA}), rest frame", "log EW [Å]", "plasma")


def label_map(axes: Axes, seen: GalaxyView, name: str) -> None:
    """A label within the published limits."""
    values, style = shown_values(seen.labels, name), STYLE[name]
    limits = bpt_limits(values) if name == "d_bpt" else shown_limits(seen.labels, name)
    value_map(axes, seen, values, style.title, style.axis, style.cmap, limits)


def class_map(axes: Axes, frame: SkyFrame, extract: Artefact, labels: Mapping, gap: float) -> None:
    """BPT class of the baxels, of which ``labels`` are the rows, with their numbers; ``gap`` to the legend in heights of the map."""
    kind = np.where(is_shown(labels, "d_bpt"), labels["bpt_class"], BptClass.NONE)
    codes = on_spaxels(extract, np.where(kind == BptClass.NONE, np.nan, kind))
    colours = [BPT_COLOURS.get(code, BAD_COLOUR) for code in range(max(BptClass) + 1)]
    norm = BoundaryNorm(np.arange(len(colours) + 1) - 0.5, len(colours))
    draw_image(axes, frame, codes, "BPT class", cmap=ListedColormap(colours), norm=norm)
    draw_marks(axes, frame, extract)
    counts = {code: int(np.sum(kind == code)) for code in BptClass if np.any(kind == code)}
    names = {code: f"{BPT_NAMES[code]} ({n})" for code, n in counts.items()}
    legend_below(axes, [Patch(facecolor=colours[c], edgecolor="0.4", label=names[c]) for c in names], gap)


def status_colours() -> list[tuple[str, str]]:
    """Names and colours of the statuses of a fit, and then of those of a spaxel, in the order of their codes."""
    of_fit = zip(FitStatus, _FIT_COLOURS, strict=True)
    of_spaxel = zip(SpaxelStatus, (BAD_COLOUR, *_UNBINNED_COLOURS), strict=True)
    return [(in_words(status), colour) for status, colour in (*of_fit, *of_spaxel)]


def status_map(axes: Axes, seen: GalaxyView) -> None:
    """What became of each spaxel: unbinned ones by spaxel status, others by the status of their fit."""
    first_spaxel = len(FitStatus)
    fitted = on_spaxels(seen.extract, seen.fit["status"])
    codes = np.where(np.isfinite(fitted), fitted, first_spaxel + seen.extract["spaxel_status"])
    names, colours = zip(*status_colours(), strict=True)
    norm = BoundaryNorm(np.arange(len(colours) + 1) - 0.5, len(colours))
    draw_image(axes, seen.frame, codes, "status of fit or spaxel", cmap=ListedColormap(colours), norm=norm)
    present = [int(code) for code in np.unique(codes)]
    handles = [Patch(facecolor=colours[c], edgecolor="0.4", label=names[c]) for c in present]
    legend_below(axes, handles, 0.03)


def bpt_diagram(axes: Axes, seen: GalaxyView) -> None:
    """The BPT diagram of the baxels, by radius."""
    x, y = bpt_ratios(seen.fit["line_flux"], seen.fit["line_flux_err"], seen.fit["line"], MIN_LINE_SNR)
    use = np.isfinite(x)
    bpt_axes(axes, x[use], y[use])
    axes.set_box_aspect(1)
    radius, axis = radii(seen.extract.data)
    if use.any():
        known = np.isfinite(radius[use]).any()
        colour = {"c": np.nan_to_num(radius[use]), "cmap": "viridis"} if known else {"color": BLUE}
        shown = axes.scatter(x[use], y[use], **colour, s=16, edgecolors="0.2", linewidths=0.3, zorder=3)
        if known:
            bar_beside(axes, shown, axis)
        beyond(axes, x[use], y[use], "0.4")
    else:
        note(axes, f"no baxel with S/N > {MIN_LINE_SNR:g}\nin all four lines")
    axes.set_title(f"BPT: {use.sum()} of {counted(use.size, 'baxel')}, S/N > {MIN_LINE_SNR:g}", fontsize=11)
