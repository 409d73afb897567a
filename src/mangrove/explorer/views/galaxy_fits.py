"""The page of a galaxy: the spectrum of a baxel with its stored fit, and a fit with other settings beside it."""

from collections.abc import Sequence
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from mangrove.codes import GasModel
from mangrove.errors import MangroveError
from mangrove.explorer.address import Address, link
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.galaxy_data import SeenGalaxy
from mangrove.explorer.galaxy_refit import (
    ATTENUATIONS,
    RefitSettings,
    chosen_settings,
    degrees_with,
    is_asked,
    libraries,
    prepare_programs,
    refit,
    settings_of_run,
)
from mangrove.explorer.galaxy_spectrum import (
    READING,
    line_rows,
    refitted_label_rows,
    spectrum_figure,
    stored_label_rows,
)
from mangrove.explorer.mathtext import as_components
from mangrove.explorer.panels import figure_panel, notice
from mangrove.explorer.placed_baxel import placed_baxel
from mangrove.explorer.spectrum_parts import detected_lines, refitted_parts, stored_parts
from mangrove.report.wording import plain

SPECTRUM, REFIT, BUSY = "galaxy-spectrum", "galaxy-refit", "galaxy-refit-busy"
BAXEL = "galaxy-baxel-number"
#: Style of the word that a fit is under way while there is none.
IDLE = {"visibility": "hidden"}
LIBRARY, DUST, DEGREE = "galaxy-templates", "galaxy-dust", "galaxy-degree"
#: Heads the column that says what a number stands for.
_AS = "quantity and unit"


def baxel_choice(seen: SeenGalaxy, baxel: int) -> Component:
    """The number of the baxel whose spectrum is shown, to be entered: for those who do not click on maps."""
    number = dcc.Input(
        id=BAXEL,
        type="number",
        min=0,
        max=seen.n_baxel - 1,
        step=1,
        value=baxel,
        debounce=0.4,
        className="chooser short",
    )
    label = html.Label(f"spectrum of baxel, 0 to {seen.n_baxel - 1}", htmlFor=BAXEL)
    return html.Div([label, number], className="choosers wide")


def spectrum_panels(run: ExploredRun, seen: SeenGalaxy, baxel: int | None) -> list[Component]:
    """A baxel's spectrum with the fit from its stored weights, its numbers, and its place on the map of spectra."""
    if baxel is None:
        return [notice("It has no baxel, so no spectrum.")]
    try:
        found = run.results.spectrum(seen.plateifu, baxel)
    except MangroveError as error:
        return [notice(f"Its spectrum with the fit cannot be shown: {error}"), _numbers(seen, baxel)]
    rows = seen.rows
    lines = detected_lines(seen, baxel)
    model = GasModel(rows["gas_model"][baxel]).meaning
    title = f"Spectrum of baxel {baxel}: S/N {plain(rows['snr'][baxel], 1)}, status of the fit {found.attrs['status'].replace('_', ' ')}"
    caption = f"{READING} Gas: {model}."
    panel = figure_panel(
        SPECTRUM, spectrum_figure(stored_parts(found), lines), title, caption, *_place(run, seen, baxel), wide=True
    )
    return [panel, _numbers(seen, baxel)]


def refit_controls(run: ExploredRun, seen: SeenGalaxy, address: Address) -> Component:
    """What can be chosen about a fit; what it finds is put into the ``galaxy-refit`` below."""
    try:
        own = settings_of_run(run.attrs("fit", plateifu=seen.plateifu))
    except MangroveError as error:
        return notice(f"Its fit cannot be repeated: {error}")
    chosen, known = chosen_settings(address, own), libraries(own)
    named = next(name for name, library in known.items() if library == chosen.templates)
    degrees = degrees_with(own)
    settings = [
        (html.Label("templates", htmlFor=LIBRARY), dcc.Dropdown(list(known), named, id=LIBRARY, clearable=False)),
        (
            html.Span("dust of the stars", id=f"{DUST}-label"),
            dcc.RadioItems(ATTENUATIONS, chosen.attenuation, id=DUST, inline=True),
        ),
        (
            html.Label("degree of the polynomial", htmlFor=DEGREE),
            # By place in the list: a slider steps by equal amounts.
            dcc.Slider(
                min=0,
                max=len(degrees) - 1,
                step=1,
                marks={place: str(degree) for place, degree in enumerate(degrees)},
                value=degrees.index(chosen.polynomial_degree),
                id=DEGREE,
                allow_direct_input=False,
            ),
        ),
    ]
    return html.Section(
        [
            html.H3("Fit it with other settings"),
            html.P(
                "Any change fits the spectrum again, in about a tenth of a second once its program is compiled; the first time "
                "on a machine that takes half a minute."
            ),
            html.Div([part for pair in settings for part in pair], className="settings"),
            html.P("fitting …", id=BUSY, role="status", style=IDLE),
            html.Div(id=REFIT),
        ],
        className="panel wide",
    )


