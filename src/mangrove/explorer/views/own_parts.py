"""The parts of the page of an uploaded spectrum, each of which appears when it is ready."""

import shlex
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from dash import dcc, html
from dash.development.base_component import Component

from mangrove.codes import FitStatus, PlacementFlag
from mangrove.config import Fit, Preprocessing
from mangrove.explorer.address import link
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.galaxy_spectrum import READING, spectrum_figure
from mangrove.explorer.mathtext import as_components
from mangrove.explorer.node_figure import CHOSEN, nodes_figure
from mangrove.explorer.node_index import grid_of, nodes_of
from mangrove.explorer.own_figures import labels_figure, lines_figure, seen_figure
from mangrove.explorer.own_lines import lines_beside
from mangrove.explorer.own_spectrum import place_of, settings
from mangrove.explorer.panels import facts, figure_panel, notice, same_numbers
from mangrove.explorer.spectral_map import OCCUPATION, label_pdfs, node_colours, spectra_of
from mangrove.explorer.spectrum_parts import refitted_lines, refitted_parts
from mangrove.explorer.text_table import AxisLabel, text_table
from mangrove.explorer.uploads import Upload
from mangrove.notebook.spectrum_columns import SpectrumFile
from mangrove.physics.wavelengths import SIGMA_TO_FWHM
from mangrove.report.label_style import STYLE
from mangrove.report.line_names import line_title
from mangrove.report.node_values import flux_axis
from mangrove.report.wording import plain

if TYPE_CHECKING:
    from mangrove.notebook.spectrum_fit import SpectrumFit
    from mangrove.notebook.spectrum_place import SpectrumPlace

_FLUX = "flux density<br>(10<sup>−17</sup> erg/s/cm²/Å)"
_RELATIVE = "flux (unit of the file)"
_KINEMATICS = {
    "v_star": "velocity of the stars",
    "sigma_star": "dispersion of the stars",
    "v_gas": "velocity of the gas",
    "sigma_gas": "dispersion of the gas",
}
_LINE_HEADS = ("line", "wavelength (Å)", "flux", "error", "EW (Å)", "error (Å)", "status")
_LABEL_HEADS = ("label", "your fit", "error", "16 %", "median", "84 %", "flags of the fit")


def file_facts(name: str, spectrum: SpectrumFile) -> Component:
    """What a file was read as."""
    medium = {True: "air", False: "vacuum", None: "not said whether air or vacuum"}[spectrum.air]
    span = f"{spectrum.wave[0]:.1f} to {spectrum.wave[-1]:.1f} Å ({medium}), {spectrum.wave.size:,} pixels"
    z = "not in the file" if spectrum.z is None else f"{spectrum.z:.6g}" + (", doubtful" if spectrum.z_doubtful else "")
    rows = [
        ("file", name),
        ("wavelengths", span),
        ("redshift", z),
        ("errors", "none: it can be placed on the map but not fitted" if spectrum.ivar is None else "yes"),
        ("resolving power", _power(spectrum)),
        ("flux", "its unit is stated" if spectrum.flux_stated else "without a unit: taken as 1e-17 erg/s/cm²/Å"),
    ]
    return facts(rows)


def _power(spectrum: SpectrumFile) -> str:
    if spectrum.lsf is None:
        return "not in the file"
    known = spectrum.lsf > 0
    return f"{np.median(spectrum.wave[known] / spectrum.lsf[known]) / SIGMA_TO_FWHM:.0f} (median)"


def fit_part(upload: Upload, fit: "SpectrumFit") -> Component:
    """The fit in numbers, its figure, and its lines."""
    stated = upload.spectrum.flux_stated
    unit = _FLUX if stated else _RELATIVE
    lines_unit = "1e-17 erg/s/cm²" if stated else "the unit of the file times Å"
    return html.Div(
        [
            figure_panel(
                "your-spectrum-fit-figure",
                spectrum_figure(refitted_parts(fit), refitted_lines(fit), flux_axis=unit),
                "Fit of your spectrum",
                f"{READING} The strongest lines may leave the axes.",
                wide=True,
            ),
            html.Section([html.H3("The fit in numbers"), facts(_fit_facts(fit))], className="panel"),
            html.Section(
                [html.H3("Emission lines"), html.P(f"Flux in {lines_unit}; wavelengths in vacuum."), _lines_table(fit)],
                className="panel",
            ),
        ],
        className="panels",
    )


