"""Words, numbers and units as readers of figures, tables and pages meet them."""

import numpy as np

from mangrove.codes import Code

KMS = "km s$^{-1}$"
#: Unit of the line fluxes.
FLUX_UNIT = r"$10^{-17}$ erg s$^{-1}$ cm$^{-2}$"
#: Titles of the kinematics of stars and gas, by their names in the artefact 'fit'.
KINEMATICS_TITLE = {
    "v_star": r"stellar velocity $V_*$",
    "sigma_star": r"stellar dispersion $\sigma_*$",
    "v_gas": r"gas velocity $V_\mathrm{gas}$",
    "sigma_gas": r"gas dispersion $\sigma_\mathrm{gas}$",
}
#: What stands in the place of a value that is not known, or not to be shown.
UNKNOWN = "\N{EN DASH}"


def counted(n: int, one: str, many: str = "") -> str:
    """A number with its noun, whose plural ends in s or is given."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def in_words(code: Code) -> str:
    """The name of a status, class or flag for readers."""
    return code.word.replace("_", " ")


def signed(value: float, digits: int) -> str:
    """A number with its sign, a minus as long as a plus."""
    # What rounds to zero has no minus.
    return f"{round(float(value), digits) + 0.0:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def plain(value: float, digits: int) -> str:
    """A number with a minus as long as a plus; a dash if it is not known."""
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}") if np.isfinite(value) else UNKNOWN


def sign_apart(value: float) -> str:
    """A whole number to add, with a blank after its sign: what is subtracted, on an axis."""
    text = signed(value, 0)
    return f"{text[0]} {text[1:]}"


def with_error(value: float, error: float) -> str:
    """A value and its error to two digits of the error; a dash without a value."""
    if not np.isfinite(value):
        return UNKNOWN
    if not (np.isfinite(error) and error > 0):
        return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
    digits = int(np.clip(1 - np.floor(np.log10(error)), 0, 4))
    return f"{value:.{digits}f} ± {error:.{digits}f}".replace("-", "\N{MINUS SIGN}")
