"""Tables as the commands print them."""

from collections.abc import Mapping

import numpy as np
from astropy.table import Table
from rich import box
from rich.console import Console
from rich.table import Table as PrintedTable


def print_table(table: Table, title: str, formats: Mapping[str, str]) -> None:
    """Print a table: numbers to the right, text to the left, nothing for what is not known.

    Parameters
    ----------
    table : Table
        Its columns are printed in their order.
    title : str
    formats : mapping of str to str
        Format of the numbers of a column, ``.3g`` for those that are not named.
    """
    printed = PrintedTable(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for name in table.colnames:
        text = table[name].dtype.kind == "U"
        printed.add_column(name, justify="left" if text else "right", no_wrap=not text)
    for row in table:
        printed.add_row(*(_cell(row[name], formats.get(name, ".3g")) for name in table.colnames))
    Console(highlight=False, markup=False).print(printed)


def _cell(value, form: str) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, np.integer):
        return str(int(value))
    return format(float(value), form) if np.isfinite(value) else ""
