"""The spectrum of a baxel with its fit as a figure, and its numbers in words."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mangrove.codes import LabelFlag, LineStatus
from mangrove.data_model import EXTRACT, LABEL
from mangrove.explorer.galaxy_data import SeenGalaxy
from mangrove.explorer.galaxy_maps import as_unit, quantity_titles
from mangrove.explorer.style import CATEGORIES, INK
from mangrove.notebook.plots import with_zero
from mangrove.physics.lines import fit_lines
from mangrove.report.drawing import KINEMATICS_TITLE, KMS
from mangrove.report.galaxy_spectra import NAMED_SNR, spread
from mangrove.report.label_style import STYLE
from mangrove.report.single import with_error

if TYPE_CHECKING:
    import xarray as xr

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


class SpectrumParts(NamedTuple):
    """A spectrum with a model over its rest wavelengths, as observed.

    Attributes
    ----------
    wave, flux, error, stars, gas : ndarray, shape (n_wave,)
        Angstrom, rest frame, vacuum; 1e-17 erg/s/cm2/Angstrom/spaxel. NaN where there is no model.
    used : ndarray of bool, shape (n_wave,)
        Pixels that counted in the fit.
    components : mapping of str to ndarray, shape (n_wave,)
        The gas by component, where there are several.
    """

    wave: np.ndarray
    flux: np.ndarray
    error: np.ndarray
    stars: np.ndarray
    gas: np.ndarray
    used: np.ndarray
    components: Mapping[str, np.ndarray]

    @property
    def residual(self) -> np.ndarray:
        """Data minus model over the error where pixels counted, NaN elsewhere, shape (n_wave,)."""
        return np.where(self.used, self.flux - self.stars - self.gas, np.nan) / self.error

    @property
    def fitted(self) -> slice:
        """From the first to the last pixel that counted; all where none did."""
        index = np.flatnonzero(self.used)
        return slice(int(index[0]), int(index[-1]) + 1) if index.size else slice(None)


def stored_parts(spectrum: "xr.Dataset") -> SpectrumParts:
    """Those of a baxel, from :meth:`mangrove.notebook.runs.Run.spectrum`."""
    ivar = spectrum.ivar.values.astype(float)
    error = np.full(ivar.shape, np.nan)
    np.divide(1.0, np.sqrt(ivar, where=ivar > 0, out=np.ones_like(ivar)), out=error, where=ivar > 0)
    by_component = {str(name): spectrum.component_gas.sel(component=name).values for name in spectrum.component.values}
    known = {name: values for name, values in by_component.items() if np.isfinite(values).any()}
    columns = (spectrum[name].values for name in ("stars", "gas", "used"))
    return SpectrumParts(
        spectrum.rest_wave.values, spectrum.flux.values, error, *columns, known if len(known) > 1 else {}
    )


def refitted_parts(fit: "SpectrumFit") -> SpectrumParts:
    """Those of a fit of :func:`mangrove.api.fit_spectrum`."""
    table = fit.spectrum
    columns = (np.asarray(table[name].value) for name in ("rest_wave", "flux", "error", "stars", "gas"))
    return SpectrumParts(*columns, np.asarray(table["used"]), {})


def detected_lines(seen: SeenGalaxy, baxel: int) -> list[tuple[float, str]]:
    """Rest wavelength (Angstrom, vacuum) and label of a baxel's lines above the S/N from which they are named."""
    rows, lines = seen.rows, fit_lines()
    detected = rows["line_flux"][baxel] > NAMED_SNR * rows["line_flux_err"][baxel]
    # By name: a run may have been written with another list of lines.
    places = [lines.index(name) for name in rows["line"][detected].tolist()]
    return [(float(lines.wave[k]), lines.label[k]) for k in places]


def spectrum_figure(
    parts: SpectrumParts, lines: Sequence[tuple[float, str]], other: SpectrumParts | None = None
) -> go.Figure:
    """Data, model and its components above, the residual over the error below; pixels that did not count are shaded.

    Parameters
    ----------
    lines : sequence of (float, str)
        Wavelength and name of what is marked.
    other : SpectrumParts, optional
        Another fit of the same spectrum, drawn beside it.
    """
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.74, 0.26], vertical_spacing=0.03)
    shown = parts.fitted
    wave = parts.wave[shown]
    data = np.where(parts.used, parts.flux, np.nan)[shown]

    def curve(
        values: np.ndarray, name: str, colour: str, row: int = 1, dash: str = "solid", legend: bool = True
    ) -> None:
        line = {"color": colour, "width": 1.2, "dash": dash}
        figure.add_trace(
            go.Scatter(x=wave, y=values.astype(np.float32), name=name, mode="lines", line=line, showlegend=legend),
            row,
            1,
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
    figure.update_yaxes(title=FLUX_AXIS, title_font_size=11, range=with_zero(data), row=1, col=1)
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
