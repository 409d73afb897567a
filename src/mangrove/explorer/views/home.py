"""The first page: the run in numbers, and its galaxies."""

import math
import shlex

from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from mangrove.explorer.address import Address, link
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.panels import notice, same_numbers
from mangrove.explorer.run_summary import Share, Total, galaxy_table, totals
from mangrove.explorer.view import View


def _page(run: ExploredRun, address: Address) -> Component:
    return html.Div(
        [
            _numbers(run),
            html.Section(
                [
                    html.H3("Galaxies"),
                    html.Label("search by plateifu or MaNGA-ID", htmlFor="home-search"),
                    # Its size in characters, and an answer when the typing pauses.
                    dcc.Input(
                        id="home-search", type="search", value=address.query.get("find", ""), debounce=0.3, maxLength=40
                    ),
                    html.Div(_galaxies(run, address), id="home-galaxies"),
                ],
                className="panel wide",
            ),
            same_numbers(_python(run), f"mangrove digest {shlex.quote(str(run.folder))}"),
        ],
        className="panels",
    )


_OF_SPECTRA = """from mangrove.artefacts import read

labels = read({path!r}, "labels", ["plateifu", "z", "galaxy_status", "n_baxel_of_galaxy"])
print(len(labels["plateifu"]), "galaxies,", labels["n_baxel_of_galaxy"].sum(), "baxels")"""
_OF_LINE_CUBES = """from mangrove.artefacts import read

cubes = read({path!r}, "line_cube_set", ["plateifu", "z"])
print(len(cubes["plateifu"]), "line cubes")"""


def _python(run: ExploredRun) -> str:
    """Lines that read what the run lists its galaxies in; '' if it has none."""
    for kind, lines in (("labels", _OF_SPECTRA), ("line_cube_set", _OF_LINE_CUBES)):
        if run.path(kind).is_file():
            return lines.format(path=str(run.path(kind)))
    return ""


def _numbers(run: ExploredRun) -> Component:
    found = totals(run)
    if not found:
        return notice(
            "This run has no galaxies: it trains the emulator alone, or its survey is not finished "
            "(mangrove digest says what failed)."
        )
    heads = html.Tr([html.Th(name, scope="col") for name in ("", "number", "of which")])
    return html.Section(
        [
            html.H3("The run in numbers"),
            html.Table([html.Thead(heads), html.Tbody([_total_row(total) for total in found])]),
        ],
        className="panel wide",
    )


def _total_row(total: Total) -> Component:
    shares = [part for share in total.shares for part in (_share(share), ", ")][:-1]
    return html.Tr([html.Th(total.what, scope="row"), html.Td(f"{total.count:,}", className="number"), html.Td(shares)])


def _share(share: Share) -> Component:
    words = share.status.replace("_", " ")
    return html.Span(f"{share.count:,} {words}", title=share.meaning)


def _galaxies(run: ExploredRun, address: Address) -> Component:
    found = galaxy_table(run, address.query.get("find", ""))
    if not found.n_found:
        return notice("No galaxy of this run has a plateifu or MaNGA-ID with this text.")
    names = ("plateifu", "MaNGA-ID", "redshift", "status", "baxels")
    heads = html.Tr([html.Th(name, scope="col") for name in names])
    rows = [_galaxy_row(*row) for row in zip(*found[:-1], strict=True)]
    shown = f"{len(rows):,} of {found.n_found:,} shown; search for the others" if len(rows) < found.n_found else ""
    table = html.Table([html.Thead(heads), html.Tbody(rows)])
    return html.Div([html.P(shown or f"{found.n_found:,} found", role="status"), html.Div(table, className="scroll")])


def _galaxy_row(plateifu: str, mangaid: str, z: float, status: str, reason: str, n_baxel: int) -> Component:
    cells = [
        dcc.Link(plateifu, href=link("galaxy", plateifu)),
        mangaid,
        f"{z:.4f}" if math.isfinite(z) else "unknown",
        ": ".join(filter(None, (status.replace("_", " "), reason))),
    ]
    return html.Tr([*map(html.Td, cells), html.Td(f"{n_baxel:,}", className="number")])


def _register(app: Dash, run: ExploredRun) -> None:
    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input("home-search", "value"),
        State("url", "pathname"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def search(text: str, path: str, query: str) -> str:
        return Address.parsed(path, query).changed(find=text or None).search

    @app.callback(
        Output("home-galaxies", "children"),
        Input("url", "search"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def show(query: str, path: str) -> Component:
        return _galaxies(run, Address.parsed(path, query))


HOME = View("", "Run", lambda run: "", _page, _register)
