"""One galaxy of a sample: what its row says, and what no galaxy can be."""

import math
import re
from dataclasses import dataclass, fields

from mangrove.errors import SampleError
from mangrove.survey.target import MISSING, PLATEIFU, Target

#: Words in place of a name, a class or a number that is not known.
UNKNOWN_WORDS = frozenset(
    {"", "-", "--", "?", "nan", "none", "null", "n/a", "na", "nodata", "masked", "unknown", "-1", "-9999"}
)
#: Repeat observations of an object lie this near to each other, arcsec; the farthest of DR17 are 39 apart.
SAME_OBJECT = 60.0
#: Columns that say whether a nucleus is active (Comerford et al. 2020).
AGN_FLAGS = ("agn_wise", "agn_bat", "agn_radio", "agn_broad")
GALAXY_NAME = r"[A-Za-z0-9][A-Za-z0-9_.+-]*"


@dataclass(frozen=True)
class Galaxy(Target):
    """One row of a sample sheet: the target (:class:`mangrove.survey.target.Target`) and what catalogues say of it.

    Attributes
    ----------
    sersic_n, sersic_ba, log_mass : float
        Sersic index and axis ratio, log10 of stellar mass over M_sun (catalogue, H0 = 70).
    esweight : float
        Volume weight of the primary, secondary and colour-enhanced samples together (Wake et al. 2017).
    desom, convlstm : int
        Whether the galaxy belongs to the sample of that system (1) or not (0).
    agn_wise, agn_bat, agn_radio, agn_broad : int
        Active nucleus by infrared, X-ray, radio, broad lines (Comerford et al. 2020): 1, 0, or -1 for unknown.
    radio_class : str
        Class of a radio AGN in that catalogue.
    morphology : str
        Hubble type by eye; empty for unknown.
    drpver : str
        Version of the data reduction pipeline that the row belongs to; empty for any.
    path : str
        File of the cube below ``survey.base``, where the source is 'files'.
    spectrum : int
        Row of a file of single spectra; -1 for a cube.
    """

    sersic_n: float = MISSING
    sersic_ba: float = MISSING
    log_mass: float = MISSING
    esweight: float = MISSING
    desom: int = 1
    convlstm: int = 1
    agn_wise: int = -1
    agn_bat: int = -1
    agn_radio: int = -1
    agn_broad: int = -1
    radio_class: str = ""
    morphology: str = ""
    drpver: str = ""
    path: str = ""
    spectrum: int = -1

    @property
    def agn(self) -> bool:
        """Whether any of the four flags says so."""
        return any(getattr(self, flag) == 1 for flag in AGN_FLAGS)


_COLUMNS = {f.name: f for f in fields(Galaxy)}
#: Largest values of what is above 0 where it is known.
_LARGEST = {"r_e": math.inf, "ba": 1.0}
#: Values of the columns that are flags.
_FLAGS = dict.fromkeys(("desom", "convlstm"), (0, 1))
_FLAGS |= dict.fromkeys(AGN_FLAGS, (0, 1, -1))


def check_galaxy(galaxy: Galaxy, where: str, any_name: bool = True) -> None:
    """Refuse a malformed name and numbers that no galaxy has.

    Parameters
    ----------
    galaxy : Galaxy
    where : str
        Beginning of the error's text.
    any_name : bool
        Whether it may have another name than a plateifu.

    Raises
    ------
    SampleError
        If something is wrong; the text says what is allowed.
    """
    if not re.fullmatch(GALAXY_NAME if any_name else PLATEIFU, galaxy.plateifu):
        example = "a name of letters, digits and _.+-" if any_name else "PLATE-IFUDESIGN, for example 8485-1901"
        raise SampleError(f"{where}: plateifu '{galaxy.plateifu}' is malformed; it must be {example}.")
    if galaxy.mangaid.lower() in UNKNOWN_WORDS | {"0"}:
        raise SampleError(
            f"{where}: mangaid of {galaxy.plateifu} is '{galaxy.mangaid}'. It identifies the galaxy (repeat observations share "
            "one): give each galaxy its own. Without a MaNGA identifier, use the plateifu."
        )
    if not 0 < galaxy.z < 1:
        raise SampleError(
            f"{where}: z of {galaxy.plateifu} is {galaxy.z:g}; it must be between 0 and 1. Delete the row."
        )
    if not 0 <= galaxy.ebv < 10:
        raise SampleError(f"{where}: ebv of {galaxy.plateifu} is {galaxy.ebv:g}; it must be between 0 and 10 mag.")
    nowhere = galaxy.spectrum >= 0 and galaxy.ra == galaxy.dec == MISSING
    if not nowhere and not (0 <= galaxy.ra <= 360 and -90 <= galaxy.dec <= 90):
        raise SampleError(
            f"{where}: ra, dec of {galaxy.plateifu} are {galaxy.ra:g}, {galaxy.dec:g}; they must be degrees, "
            f"0 to 360 and -90 to 90 (for a single spectrum also both {MISSING:g}, for unknown)."
        )
    odd = [c for c, f in _COLUMNS.items() if f.type is float and not math.isfinite(getattr(galaxy, c))]
    if odd:
        raise SampleError(
            f"{where}: {', '.join(odd)} of {galaxy.plateifu} must be finite; write {MISSING:g} for missing."
        )
    for column, allowed in _FLAGS.items():
        if getattr(galaxy, column) not in allowed:
            words = "1, 0, or -1 for unknown" if -1 in allowed else "1 or 0"
            raise SampleError(
                f"{where}: {column} of {galaxy.plateifu} is {getattr(galaxy, column)}; it must be {words}."
            )
    for column in _LARGEST:
        if not possible(column, value := getattr(galaxy, column)):
            allowed = "above 0" if column == "r_e" else "above 0 and at most 1"
            raise SampleError(
                f"{where}: {column} of {galaxy.plateifu} is {value:g}; it must be {allowed}, or {MISSING:g} for missing."
            )


def possible(column: str, value: float) -> bool:
    """Whether a galaxy can have this value: missing, or an effective radius above 0, an axis ratio in (0, 1]."""
    return value == MISSING or column not in _LARGEST or 0 < value <= _LARGEST[column]


def angular_distance(one: Galaxy, other: Galaxy) -> float:
    """Distance of two objects on the sky, arcsec; 0 where a position is missing."""
    if MISSING in (one.ra, one.dec, other.ra, other.dec):
        return 0.0
    dec, dec_2, d_ra = map(math.radians, (one.dec, other.dec, other.ra - one.ra))
    haversine = math.sin((dec_2 - dec) / 2) ** 2 + math.cos(dec) * math.cos(dec_2) * math.sin(d_ra / 2) ** 2
    return 3600 * math.degrees(2 * math.asin(min(1.0, math.sqrt(haversine))))
