"""Tables of a few hundred rows as one component of a page."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from dash import dcc
from dash.development.base_component import Component

from mangrove.explorer.mathtext import as_html


class Linked(NamedTuple):
    """A cell that leads to a page: its text, and the address."""

    text: str
    href: str


class AxisLabel(NamedTuple):
    """A cell with a label of the report's figures, which may hold mathematics."""

    label: str


def text_table(heads: Sequence[str], rows: Sequence[Sequence[str | Linked | AxisLabel]], n_text: int) -> Component:
    """A table of text that scrolls; all but the first ``n_text`` columns are numbers.

    It is one component, as text: Dash takes seconds to draw a few hundred rows of which every cell is one.
    """
    classes = ["" if k < n_text else ' class="number"' for k in range(len(heads))]
    head = "".join(f'<th scope="col"{kind}>{_escaped(name)}</th>' for name, kind in zip(heads, classes, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{_cell(value)}</td>' for value, kind in zip(row, classes, strict=True))}</tr>"
        for row in rows
    )
    text = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return dcc.Markdown(text, dangerously_allow_html=True, className="scroll")


def _cell(value: str | Linked | AxisLabel) -> str:
    if isinstance(value, str):
        return _escaped(value)
    if isinstance(value, AxisLabel):
        return as_html(value.label)
    return f'<dccLink href="{_escaped(value.href)}">{_escaped(value.text)}</dccLink>'


def _escaped(text: str) -> str:
    """Text that is only text, also where the browser would take what stands in braces for a program."""
    return escape(text).replace("{", "&#123;").replace("}", "&#125;")
