"""The first page: what the run holds, and where to begin."""

from dash import Dash, html
from dash.development.base_component import Component

from mangrove.explorer.address import Address, link
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.panels import facts
from mangrove.explorer.view import View


def _page(run: ExploredRun, address: Address) -> Component:
    sizes = [("galaxies", f"{len(run.galaxies):,}")]
    if run.path("labels").is_file():
        sizes.append(("baxels", f"{run.column('labels', 'n_baxel_of_galaxy').sum():,}"))
    return html.Section(
        [html.H2(f"The run {run.folder.name}"), facts(sizes), html.A("A galaxy", href=link("galaxy", run.galaxies[0]))]
    )


def _register(app: Dash, run: ExploredRun) -> None:
    """It has no callbacks."""


HOME = View("", "Run", lambda run: "", _page, _register)
