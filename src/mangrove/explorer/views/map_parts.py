"""What the pages of the two maps share: the menu of colours, and how a click becomes an address."""

from collections.abc import Sequence

from dash import dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from mangrove.explorer.address import Address
from mangrove.explorer.explored_run import ExploredRun

#: Style of what stands below a caption.
APART = {"marginTop": "0.6rem"}


def lacking(run: ExploredRun, kinds: Sequence[str]) -> str:
    """Why the first artefact of some kinds that the run lacks is not there; '' if it has them all."""
    lacks = next((kind for kind in kinds if not run.has(kind)), None)
    if lacks is None:
        return ""
    path = run.path(lacks)
    return run.attrs(lacks)["reason"].rstrip(".") if path.is_file() else f"{path} does not exist"


def menu(id: str, options: dict[str, str], chosen: str) -> Component:
    """A menu of what colours the nodes: what an option is called, by its value."""
    choices = [{"label": name, "value": value} for value, name in options.items()]
    pick = dcc.Dropdown(id=id, options=choices, value=chosen, clearable=False, style={"width": "22rem"})
    return html.Div(
        [html.Label("colour of the nodes", htmlFor=id), pick], style={"display": "flex", "alignItems": "center"}
    )


def arrived(view: str, path: str, search: str) -> Address:
    """The address that a callback of a view is given.

    Raises
    ------
    PreventUpdate
        If it is that of another page: the view is about to vanish, and neither draws anything nor changes the address.
    """
    address = Address.parsed(path, search)
    if address.view != view:
        raise PreventUpdate
    return address


def moved(address: Address, **query: str | int | None) -> str:
    """What is written to the browser's address.

    Raises
    ------
    PreventUpdate
        If that is there already.
    """
    there = address.changed(**query)
    if there == address:
        raise PreventUpdate
    return there.search