def refit_result(run: ExploredRun, seen: SeenGalaxy, address: Address, baxel: int) -> list[Component]:
    """The stored fit and that of the address side by side; what can be done where the address asks for none."""
    try:
        arguments = run.results.fit_arguments(seen.plateifu, baxel)
        own = settings_of_run(arguments)
        prepare_programs(arguments, own, is_asked(address))
        if not is_asked(address):
            return [html.P(f"The run has fitted it with {_words(own)}.")]
        chosen = chosen_settings(address, own)
        fit, stored = refit(arguments, chosen), run.results.spectrum(seen.plateifu, baxel)
    except MangroveError as error:
        return [notice(f"There is no such fit: {error}")]
    rows = seen.rows
    lines = detected_lines(seen, baxel)
    figure = spectrum_figure(stored_parts(stored), lines, refitted_parts(fit))
    panel = figure_panel(
        "galaxy-refit-figure",
        figure,
        f"Baxel {baxel}: fit of the run, and refit with {_words(chosen)}",
        READING,
        wide=True,
    )
    chi2 = (plain(rows["chi2_reduced"][baxel], 3), plain(fit["chi2_reduced"].value, 3))
    status = (stored.attrs["status"].replace("_", " "), fit.status.replace("_", " "))
    pairs = zip(stored_label_rows(seen, baxel), refitted_label_rows(fit), strict=True)
    compared = [(old[0], old[1], new[1], old[2], new[3]) for old, new in pairs]
    compared += [("reduced χ²", *chi2, "", ""), ("status", *status, "", "")]
    heads = ("", "run", "refit", _AS, "flags of the refit")
    return [panel, _table("galaxy-refit-numbers", "Numbers of both fits", heads, compared)]


def degree_at(run: ExploredRun, seen: SeenGalaxy, place: Any) -> int | None:
    """The degree at a place of the slider; None of anything else that a browser may send."""
    degrees = degrees_with(settings_of_run(run.attrs("fit", plateifu=seen.plateifu)))
    return degrees[place] if isinstance(place, int) and 0 <= place < len(degrees) else None


def control_values(run: ExploredRun, seen: SeenGalaxy, address: Address) -> dict[str, str | int]:
    """What the controls of a fit show for an address, by their key in it; empty where there is no fit."""
    try:
        own = settings_of_run(run.attrs("fit", plateifu=seen.plateifu))
    except MangroveError:
        return {}
    chosen = chosen_settings(address, own)
    named = next(name for name, library in libraries(own).items() if library == chosen.templates)
    return {"templates": named, "dust": chosen.attenuation, "degree": chosen.polynomial_degree}


def settings_in_python(run: ExploredRun, seen: SeenGalaxy, address: Address) -> str:
    """What an address asks of a fit, as a Python dict; empty where it asks for none or there is no fit."""
    try:
        own = settings_of_run(run.attrs("fit", plateifu=seen.plateifu))
    except MangroveError:
        return ""
    return repr(chosen_settings(address, own)._asdict() | {"engine": "batched"}) if is_asked(address) else ""


def _words(settings: RefitSettings) -> str:
    dust = ATTENUATIONS[settings.attenuation]
    return f"templates {settings.templates}, dust by the {dust}, polynomial of degree {settings.polynomial_degree}"


def _numbers(seen: SeenGalaxy, baxel: int) -> Component:
    tables = [
        _table("galaxy-labels", "Labels", ("", "value ± error", _AS, "flags"), stored_label_rows(seen, baxel)),
        _table(
            "galaxy-line-table",
            "Emission lines",
            ("line", "flux ± error (10⁻¹⁷ erg s⁻¹ cm⁻² spaxel⁻¹)", "EW ± error (Å)", ""),
            line_rows(seen, baxel),
        ),
    ]
    return html.Section(tables, className="panel wide tables")


def _table(id: str, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Component:
    """A table with its title; all but the first and the last two columns are numbers."""
    cells = [html.Tr([html.Td(as_components(part)) for part in row]) for row in rows]
    head = html.Thead(html.Tr([html.Th(name, scope="col") for name in heads]))
    return html.Div([html.H4(title), html.Div(html.Table([head, html.Tbody(cells)], id=id), className="scroll whole")])


def _place(run: ExploredRun, seen: SeenGalaxy, baxel: int) -> list[Component]:
    """Where the baxel lies on the map of spectra, with a link."""
    place = placed_baxel(run, seen.plateifu, baxel)
    if place is None:
        return [html.P("It has no place on the map of spectra.")] if run.has("desom_assignments") else []
    words = f"node ({place.column}, {place.row})"
    typical = f"; {100 * place.typicality:.0f} % of the training spectra lie farther from theirs."
    return [html.P(["On the map of spectra: ", dcc.Link(words, href=link("spectral-map", node=place.node)), typical])]
