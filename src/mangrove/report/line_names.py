"""Names of emission lines as figures write them: Greek letters in TeX, ions with their Roman numeral apart."""

import re

_GREEK = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
_LETTERS = dict(zip("αβγδεζηθ", _GREEK, strict=True))
_BALMER = re.compile(r"^H(alpha|beta|gamma|delta|epsilon|zeta|eta|theta)(?![a-z])")
_FORBIDDEN = re.compile(r"^(OI|OII|OIII|NII|NeIII|SII|SIII|ArIII)_(\d+)$")
_ION = re.compile(r"\b(O|N|Ne|S|Ar|He)(I{1,3})\b")


def tex(label: str) -> str:
    """A label of the line list for a figure: 'Hα' as 'H$\\alpha$', '[OIII] 5008' as '[O III] 5008'."""
    for letter, word in _LETTERS.items():
        label = label.replace(letter, rf"$\{word}$")
    return _ION.sub(r"\1 \2", label)


def line_title(name: str) -> str:
    """Title of a line by its name in a table: H$\\alpha$ of 'Halpha_6565', [O III] 5008 of 'OIII_5008'.

    A name of another form stays as it is, its underscores as blanks.
    """
    balmer, forbidden = _BALMER.match(name), _FORBIDDEN.match(name)
    if balmer:
        return rf"H$\{balmer[1]}$"
    if forbidden:
        return tex(f"[{forbidden[1]}] {forbidden[2]}")
    return tex(name.replace("_", " "))


HALPHA, HBETA, OIII, NII = map(line_title, ("Halpha_6565", "Hbeta_4863", "OIII_5008", "NII_6585"))
