"""The table of anomalies as a page shows it: heads that order it, links, pages."""

import numpy as np
from dash import dcc, html
from dash.development.base_component import Component

from mangrove.explorer.address import Address, link
from mangrove.explorer.anomaly_rows import ORDERS, PAGE, RowChoice, RowPage, natural_order
from mangrove.explorer.panels import notice
from mangrove.explorer.scored_galaxies import ScoredGalaxies
from mangrove.report.autoencoder_sample import SCORE_FORMAT, causes
from mangrove.report.wording import counted, plain

_UNKNOWN = "\N{EN DASH}"
#: Heads of the columns, and what each orders the rows by.
_HEADS = {
    "galaxy": ("galaxy", "galaxy"),
    "score": ("score", "score"),
    "percentile": ("percentile", "score"),
    "agn": ("AGN", "agn"),
    "causes": ("causes other than the galaxy", "causes"),
    "reason": ("reason", ""),
    "z": ("z", "z"),
    "mass": ("log M* [M☉]", "mass"),
}
_NUMBERS = ("score", "percentile", "z", "mass")


def anomaly_table(
    scored: ScoredGalaxies, page: RowPage, choice: RowChoice, score: str, address: Address
) -> list[Component]:
    """The rows of a page below heads that order them, and links to the other pages."""
    if not page.n_found:
        return [notice("No galaxy is like that. Choose other causes or nuclei, or clear the search.")]
    columns = [name for name in _HEADS if not _lacks(scored, name)]
    head = html.Tr([_head(name, choice, address) for name in columns] + [html.Th("neighbours")])
    selected = address.query.get("galaxy", "")
    rows = [_row(scored, int(k), columns, score, selected, address) for k in page.rows]
    first = page.page * PAGE
    said = f"{first + 1:,} to {first + len(page.rows):,} of {counted(page.n_found, 'galaxy', 'galaxies')}"
    return [
        html.Div(html.Table([*_caption(scored), html.Thead(head), html.Tbody(rows)]), style={"overflowX": "auto"}),
        html.Nav([*_steps(page, address), html.Span(said, role="status")], className="saves", **{"aria-label": "rows"}),
    ]


def galaxy_cells(scored: ScoredGalaxies, galaxy: int, score: str) -> dict[str, str | Component]:
    """What the table says of a galaxy, by column; a dash where it is not known."""
    mass, z = scored.log_mass, scored.z
    name = str(scored.plateifu[galaxy])
    return {
        "galaxy": dcc.Link(name, href=link("galaxy", name)),
        "score": number(scored.score(score)[galaxy]),
        "percentile": plain(scored.percentile_of(score)[galaxy], 1),
        "agn": scored.agn_words(galaxy),
        "causes": causes(scored.cause[galaxy]),
        "reason": str(scored.reason[galaxy]),
        "z": _UNKNOWN if z is None else plain(z[galaxy], 4),
        "mass": _UNKNOWN if mass is None else plain(mass[galaxy], 2),
    }


def number(value: float) -> str:
    """A score for readers."""
    return f"{value:{SCORE_FORMAT}}".replace("-", "\N{MINUS SIGN}") if np.isfinite(value) else _UNKNOWN


def _caption(scored: ScoredGalaxies) -> list[Component]:
    words = (
        "M* is the stellar mass of all baxels together, from their fits (H0 = 70 km/s/Mpc): the part within the field."
    )
    return [] if scored.log_mass is None else [html.Caption(words)]


def _lacks(scored: ScoredGalaxies, column: str) -> bool:
    parts = {"agn": scored.agn, "z": scored.z, "mass": scored.log_mass}
    return column in parts and parts[column] is None


def _head(name: str, choice: RowChoice, address: Address) -> html.Th:
    """A head that is a link; the one that orders the rows turns their order around."""
    title, sort = _HEADS[name]
    style = "number" if name in _NUMBERS else ""
    if not sort:
        return html.Th(title, className=style)
    if sort != choice.sort:
        order, arrow, state = natural_order(sort), "", "none"
    else:
        order, arrow = ORDERS[1 if choice.falling else 0], " ▼" if choice.falling else " ▲"
        state = "descending" if choice.falling else "ascending"
    there = address.changed(sort=sort, order=order, page=None)
    return html.Th(dcc.Link(title + arrow, href=there.path + there.search), className=style, **{"aria-sort": state})


def _row(
    scored: ScoredGalaxies, galaxy: int, columns: list[str], score: str, selected: str, address: Address
) -> html.Tr:
    cells = galaxy_cells(scored, galaxy, score)
    name = str(scored.plateifu[galaxy])
    marked = address.changed(galaxy=name)
    shows = html.Td("shown" if name == selected else dcc.Link("show", href=marked.path + marked.search))
    cell = [html.Td(cells[column], className="number" if column in _NUMBERS else "") for column in columns]
    return html.Tr([*cell, shows], **({"aria-selected": "true", "className": "selected"} if name == selected else {}))


def _steps(page: RowPage, address: Address) -> list[Component]:
    """Links to the first, the previous, the next and the last page; those that lead nowhere are left out."""
    steps = {"first": 0, "previous": page.page - 1, "next": page.page + 1, "last": page.n_page - 1}
    found = {name: k for name, k in steps.items() if 0 <= k < page.n_page and k != page.page}
    places = {name: address.changed(page=k) for name, k in found.items()}
    return [dcc.Link(name, href=there.path + there.search) for name, there in places.items()]
