"""The spectrum of a baxel with its fit as a figure, and its numbers in words."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mangrove.codes import LabelFlag, LineStatus
from mangrove.data_model import EXTRACT, LABEL
from mangrove.explorer.galaxy_data import SeenGalaxy
from mangrove.explorer.galaxy_maps import as_unit, quantity_titles
from mangrove.explorer.spectrum_parts import SpectrumParts
from mangrove.explorer.style import CATEGORIES, INK
from mangrove.notebook.plots import with_zero
from mangrove.physics.lines import fit_lines
from mangrove.report.label_style import STYLE
from mangrove.report.shown_spectra import spread
from mangrove.report.wording import KINEMATICS_TITLE, KMS, with_error

if TYPE_CHECKING:
    from mangrove.notebook.spectrum_fit import SpectrumFit

FLUX_AXIS = f"flux density<br>(10<sup>−17</sup> {as_unit(EXTRACT.fields['flux'].unit.removeprefix('1e-17 '))})"
#: Colours of the stars, of the gas, and of their sum; of components of the gas.
_STARS, _GAS, _MODEL = CATEGORIES[0], CATEGORIES[2], CATEGORIES[5]
_COMPONENTS = (CATEGORIES[2], CATEGORIES[3], CATEGORIES[1])
_DATA = "#8b929b"
_MASKED = "rgba(230, 159, 0, 0.22)"
_RESIDUAL_LIMIT = 6.0
#: Least distance between the names of lines, in widths of the figure.
_NAMES_APART = 0.014
#: Pixels that a browser draws at once; of longer spectra several are averaged.
_MOST_PIXELS = 6000
#: What the figure of a spectrum shows.
READING = (
    "As observed, with the dust of the Milky Way. Shaded: pixels that did not count (masked, night sky, outliers). Names: "
    "lines with S/N above 3. Below: data minus model over the error."
)


def spectrum_figure(
    parts: SpectrumParts,
    lines: Sequence[tuple[float, str]],
    other: SpectrumParts | None = None,
    flux_axis: str = FLUX_AXIS,
) -> go.Figure:
    """Data, model and its components above, the residual over the error below; pixels that did not count are shaded.

    Parameters
    ----------
    lines : sequence of (float, str)
        Wavelength and name of what is marked.
    other : SpectrumParts, optional
        Another fit of the same spectrum, drawn beside it.
    flux_axis : str
        What the flux is, with its unit.
    """
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.74, 0.26], vertical_spacing=0.03)
    shown = parts.fitted
    wave = parts.wave[shown]
    data = np.where(parts.used, parts.flux, np.nan)[shown]
    n_averaged = math.ceil(wave.size / _MOST_PIXELS)
    drawn_wave = _averaged(wave, n_averaged)

    def curve(
        values: np.ndarray, name: str, colour: str, row: int = 1, dash: str = "solid", legend: bool = True
    ) -> None:
        line = {"color": colour, "width": 1.2, "dash": dash}
        drawn = _averaged(values, n_averaged).astype(np.float32)
        figure.add_trace(
            go.Scatter(x=drawn_wave, y=drawn, name=name, mode="lines", line=line, showlegend=legend), row, 1
        )

    curve(data, "data", _DATA)
    suffix = "" if other is None else " (run)"
    curve((parts.stars + parts.gas)[shown], f"stars + gas{suffix}", _MODEL)
    curve(parts.stars[shown], f"stars{suffix}", _STARS)
    if other is None:
        curve(parts.gas[shown], "gas", _GAS)
        for colour, (name, values) in zip(_COMPONENTS, parts.components.items(), strict=False):
            curve(values[shown], f"gas: {name.replace('_', ' ')} component", colour, dash="dot")
    curve(parts.residual[shown], "residual", _DATA if other is None else _MODEL, 2, legend=False)
    if other is not None:
        new = np.interp(wave, other.wave, other.stars + other.gas), np.interp(wave, other.wave, other.stars)
        curve(new[0], "stars + gas (refit)", CATEGORIES[3], dash="dot")
        curve(new[1], "stars (refit)", CATEGORIES[4], dash="dot")
        curve(np.interp(wave, other.wave, other.residual), "residual (refit)", CATEGORIES[3], 2, "dot", False)
    names, strokes = _names(wave, lines)
    zero = {"type": "line", "xref": "x2 domain", "x0": 0, "x1": 1, "yref": "y2", "y0": 0, "y1": 0}
    zero["line"] = {"color": _MODEL, "width": 1}
    figure.update_yaxes(title=flux_axis, title_font_size=11, range=with_zero(data), row=1, col=1)
    figure.update_yaxes(
        title="residual<br>/ error", title_font_size=11, range=[-_RESIDUAL_LIMIT, _RESIDUAL_LIMIT], row=2, col=1
    )
    figure.update_xaxes(title="rest wavelength, vacuum (Å)", row=2, col=1)
    if wave.size:
        figure.update_xaxes(range=[float(wave[0]), float(wave[-1])])
    # All shapes at once: one by one takes a second.
    figure.update_layout(
        shapes=[*_bands(wave, ~parts.used[shown]), *strokes, zero],
        annotations=names,
        height=520,
        hovermode="x",
        margin={"t": 92},
        legend={"orientation": "h", "x": 1.0, "xanchor": "right", "y": 1.18, "yanchor": "bottom"},
        uirevision="spectrum",
    )
    return figure


def label_rows(
    values: Mapping[str, float], errors: Mapping[str, float], flags: Mapping[str, int]
) -> list[tuple[str, ...]]:
    """Kinematics and labels of one spectrum: quantity, value with error, symbol and unit, what is to be known of it.

    Parameters
    ----------
    values, errors : mapping
        By the names of docs/labels.md, plain numbers.
    flags : mapping
        Bits of :class:`mangrove.codes.LabelFlag`.
    """
    names = [name for name in (*KINEMATICS_TITLE, *LABEL) if name in values]
    return [
        (
            _TITLES[name],
            with_error(values[name], errors[name]),
            _UNITS[name],
            LabelFlag(int(flags.get(name, 0))).words.replace("_", " "),
        )
        for name in names
    ]


def stored_label_rows(seen: SeenGalaxy, baxel: int) -> list[tuple[str, ...]]:
    """Those of a baxel, as the table of labels has them."""
    rows = seen.rows
    names = [name for name in (*KINEMATICS_TITLE, *LABEL) if name in rows]
    of_baxel = ({name: rows[f"{name}{end}"][baxel] for name in names} for end in ("", "_err", "_flag"))
    return label_rows(*of_baxel)


def refitted_label_rows(fit: "SpectrumFit") -> list[tuple[str, ...]]:
    """Those of a fit."""
    stored = fit.stored
    names = [name for name in (*KINEMATICS_TITLE, *LABEL) if name in stored]
    values, errors = ({name: stored[f"{name}{end}"][0] for name in names} for end in ("", "_err"))
    return label_rows(values, errors, {name: stored[f"{name}_flag"][0] for name in names if f"{name}_flag" in stored})


def line_rows(seen: SeenGalaxy, baxel: int) -> list[tuple[str, ...]]:
    """Lines of a baxel: name, flux and equivalent width with their errors, and why one has none."""
    rows, lines, found = seen.rows, fit_lines(), []
    for k, name in enumerate(rows["line"].tolist()):
        flux, width = (with_error(rows[of][baxel, k], rows[f"{of}_err"][baxel, k]) for of in ("line_flux", "line_ew"))
        status = LineStatus(rows["line_status"][baxel, k])
        why = "" if status == LineStatus.OK else status.word.replace("_", " ")
        found.append((lines.label[lines.index(name)], flux, width, why))
    return found


_TITLES = quantity_titles()
_UNITS = dict.fromkeys(KINEMATICS_TITLE, KMS)
_UNITS |= {name: STYLE[name].axis if name in STYLE else as_unit(unit) for name, (unit, *_) in LABEL.items()}


def _averaged(values: np.ndarray, n: int) -> np.ndarray:
    """Means over groups of n pixels; a last, smaller group is left out."""
    return values if n <= 1 else values[: values.size // n * n].reshape(-1, n).mean(axis=1)


def _bands(wave: np.ndarray, masked: np.ndarray) -> list[dict]:
    """Shapes over the runs of pixels that did not count."""
    if wave.size < 2:
        return []
    step = np.diff(np.concatenate([[0], masked.astype(np.int8), [0]]))
    half = 0.5 * (wave[1] - wave[0])
    ends = zip(np.flatnonzero(step == 1), np.flatnonzero(step == -1), strict=True)
    style = {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "line": {"width": 0}, "layer": "below"}
    return [
        style | {"fillcolor": _MASKED, "x0": float(wave[first] - half), "x1": float(wave[last - 1] + half)}
        for first, last in ends
    ]


def _names(wave: np.ndarray, lines: Sequence[tuple[float, str]]) -> tuple[list[dict], list[dict]]:
    """Names of lines above the figure as annotations, moved apart, and a stroke from each to its wavelength."""
    if wave.size < 2:
        return [], []
    low, high = float(wave[0]), float(wave[-1])
    inside = [(at, name) for at, name in lines if low <= at <= high]
    places = low + spread([(at - low) / (high - low) for at, _ in inside], _NAMES_APART) * (high - low)
    on_top = {"yref": "paper", "y": 1.04, "yanchor": "bottom", "showarrow": False, "textangle": -90}
    names = [
        on_top | {"x": float(x), "text": name, "font": {"size": 10, "color": INK}}
        for (_, name), x in zip(inside, places, strict=True)
    ]
    strokes = [
        {
            "type": "path",
            "yref": "paper",
            "path": f"M {at} 0.985 L {at} 1.01 L {x} 1.035",
            "line": {"color": _DATA, "width": 1},
        }
        for (at, _), x in zip(inside, places, strict=True)
    ]
    return names, strokes
