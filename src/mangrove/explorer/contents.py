"""What there is to see: the navigation, and the cards of the first page."""

from collections.abc import Sequence

from dash import dcc, html
from dash.development.base_component import Component

from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.failures import lacks
from mangrove.explorer.view import View

#: What each view shows, by its name.
_SHOWS = {
    "spectral-map": "Spectra ordered by an autoencoder: what the nodes of the map look like, their labels, who is there.",
    "galaxy-map": "Galaxies ordered by where their spectra lie on the first map, with their shapes from the catalogue.",
    "anomalies": "Galaxies whose emission-line cubes are hard to reconstruct, in three and two dimensions, and why.",
    "galaxy": "One galaxy: maps, lines, kinematics, and the spectrum and fit of every baxel, to be fitted anew.",
    "emulator": "Emission lines predicted from the shape of the stellar continuum, live.",
    "your-spectrum": "A spectrum of yours: its fit, its place on the map, and predicted beside measured lines.",
}


def navigation(run: ExploredRun, views: Sequence[View]) -> html.Nav:
    """Links to the views that the run has results for."""
    links = [dcc.Link(view.title, href=f"/{view.name}", className="nav-link") for view in views if not lacks(view, run)]
    return html.Nav(links, **{"aria-label": "views"})


def cards(run: ExploredRun, views: Sequence[View]) -> html.Section:
    """One card per view: what it shows and a link, or what the run lacks for it."""
    return html.Section(
        [
            html.H3("Where to look"),
            html.Ul([_card(view, lacks(view, run)) for view in views if view.name], className="cards"),
        ],
        className="wide",
    )


def _card(view: View, why_not: str) -> Component:
    shows = html.P(_SHOWS.get(view.name, ""))
    if why_not:
        return html.Li([html.H4(view.title), shows, html.P(why_not, className="lacks")], className="card absent")
    return html.Li([html.H4(dcc.Link(view.title, href=f"/{view.name}")), shows], className="card")
