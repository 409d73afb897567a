"""Tables that leave the explorer: what is selected in a figure, as CSV or FITS, made in memory."""

import io
import warnings
from collections.abc import Callable

from astropy.table import Column, QTable, Table
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from mangrove.errors import MangroveError
from mangrove.export.columns import fits_unit
from mangrove.report.wording import counted

_NOTHING = "Nothing is selected: draw around points with the lasso or the box of the figure first."


def buttons(id: str, what: str = "selection") -> html.Div:
    """Buttons that download a table as CSV or FITS; :func:`register_download` says which.

    Parameters
    ----------
    id : str
        Id of the download, unique in the explorer ('anomalies-selection'); also the name of its files.
    what : str
        What is downloaded, as the buttons name it.
    """
    saves: list[Component] = [
        html.Button(f"{what} as {kind.upper()}", id=f"{id}-{kind}", n_clicks=0) for kind in ("csv", "fits")
    ]
    return html.Div(
        [*saves, html.Span(id=f"{id}-said", role="status"), dcc.Download(id=f"{id}-file")], className="saves"
    )


def register_download(app: Dash, id: str, table_of: Callable[..., Table | None], *states: State) -> None:
    """Have the buttons of :func:`buttons` download a table.

    Parameters
    ----------
    id : str
        As given to :func:`buttons`.
    table_of : callable
        ``table_of(*values of the states)``: the table, with units; None or no rows where nothing is selected, about which
        people are told. What a :class:`~mangrove.errors.MangroveError` says, they are told as well.
    states : dash.State
        For a lasso, ``State('anomalies-cloud', 'selectedData')``, and what else the table depends on.
    """

    @app.callback(
        Output(f"{id}-file", "data"),
        Output(f"{id}-said", "children"),
        Input(f"{id}-csv", "n_clicks"),
        Input(f"{id}-fits", "n_clicks"),
        *states,
        prevent_initial_call=True,
    )
    def download(csv_clicks: int, fits_clicks: int, *values):
        # Buttons that come with a new page also count as changed.
        if not (csv_clicks or fits_clicks):
            return no_update, no_update
        kind = "fits" if ctx.triggered_id == f"{id}-fits" else "csv"
        try:
            table = table_of(*values)
        except MangroveError as error:
            return no_update, str(error)
        if table is None or len(table) == 0:
            return no_update, _NOTHING
        content = fits_bytes(table) if kind == "fits" else csv_text(table).encode()
        said = f"{id}.{kind}: {counted(len(table), 'row')}"
        return dcc.send_bytes(lambda buffer: buffer.write(content), f"{id}.{kind}"), said


def measured(values, unit: str) -> Column:
    """Values, shape (n,), with a unit as the artefacts write it ('km s-1', 'dex(yr)', '1' for none), for a table."""
    return Column(values, unit=fits_unit(unit) or None)


def csv_text(table: Table) -> str:
    """A table as CSV: one line of names, each with its unit in brackets ('log_age_lw [dex(yr)]'), then the rows."""
    named = table.copy(copy_data=False)
    for name in table.colnames:
        unit = table[name].unit
        if unit is not None and str(unit):
            named.rename_column(name, f"{name} [{unit}]")
    written = io.StringIO()
    named.write(written, format="ascii.csv")
    return written.getvalue()


def fits_bytes(table: Table) -> bytes:
    """A table as a FITS file; astropy reads all of its units back, other programs those that FITS has a word for."""
    written = io.BytesIO()
    with warnings.catch_warnings():
        # It warns that other programs than astropy will not find the units of logarithms.
        warnings.filterwarnings("ignore", message="The unit 'dex")
        QTable(table).write(written, format="fits")
    return written.getvalue()