def _fit_facts(fit: "SpectrumFit") -> list[tuple[str, Component | str]]:
    status = FitStatus[fit.status.upper()]
    rows: list[tuple[str, Component | str]] = [("status", f"{status.word.replace('_', ' ')}: {status.meaning}")]
    rows += [(title, _with_error(fit[name], fit[f"{name}_err"], 1)) for name, title in _KINEMATICS.items()]
    for name, label in fit.labels.items():
        flags = f" ({_words(label.flags)})" if label.flags else ""
        text = f"{plain(float(label.value.value), 3)} ± {plain(float(label.error.value), 3)}{flags}"
        rows.append((STYLE[name].title, html.Span([f"{text}, ", *as_components(STYLE[name].axis)])))
    rows += [
        ("class in the BPT diagram", fit.bpt_class.replace("_", " ")),
        ("reduced χ²", plain(_value(fit, "chi2_reduced"), 2)),
    ]
    return rows


def _words(flags: tuple[str, ...]) -> str:
    return ", ".join(flags).replace("_", " ")


def _value(fit: "SpectrumFit", name: str) -> float:
    return float(fit[name].value)


def _with_error(value: u.Quantity, error: u.Quantity, digits: int) -> str:
    return f"{plain(float(value.value), digits)} ± {plain(float(error.value), digits)} {value.unit.to_string().replace(' / ', '/')}"


def _lines_table(fit: "SpectrumFit") -> Component:
    rows = [
        (
            AxisLabel(line_title(str(line["line"]))),
            f"{line['wave'].value:.1f}",
            *(plain(float(line[name].value), 2) for name in ("flux", "flux_err", "ew", "ew_err")),
            str(line["status"]).replace("_", " "),
        )
        for line in fit.lines
    ]
    return text_table(_LINE_HEADS, rows, 1)


def place_part(run: ExploredRun, upload: Upload) -> Component:
    """The node of a spectrum on the map, how typical it is, and what the network saw.

    Raises
    ------
    MangroveError
        If it cannot be placed, or the run has no map.
    """
    place = place_of(run, upload.spectrum, upload.about)
    node, places = _index(place, run), grid_of(run, "desom_map")
    return html.Div(
        [
            figure_panel(
                "your-spectrum-node",
                # Its nodes can be selected on the map of spectra itself; here a lasso would lead to nothing.
                nodes_figure(places, node_colours(run, OCCUPATION), {node: CHOSEN}).update_layout(
                    dragmode="zoom", modebar={"remove": ["lasso2d", "select2d"]}
                ),
                "Its node on the map of spectra",
                "Frame: the node whose prototype is nearest. Colour: how many of the run's baxels each node has.",
                facts(_place_facts(run, place)),
            ),
            figure_panel(
                "your-spectrum-seen",
                seen_figure(place, spectra_of(run, node), flux_axis(nodes_of(run, "desom_map"))),
                "Your spectrum and the prototype",
                "What the network saw of your spectrum (bins without data left out), and the decoded prototype of the node.",
            ),
        ],
        className="panels",
    )


def _index(place: "SpectrumPlace", run: ExploredRun) -> int:
    """The node as artefacts count."""
    return (place.node.row - 1) * run.attrs("desom_map")["columns"] + place.node.column - 1


def _place_facts(run: ExploredRun, place: "SpectrumPlace") -> list[tuple[str, Component | str]]:
    node = f"({place.node.column}, {place.node.row})"
    second = f"({place.second_node.column}, {place.second_node.row})"
    snr = "unknown" if np.isnan(place.snr) else f"{place.snr:.0f}"
    power = "unknown" if np.isnan(place.resolving_power) else f"{place.resolving_power:.0f}"
    flags = [html.Li(f"{word.replace('_', ' ')}: {PlacementFlag[word.upper()].meaning}") for word in place.flags]
    return [
        ("node", dcc.Link(node, href=link("spectral-map", node=_index(place, run)))),
        ("second best", f"{second}, at distance {place.second_distance:.3g} against {place.distance:.3g}"),
        ("typicality", f"{100 * place.typicality:.0f} % of the training spectra lie farther from their nodes"),
        ("S/N", f"{snr}; {100 * place.filled:.1f} % of the bins without data"),
        ("resolving power", f"{power} in the map's bins; the training spectra have {place.map_resolving_power:.0f}"),
        ("flags", html.Ul(flags, style={"margin": 0, "paddingLeft": "1rem"}) if flags else "none"),
    ]


