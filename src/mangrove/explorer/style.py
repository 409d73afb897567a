"""Colours of the explorer's figures: for the colour-blind, and for a light and a dark page alike.

Text and grid follow the page (assets/explorer.css overrides their colours); a figure that is saved has those given here.
"""

import plotly.graph_objects as go
import plotly.io as pio

#: Okabe & Ito (2008, Color Universal Design): told apart by readers of all colour vision.
CATEGORIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
SEQUENTIAL = "Viridis"
#: What a value that is not known is drawn in.
UNKNOWN = "#9a9a9a"
INK = "#33373d"

TEMPLATE = go.layout.Template(
    layout={
        "colorway": CATEGORIES,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
        "margin": {"l": 60, "r": 20, "t": 20, "b": 50},
        "colorscale": {"sequential": "Viridis", "diverging": "RdBu"},
        "xaxis": {"gridcolor": "#d7dade", "zeroline": False, "automargin": True},
        "yaxis": {"gridcolor": "#d7dade", "zeroline": False, "automargin": True},
        "hoverlabel": {"font": {"family": "system-ui, sans-serif"}},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    }
)
# That of every figure, also of one that a callback draws alone; set one by one it is checked and copied each time.
pio.templates["mangrove"] = TEMPLATE
pio.templates.default = "mangrove"
