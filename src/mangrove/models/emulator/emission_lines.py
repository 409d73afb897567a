"""The lines of the emulator, and the lines of the fit that each is made of."""

from collections.abc import Mapping
from types import MappingProxyType

from mangrove.physics.lines import fit_lines

#: Lines of the emulator by the lines of the fit (resources/lines.ecsv) whose EW add up to theirs, with the share of
#: each in the flux where nothing else is known: [OII] as at low density.
PARTS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {"OII_3728": {"OII_3727": 1 / 2.35, "OII_3730": 1.35 / 2.35}}
    | {
        name: {name: 1.0}
        for name in (
            "Hgamma_4342",
            "Hbeta_4863",
            "OIII_4960",
            "OIII_5008",
            "NII_6550",
            "Halpha_6565",
            "NII_6585",
            "SII_6718",
            "SII_6733",
        )
    }
)
LINES = tuple(PARTS)


def rest_wave(fit_line: str) -> float:
    """Rest wavelength of a line of the fit, vacuum, Angstrom."""
    lines = fit_lines()
    return float(lines.wave[lines.index(fit_line)])
