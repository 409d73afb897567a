"""The explorer as a web application: navigation, one page per view, security headers."""

from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from mangrove.explorer.address import Address
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.panels import notice
from mangrove.explorer.view import View
from mangrove.explorer.views.anomalies import ANOMALIES
from mangrove.explorer.views.home import HOME

#: In the order of the navigation.
VIEWS: tuple[View, ...] = (HOME, ANOMALIES)


def create_app(folder) -> Dash:
    """The explorer of a run, to be served by any WSGI server (``app.server``).

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
    )
    app.layout = _layout(run)
    for view in VIEWS:
        view.register(app, run)

    @app.callback(Output("page", "children"), Input("url", "pathname"), State("url", "search"))
    def show(path: str, search: str) -> Component:
        return page_at(run, Address.parsed(path, search))

    return app


def page_at(run: ExploredRun, address: Address) -> Component:
    """The page of an address; a sentence where there is no such page or the run lacks what it shows."""
    for view in VIEWS:
        if view.name == address.view:
            lacks = view.missing(run)
            return notice(lacks) if lacks else view.page(run, address)
    return notice(f"There is no page {address.path}.")


def _layout(run: ExploredRun) -> Component:
    links = [dcc.Link(view.title, href=f"/{view.name}", className="nav-link") for view in VIEWS]
    return html.Div(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            html.Header([html.H1(f"mangrove: {run.folder.name}"), html.Nav(links)]),
            html.Main(id="page"),
        ]
    )
