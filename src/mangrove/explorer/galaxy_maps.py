"""Quantities of a galaxy's baxels as maps: what can be shown, its values, colours and words."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mangrove.codes import Bits, BptClass
from mangrove.data_model import LABEL, LABELS
from mangrove.explorer.galaxy_data import SeenGalaxy
from mangrove.explorer.mathtext import as_html
from mangrove.explorer.style import CATEGORIES, UNKNOWN
from mangrove.notebook.label_rows import MAPPED, MAPPED_OF_LINES
from mangrove.physics.lines import fit_lines
from mangrove.report.label_style import BPT_COLOURS, BPT_NAMES, STYLE, bpt_limits, has_gas, shown_limits
from mangrove.report.limits import robust_limits
from mangrove.report.wording import KINEMATICS_TITLE, in_words

#: What a page shows first.
FIRST_QUANTITY, FIRST_LINE = "line_flux", "Halpha_6565"
_SEQUENTIAL, _DIVERGING = "Viridis", "RdBu_r"
#: Smallest half width of the colours of a velocity, km/s.
_MIN_HALF_V = 10.0


class ShownMap(NamedTuple):
    """A quantity of the baxels as a map shows it.

    Attributes
    ----------
    values : ndarray, shape (n_baxel,)
        NaN where unknown; of codes the place in ``words``.
    title, unit : str
        With HTML.
    colours : str or list
        A scale of Plotly: its name, or pairs of place and colour.
    limits : tuple of float
    words : tuple of str
        Names of codes, and of states of flags; empty for a number.
    texts : sequence of str, shape (n_baxel,), or None
        What a baxel says under the pointer instead of its value.
    """

    values: np.ndarray
    title: str
    unit: str
    colours: str | list
    limits: tuple[float, float]
    words: tuple[str, ...] = ()
    texts: Sequence[str] | None = None


def quantity_titles() -> dict[str, str]:
    """What a map can show, and how a menu names it: first quantities of lines, then of baxels, as ``Run.map`` takes them."""
    return {name: LABELS.fields[name].meaning if name not in _SHORT else _SHORT[name] for name in (*_ORDER, *_rest())}


def line_titles(seen: SeenGalaxy) -> dict[str, str]:
    """The emission lines of the run by name, and how a menu names them."""
    names = seen.lines["line"].tolist() if seen.lines else []
    known = dict(zip(fit_lines().name, fit_lines().label, strict=True))
    return {name: known.get(name, name) for name in names}


def shown_map(seen: SeenGalaxy, quantity: str, line: str) -> ShownMap:
    """A quantity of the galaxy's baxels; ``line`` counts for those of lines alone.

    The values are those of :meth:`mangrove.notebook.runs.Run.map`, flagged ones included.
    """
    field, rows = LABELS.fields[quantity], seen.rows
    of_line = quantity in MAPPED_OF_LINES
    values = rows[quantity][:, rows["line"].tolist().index(line)] if of_line else rows[quantity]
    title = f"{line_titles(seen)[line]}: {quantity_titles()[quantity]}" if of_line else quantity_titles()[quantity]
    if field.codes is not None:
        return _of_flags(values, title) if issubclass(field.codes, Bits) else _of_codes(values, title, field.codes)
    if quantity in LABEL and quantity in STYLE:
        style = STYLE[quantity]
        limits = bpt_limits(values) if quantity == "d_bpt" else shown_limits(rows, quantity)
        scale = _DIVERGING if quantity == "d_bpt" else _SEQUENTIAL
        return ShownMap(values.astype(float), style.title, as_html(style.axis), scale, limits)
    unit = "" if field.unit == "1" else as_unit(field.unit)
    return ShownMap(values.astype(float), title, unit, _SEQUENTIAL, robust_limits(values))


def kinematic_maps(seen: SeenGalaxy) -> dict[str, ShownMap]:
    """Velocity and dispersion of stars and gas by name; those of gas where a line is detected.

    Velocities share one scale about the median of the stars, which is the middle of the colours and not subtracted.
    """
    rows = seen.rows
    gas = has_gas(rows)
    shown = {
        name: np.where(gas, rows[name], np.nan) if name.endswith("gas") else rows[name] for name in KINEMATICS_TITLE
    }
    stars = shown["v_star"][np.isfinite(shown["v_star"])]
    middle = float(np.median(stars)) if stars.size else 0.0
    away = np.abs(np.concatenate([shown["v_star"], shown["v_gas"]]) - middle)
    half = max(robust_limits(away, high=97.0)[1], _MIN_HALF_V)
    return {
        name: ShownMap(
            values.astype(float),
            as_html(KINEMATICS_TITLE[name]),
            "km s<sup>−1</sup>",
            _DIVERGING if name.startswith("v_") else "Inferno",
            (middle - half, middle + half) if name.startswith("v_") else robust_limits(values),
        )
        for name, values in shown.items()
    }


def bpt_map(seen: SeenGalaxy) -> ShownMap:
    """Class of the baxels in the BPT diagram where all four lines have S/N above 2."""
    kind = seen.rows["bpt_class"]
    present = [code for code in BptClass if code != BptClass.NONE and np.any(kind == code)]
    return _categories(kind, "BPT class", [(code, BPT_NAMES[code], BPT_COLOURS[code]) for code in present])


def as_unit(unit: str) -> str:
    """A unit of the data model with its powers raised: 'km s-1' becomes 'km s<sup>−1</sup>'."""
    parts = [part.rpartition("-") for part in unit.split()]
    raised = [
        f"{head}<sup>−{tail}</sup>" if head and tail.isdigit() else head + sep + tail for head, sep, tail in parts
    ]
    return " ".join(raised).replace("1e<sup>−17</sup>", "10<sup>−17</sup>").replace("Angstrom", "Å")


#: The quantities that are looked at most, first.
_ORDER = ("line_flux", "line_ew", *STYLE, *KINEMATICS_TITLE)
_SHORT = {
    "line_flux": "flux of a line",
    "line_ew": "equivalent width of a line",
    **{name: style.title for name, style in STYLE.items()},
    **{name: as_html(title) for name, title in KINEMATICS_TITLE.items()},
}


def _rest() -> list[str]:
    return [name for name in (*MAPPED, *MAPPED_OF_LINES) if name not in _ORDER]


def _of_codes(values: np.ndarray, title: str, codes) -> ShownMap:
    present = [code for code in codes if np.any(values == code)]
    colours = [CATEGORIES[k % len(CATEGORIES)] for k in range(len(present))]
    return _categories(
        values, title, [(code, in_words(code), colour) for code, colour in zip(present, colours, strict=True)]
    )


def _categories(values: np.ndarray, title: str, kinds: list[tuple[int, str, str]]) -> ShownMap:
    """A map of codes: number, name and colour of each that there is."""
    places = np.full(values.shape, np.nan)
    for place, (code, _, _) in enumerate(kinds):
        places[values == code] = place
    n = max(len(kinds), 1)
    steps = [[(k + side) / n, colour] for k, (_, _, colour) in enumerate(kinds) for side in (0, 1)]
    words = tuple(f"{name} ({int(np.sum(values == code))})" for code, name, _ in kinds)
    scale = steps or [[0, UNKNOWN], [1, UNKNOWN]]
    known = {code: name for code, name, _ in kinds}
    return ShownMap(
        places, title, "", scale, (-0.5, n - 0.5), words, [known.get(code, "none") for code in values.tolist()]
    )


def _of_flags(values: np.ndarray, title: str) -> ShownMap:
    kind = LABELS.fields["line_flag"].codes
    shown = _categories(
        (values != 0).astype(int), title, [(0, "no flag", CATEGORIES[0]), (1, "flagged", CATEGORIES[5])]
    )
    return shown._replace(texts=[kind(int(bits)).words.replace("_", " ") or "no flag" for bits in values])