def labels_part(run: ExploredRun, upload: Upload) -> Component:
    """Distributions of the labels on the node of a spectrum, beside the values of its fit where there is one.

    Raises
    ------
    MangroveError
        As :func:`place_part`.
    """
    place = place_of(run, upload.spectrum, upload.about)
    pdfs, name = label_pdfs(run, _index(place, run)), f"node ({place.node.column}, {place.node.row})"
    if not pdfs:
        return notice("The run has no labels on the nodes of its map: run its workflow to the end.")
    own = upload.fit.labels if upload.fit else {}
    rows = []
    for pdf in pdfs:
        label = own.get(pdf.name)
        mine = ("–", "–") if label is None else (plain(float(x.value), 3) for x in (label.value, label.error))
        of_node = (plain(value, 3) for value in (pdf.low, pdf.median, pdf.high))
        flags = _words(label.flags) if label else ""
        name_of = AxisLabel(f"{STYLE[pdf.name].title}, {STYLE[pdf.name].axis}")
        rows.append((name_of, *mine, *of_node, flags))
    return html.Div(
        [
            figure_panel(
                "your-spectrum-labels",
                labels_figure(pdfs, own, name),
                "Labels on the node, and of your fit",
                "Bars: the training galaxies' baxels on the node, and on its neighbours where it has few; above them median, "
                "16 and 84 %. Dotted: the value of your fit with its error, once it is there.",
                wide=True,
            ),
            html.Section([html.H3("The same in numbers"), text_table(_LABEL_HEADS, rows, 1)], className="panel wide"),
        ],
        className="panels",
    )


def lines_part(run: ExploredRun, upload: Upload, fit: "SpectrumFit") -> Component:
    """The emulator's lines beside those of the fit.

    Raises
    ------
    ModelError
        If the run has no emulator.
    """
    lines = lines_beside(run, upload.spectrum, upload.about, fit)
    if not np.isfinite(lines.listed).any():
        span = f"{lines.edges[0]:.0f} to {lines.edges[-1]:.0f} Å (rest frame)"
        reason = "; ".join(flag.meaning for flag in lines.flags)
        return notice(f"No lines are predicted ({reason}). The emulator needs a positive continuum from {span}.")
    warn = [notice(f"Take care: {flag.meaning}.") for flag in lines.flags]
    return html.Div(
        [
            *warn,
            figure_panel(
                "your-spectrum-lines",
                lines_figure(lines),
                "Lines predicted from the continuum, and measured",
                f"The emulator sees the mean flux of the stellar continuum in {lines.flux_bins.size} bins from "
                f"{lines.edges[0]:.0f} to {lines.edges[-1]:.0f} Å, lines removed. Compare the diamonds with the measurement; "
                "bars: the intrinsic distribution. Equivalent widths in the rest frame, emission positive, asinh scale.",
                wide=True,
            ),
        ],
        className="panels",
    )


def numbers_part(run: ExploredRun, upload: Upload) -> Component:
    """Lines and a command that give the numbers of the page."""
    about, name = upload.about, upload.name
    ebv = about.ebv or 0.0
    lsf = _lsf_text(about.lsf, upload.spectrum)
    defaults = {key: field.default for part in (Fit, Preprocessing) for key, field in part.model_fields.items()}
    own = {key: value for key, value in settings(run).items() if key == "engine" or _other(value, defaults.get(key))}
    options = "".join(f", {key}={value!r}" for key, value in own.items())
    python = f"""from astropy import units as u
from mangrove.api import fit_spectrum, open_map, read_spectrum
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.own_lines import lines_beside
from mangrove.explorer.own_spectrum import Taken

read = read_spectrum({name!r})
about = Taken(z={about.z!r}, ebv={about.ebv!r}, lsf={lsf}, air={about.air}, z_doubtful={about.z_doubtful})
arrays = (read.wave, read.flux, read.ivar, about.z)
place = open_map({str(run.folder / "desom")!r}).place(
    *arrays, lsf=about.lsf, mask=read.mask, ebv=about.ebv, air=about.air, z_doubtful=about.z_doubtful
)
print(place.node, place.typicality, place.flags)
fit = fit_spectrum(*arrays, lsf=about.lsf, mask=read.mask, ebv={ebv!r}, air=about.air{options})
print(fit["v_star"], fit["v_star_err"], fit["sigma_star"], fit["sigma_star_err"], fit.labels["log_age_lw"])
lines = lines_beside(ExploredRun({str(run.folder)!r}), read, about, fit)
print(lines.names, lines.listed, lines.measured)"""
    file, model = (shlex.quote(str(path)) for path in (name, run.folder / "desom"))
    command = f"mangrove assign {file} --model {model} --z {about.z!r} --{'air' if about.air else 'vacuum'}"
    command += "" if about.ebv is None else f" --ebv {about.ebv!r}"
    return same_numbers(python, command)


def _other(value, default) -> bool:
    return (list(value) if isinstance(value, tuple | list) else value) != default


def _lsf_text(lsf, spectrum: SpectrumFile) -> str:
    if lsf is spectrum.lsf:
        return "read.lsf"
    return f"{lsf.value!r} * u.dimensionless_unscaled" if isinstance(lsf, u.Quantity) else repr(lsf)
