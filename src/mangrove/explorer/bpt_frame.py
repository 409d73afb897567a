"""The frame of a BPT diagram for Plotly: the curves that divide it, and its axes."""

import numpy as np
import plotly.graph_objects as go

from mangrove.codes import BptClass
from mangrove.explorer.mathtext import as_html
from mangrove.explorer.style import UNKNOWN
from mangrove.physics.bpt import KAUFFMANN_LIMIT, KEWLEY_LIMIT, bpt_class, kauffmann_2003, kewley_2001, schawinski_2007
from mangrove.report.line_names import HALPHA, HBETA, NII, OIII

#: What a diagram shows unless told otherwise, and where its curves run, dex.
_X, _Y = (-1.6, 0.6), (-1.3, 1.4)
_CURVES = (-2.6, 1.0)


def bpt_frame(kind: str = "", x_range: tuple[float, float] = _X, y_range: tuple[float, float] = _Y) -> go.Figure:
    """An empty BPT diagram; points are added to it.

    Parameters
    ----------
    kind : str
        What the ratios are of, where it is not fluxes ('EW').
    x_range, y_range : tuple of float
        What it shows, dex.
    """
    figure = go.Figure()
    for name, x, y, dash in _curves():
        line = {"color": UNKNOWN, "width": 1.5, "dash": dash}
        figure.add_scatter(x=x, y=y, mode="lines", line=line, name=name, hoverinfo="name")
    of = f"{kind} " if kind else ""
    figure.update_xaxes(title=as_html(f"log {of}({NII} / {HALPHA})"), range=x_range)
    figure.update_yaxes(title=as_html(f"log {of}({OIII} / {HBETA})"), range=y_range)
    return figure


def _curves() -> list[tuple[str, np.ndarray, np.ndarray, str]]:
    """Names, points and dashes of the curves; Seyferts and LINERs are told apart beyond the maximum starburst alone."""
    # Just below the limits, where the curves fall without end.
    star_forming = np.linspace(_CURVES[0], KAUFFMANN_LIMIT - 0.02, 300)
    starburst = np.linspace(_CURVES[0], KEWLEY_LIMIT - 0.02, 300)
    beyond = np.linspace(*_CURVES, 300)
    divides = bpt_class(beyond, schawinski_2007(beyond) + 1e-6) == BptClass.SEYFERT
    return [
        ("Kauffmann+ 2003", star_forming, kauffmann_2003(star_forming), "dash"),
        ("Kewley+ 2001", starburst, kewley_2001(starburst), "solid"),
        ("Schawinski+ 2007", beyond[divides], schawinski_2007(beyond[divides]), "dot"),
    ]
