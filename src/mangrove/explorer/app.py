"""The explorer as a web application: navigation, one page per view, what happens when something fails."""

from contextlib import suppress
from functools import partial
from typing import Any

from dash import Dash, Input, Output, State, dcc, html, set_props
from dash.dependencies import ClientsideFunction
from dash.development.base_component import Component

from mangrove.errors import MangroveError
from mangrove.explorer.address import Address
from mangrove.explorer.contents import cards, navigation
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.failures import lacks, words_of
from mangrove.explorer.panels import notice
from mangrove.explorer.security import protect
from mangrove.explorer.view import View
from mangrove.explorer.views.anomalies import ANOMALIES
from mangrove.explorer.views.emulator import EMULATOR
from mangrove.explorer.views.galaxy import GALAXY
from mangrove.explorer.views.galaxy_map import GALAXY_MAP
from mangrove.explorer.views.home import HOME
from mangrove.explorer.views.spectral_map import SPECTRAL_MAP
from mangrove.explorer.views.your_spectrum import YOUR_SPECTRUM
from mangrove.explorer.warm import after_first_page, import_slow_libraries

#: In the order of the navigation.
VIEWS: tuple[View, ...] = (HOME, SPECTRAL_MAP, GALAXY_MAP, ANOMALIES, GALAXY, EMULATOR, YOUR_SPECTRUM)

#: The frame of all pages: Dash's own, with a language.
_FRAME = """<!DOCTYPE html>
<html lang="en">
  <head>{%metas%}<title>{%title%}</title>{%favicon%}{%css%}</head>
  <body>{%app_entry%}<footer>{%config%}{%scripts%}{%renderer%}</footer></body>
</html>
"""


def create_app(folder, host: str = "127.0.0.1", warm: bool = False) -> Dash:
    """The explorer of a run, to be served by any WSGI server (``app.server``).

    Parameters
    ----------
    folder : path-like
        results/RUN.
    host : str
        The address that the server will listen on; on loopback it answers to this machine's names only.
    warm : bool
        Whether to make every view once in the background when the first page is out.

    Raises
    ------
    ArtefactError
        If there is no such folder.
    """
    run = ExploredRun(folder)
    app = Dash(
        "mangrove.explorer",
        title=f"mangrove: {run.folder.name}",
        update_title=None,
        suppress_callback_exceptions=True,
        serve_locally=True,
        enable_mcp=False,
        index_string=_FRAME,
        on_error=_tell,
    )
    # A function: what a run lacks may come while the explorer is open.
    app.layout = lambda: _layout(run)
    for view in VIEWS:
        view.register(app, run)
    _register(app, run)
    protect(app, host)
    if warm:
        after_first_page(app.server, partial(_visit_all, run))
    return app


def page_at(run: ExploredRun, address: Address) -> Component:
    """The page of an address; a sentence where there is no such page, the run lacks what it shows, or it fails."""
    for view in VIEWS:
        if view.name == address.view:
            try:
                why_not = lacks(view, run)
                return notice(why_not) if why_not else _titled(run, view, address)
            except Exception as error:
                return notice(words_of(error))
    return notice(f"There is no page {address.path}. ", dcc.Link("To the first page", href="/"))


def _visit_all(run: ExploredRun) -> None:
    """Make every page once, that of a galaxy, and what views prepare: it is kept then, and the libraries are loaded."""
    import_slow_libraries()
    for view in VIEWS:
        page_at(run, Address(f"/{view.name}"))
    with suppress(MangroveError):
        for name in run.galaxies[:1]:
            page_at(run, Address(f"/{GALAXY.name}/{name}"))
    for view in VIEWS:
        # What is damaged, its own page says.
        with suppress(MangroveError):
            if not lacks(view, run):
                view.prepare(run)


def _titled(run: ExploredRun, view: View, address: Address) -> Component:
    """A view's page under its title, which readers of the screen hear; on the first page also the way to the others."""
    title = html.H1(" ".join(filter(None, (view.title, address.name))), className="unseen")
    if view.name:
        return html.Div([title, view.page(run, address)])
    return html.Div([title, cards(run, VIEWS), _page_or_words(run, view, address)])


def _page_or_words(run: ExploredRun, view: View, address: Address) -> Component:
    """The page, or what went wrong with it: what stands beside it is still of use."""
    try:
        return view.page(run, address)
    except Exception as error:
        return notice(words_of(error))


def _layout(run: ExploredRun) -> Component:
    skip = html.A("to the content", href="#page", className="skip")
    theme = html.Button("light / dark", id="theme", **{"aria-label": "change between light and dark"})
    head = [
        html.P(dcc.Link(["mangrove: ", run.folder.name], href="/"), className="brand"),
        navigation(run, VIEWS),
        theme,
    ]
    return html.Div(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            dcc.Store(id="place"),
            dcc.Store(id="again"),
            skip,
            html.Header(head),
            html.Div(id="problem", role="alert"),
            html.Main(id="page", tabIndex="-1"),
        ]
    )


def _register(app: Dash, run: ExploredRun) -> None:
    @app.callback(
        Output("page", "children"),
        Output("problem", "children"),
        Input("url", "pathname"),
        State("url", "search"),
        Input("again", "data"),
    )
    def show(path: str, search: str, again: Any) -> tuple[Component, None]:
        # What it was made for: the address may have gone on since it was asked for (assets/explorer.js).
        return html.Div(page_at(run, Address.parsed(path, search)), **{"data-made-for": [path, search]}), None

    # Title of the window, which link is that of this page, and whether it is still that of the address
    # (assets/explorer.js).
    app.clientside_callback(
        ClientsideFunction("mangrove", "arrived"),
        Output("place", "data"),
        Input("url", "pathname"),
        Input("page", "children"),
        State("url", "search"),
    )


def _tell(error: Exception) -> None:
    """Show above the page what went wrong in a callback, and leave the page as it is."""
    set_props("problem", {"children": notice(words_of(error))})
