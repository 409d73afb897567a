"""Labels of the report's figures, which hold mathematics for Matplotlib, as the HTML that Plotly and pages show."""

import re
from itertools import zip_longest

from dash import html
from dash.development.base_component import Component

_SYMBOLS = {
    r"\odot": "☉",
    r"\Sigma": "Σ",
    r"\sigma": "σ",
    r"\alpha": "α",
    r"\beta": "β",
    r"\gamma": "γ",
    r"\delta": "δ",
}
# "eta" ends other names, which come first.
_SYMBOLS |= {r"\epsilon": "ε", r"\zeta": "ζ", r"\theta": "θ", r"\eta": "η", r"\mathrm": "", "-": "−"}
_TAGS = {"_": "sub", "^": "sup"}


def as_html(label: str) -> str:
    """A label with its mathematics in tags: ``r'log $M/L_r$'`` becomes ``'log M/L<sub>r</sub>'``.

    Of Matplotlib's mathematics, what the labels here are written in: indices and powers, ``\\mathrm``, Greek letters.
    Text outside of dollars stays as it is.
    """
    return "".join(_mathematics(part) if k % 2 else part for k, part in enumerate(label.split("$")))


def as_components(label: str) -> list[str | Component]:
    """The same as parts of a page."""
    parts = re.split(r"<(su[bp])>(.*?)</su[bp]>", as_html(label))
    raised = [{"sub": html.Sub, "sup": html.Sup}[tag](text) for tag, text in zip(parts[1::3], parts[2::3], strict=True)]
    return [part for pair in zip_longest(parts[::3], raised) for part in pair if part]


def _mathematics(text: str) -> str:
    for command, symbol in _SYMBOLS.items():
        text = text.replace(command, symbol)
    text = re.sub(r"([_^])(?:\{([^{}]*)\}|(.))", _raised, text)
    return re.sub(r"[{}]", "", text)


def _raised(found: re.Match) -> str:
    tag = _TAGS[found[1]]
    return f"<{tag}>{found[2] or found[3]}</{tag}>"
