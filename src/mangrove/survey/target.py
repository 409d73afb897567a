"""What the steps of one galaxy take from its row of the sample sheet."""

from dataclasses import dataclass

#: Missing numbers in sample sheets, as in the NSA columns of drpall.
MISSING = -9999.0
PLATEIFU = r"[0-9]{4,5}-[0-9]{3,5}"


@dataclass(frozen=True)
class Target:
    """The galaxy of a cube. Missing numbers are -9999.

    Attributes
    ----------
    plateifu : str
        PLATE-IFUDESIGN; any name of letters, digits and ``_.+-`` where the source is 'files'.
    mangaid : str
        MaNGA identifier of the galaxy; repeat observations share it.
    z : float
        Redshift, the zero of velocities.
    ebv : float
        Galactic E(B-V), mag.
    ra, dec : float
        Centre of the object, deg; a single spectrum may lack it.
    r_e : float
        Effective radius along the major axis, arcsec, above 0.
    pa : float
        Position angle, deg east of north.
    ba : float
        Axis ratio, in (0, 1].
    """

    plateifu: str
    mangaid: str
    z: float
    ebv: float
    ra: float
    dec: float
    r_e: float = MISSING
    pa: float = MISSING
    ba: float = MISSING
