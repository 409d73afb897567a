"""Hubble types as catalogues write them, in the classes of the maps of galaxies."""

import re

#: The classes, from early to late; what each takes in is in :func:`hubble_class`.
HUBBLE_CLASSES = ("E", "S0", "Sa", "Sb", "Sc", "Sd", "Irr")

_ASIDE = re.compile(r"\([^)]*\)|pec|[^A-Za-z0-9/-]", re.IGNORECASE)
_ELLIPTICAL = re.compile(r"[cd]?E[0-7]?[+-]?")
_LENTICULAR = re.compile(r"(E[/-])?S(A|B|AB)?0.*|[dE/-]+S0.*|[cd]?E[/-]S0.*")
_IRREGULAR = re.compile(r"d?(S(A|B|AB)?m|I(A|B|AB)?m?|Irr|I0)", re.IGNORECASE)
_SPIRAL = re.compile(r"S(A|B|AB)?([abcd])[abcdm]?([/-].*)?")


def hubble_class(text: str) -> str:
    """The class of a Hubble type; empty if it is unknown, names no stage (S) or is of another kind.

    Bars, rings, peculiarities and marks of doubt (``SB(rs)b?``) make no difference. S0 takes in S0a and E/S0, a spiral
    that stands between two stages goes with the earlier one (Sab with Sa, Sdm with Sd), and Irr takes in Magellanic
    types (Sm, Im). Case tells a bar from a stage: SAb is an Sb.
    """
    word = _ASIDE.sub("", text)
    if _ELLIPTICAL.fullmatch(word):
        return "E"
    if _LENTICULAR.fullmatch(word):
        return "S0"
    if _IRREGULAR.fullmatch(word):
        return "Irr"
    spiral = _SPIRAL.fullmatch(word)
    return f"S{spiral[2]}" if spiral else ""
