"""The lines of the emulator, and the lines of the fit that each is made of."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from mangrove.physics.lines import fit_lines

#: Lines of the emulator by the lines of the fit (resources/lines.ecsv) whose EW add up to theirs, with the share of
#: each in the flux where nothing else is known: [OII] as at low density.
PARTS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "OII_3728": {"OII-3727": 1 / 2.35, "OII-3730": 1.35 / 2.35},
        "Hgamma": {"Hgamma-4342": 1.0},
        "Hbeta": {"Hbeta-4863": 1.0},
        "OIII_4960": {"OIII-4960": 1.0},
        "OIII_5008": {"OIII-5008": 1.0},
        "NII_6550": {"NII-6550": 1.0},
        "Halpha": {"Halpha-6565": 1.0},
        "NII_6585": {"NII-6585": 1.0},
        "SII_6718": {"SII-6718": 1.0},
        "SII_6733": {"SII-6733": 1.0},
    }
)
LINES = tuple(PARTS)
#: Names in artefacts: those of the fit's lines (Halpha_6565), where a line is one of these.
LABELS = {n: next(iter(parts)).replace("-", "_") if len(parts) == 1 else n for n, parts in PARTS.items()}
_NAMES = {label: name for name, label in LABELS.items()}


def labels_of(lines: Iterable[str]) -> list[str]:
    """Names of the emulator's lines (Halpha) as artefacts have them (Halpha_6565)."""
    return [LABELS.get(line, line) for line in lines]


def lines_of(labels: Iterable[str]) -> tuple[str, ...]:
    """The emulator's lines from their names in an artefact."""
    return tuple(_NAMES.get(str(label), str(label)) for label in labels)


def rest_wave(fit_line: str) -> float:
    """Rest wavelength of a line of the fit, vacuum, Angstrom."""
    lines = fit_lines()
    return float(lines.wave[lines.index(fit_line)])
