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


def table(heads: Sequence[str], rows: Sequence[Sequence[str | Component]], n_text: int) -> Component:
    """A table that scrolls; all but the first ``n_text`` columns are numbers, the first is not broken.

    For some ten rows: Dash draws each cell by itself; :func:`mangrove.explorer.text_table.text_table` is for hundreds.
    """

    def style(k: int) -> dict[str, str]:
        return {"whiteSpace": "nowrap" if k == 0 else "normal", "textAlign": "left" if k < n_text else "right"}

    cells = [html.Tr([html.Td(value, style=style(k)) for k, value in enumerate(row)]) for row in rows]
    head = html.Thead(html.Tr([html.Th(name, scope="col", style=style(k)) for k, name in enumerate(heads)]))
    return html.Div(html.Table([head, html.Tbody(cells)]), className="scroll")


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
