"""The celestial frame of a cube: whatever a header may state, as right ascension and declination (ICRS or FK5 J2000)."""

import warnings

import numpy as np
from astropy import units as u
from astropy.coordinates import FK5, ICRS, SkyCoord
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning, NoConvergence, NonseparableSubimageCoordinateSystemError, WcsError
from astropy.wcs.utils import wcs_to_celestial_frame

from mangrove.errors import CubeError
from mangrove.files.fits_stream import number
from mangrove.files.linear_cards import check_linear
from mangrove.files.units import with_standard_units

#: Largest difference of the sides of a spaxel, and of the cosine of their angle from 0.
_SQUARE = 0.01
#: Spaxels that a plain tangential frame may be off.
_DISTORTION = 0.05
#: Cards of distortions (SIP, lookup tables), which astropy knows in two dimensions only.
_DISTORTED = ("A_ORDER", "B_ORDER", "CPDIS1", "CPDIS2", "D2IMDIS1", "D2IMDIS2")
_RESAMPLE = "Resample the cube to a tangential projection (CTYPE1 'RA---TAN', CTYPE2 'DEC--TAN')."
_UNUSABLE = (
    ArithmeticError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    MemoryError,
    fits.VerifyError,
    WcsError,
    NoConvergence,
)


def spaxel_side(wcs: WCS) -> float:
    """Side of a square spaxel, arcsec, of a celestial frame."""
    return float(wcs.proj_plane_pixel_area().to_value("arcsec2") ** 0.5)


def celestial_frame(header: fits.Header) -> WCS:
    """The celestial frame of a cube's header: columns, rows to right ascension, declination (deg).

    A frame in right ascension and declination of J2000 (ICRS or FK5) stays as it is, with any projection and rotation.
    Another one (Galactic or ecliptic coordinates, B1950, declination before right ascension) becomes the tangential
    frame in ICRS that gives the same positions.

    Raises
    ------
    CubeError
        If there is none that can be used, its spaxels are not square, or no tangential frame fits.
    """
    check_undistorted(header)
    check_linear(header, (1, 2))
    # As text ('B1950') WCSLIB passes over it.
    number(header, "EQUINOX", 2000.0)
    try:
        with warnings.catch_warnings():
            # What astropy mends (RADECSYS, dates), it mends well.
            warnings.simplefilter("ignore", FITSFixedWarning)
            wcs = WCS(with_standard_units(header))
            usable = wcs.has_celestial and 0 < spaxel_side(wcs.celestial) < np.inf
            if usable:
                celestial = wcs.celestial
                frame = celestial if _is_equatorial(celestial) else _tangential(celestial, header)
    except NonseparableSubimageCoordinateSystemError as error:
        raise CubeError(
            "its sky and wavelength axes are coupled (CD3_1, CD1_3, PC3_1 or similar). Resample the cube."
        ) from error
    except _UNUSABLE as error:
        raise CubeError(f"its celestial frame (WCS) cannot be used ({type(error).__name__}: {error}).") from error
    if not usable:
        raise CubeError("it has no celestial frame (WCS: CTYPE, CRVAL, CRPIX, CD): the galaxy cannot be placed.")
    if {wcs.wcs.lng, wcs.wcs.lat} != {0, 1}:
        raise CubeError(
            f"its axes are {', '.join(wcs.wcs.ctype)} (CTYPE); the first two must be sky axes and the third the "
            "wavelength. Reorder the axes of the arrays, and their cards."
        )
    _check_square(frame)
    return frame


def check_undistorted(header: fits.Header) -> None:
    """Refuse frames with distortions, of which neither positions nor wavelengths can be told, with a CubeError."""
    if distorted := [key for key in _DISTORTED if key in header]:
        raise CubeError(f"its celestial frame is distorted ({distorted[0]}). {_RESAMPLE}")


def _is_equatorial(wcs: WCS) -> bool:
    """Whether the frame is right ascension, declination of J2000 in this order."""
    system = wcs_to_celestial_frame(wcs)
    j2000 = isinstance(system, ICRS) or (isinstance(system, FK5) and abs(system.equinox.jyear - 2000.0) < 0.01)
    return j2000 and (wcs.wcs.lng, wcs.wcs.lat) == (0, 1)


def _tangential(wcs: WCS, header: fits.Header) -> WCS:
    """The tangential frame in ICRS whose linear part fits the positions of the field's pixels."""
    n_x, n_y = (max(int(header.get(f"NAXIS{i}", 1)), 2) for i in (1, 2))
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(0, n_x - 1, 5), np.linspace(0, n_y - 1, 5)))
    middle = np.array([(n_x - 1) / 2.0, (n_y - 1) / 2.0])
    centre, sky = _icrs(wcs, *middle), _icrs(wcs, x, y)
    # Positions on the tangent plane, degrees, are linear in the pixels.
    east, north = (a.to_value(u.deg) for a in _on_plane(centre, sky))
    offsets = np.column_stack([x - middle[0], y - middle[1]])
    matrix = np.linalg.lstsq(offsets, np.column_stack([east, north]), rcond=None)[0].T
    rest = np.column_stack([east, north]) - offsets @ matrix.T
    side = abs(np.linalg.det(matrix)) ** 0.5
    if not np.abs(rest).max() < _DISTORTION * side:
        raise CubeError(
            f"its celestial frame differs from a tangential one by {np.abs(rest).max() / side:.2g} spaxels. {_RESAMPLE}"
        )
    frame = WCS(naxis=2)
    frame.wcs.ctype, frame.wcs.cunit, frame.wcs.radesys = ["RA---TAN", "DEC--TAN"], ["deg", "deg"], "ICRS"
    frame.wcs.crval, frame.wcs.crpix, frame.wcs.cd = [centre.ra.deg, centre.dec.deg], middle + 1.0, matrix
    frame.wcs.set()
    return frame


def _icrs(wcs: WCS, x, y) -> SkyCoord:
    """Positions of pixels, from 0."""
    world = wcs.all_pix2world(np.column_stack([np.ravel(x), np.ravel(y)]), 0)
    lon, lat = world[:, wcs.wcs.lng], world[:, wcs.wcs.lat]
    if not np.isfinite(world).all():
        raise CubeError("its celestial frame (WCS) gives no position for some of its spaxels.")
    sky = SkyCoord(lon, lat, unit="deg", frame=wcs_to_celestial_frame(wcs)).icrs
    return sky if np.ndim(x) else sky[0]


def _on_plane(centre: SkyCoord, sky: SkyCoord) -> tuple[u.Quantity, u.Quantity]:
    """Gnomonic projection about a centre, to the east and to the north (Calabretta & Greisen 2002, section 5.1.3)."""
    offset = sky.transform_to(centre.skyoffset_frame())
    lon, lat = offset.lon.rad, offset.lat.rad
    return np.tan(lon) * u.rad, np.tan(lat) / np.cos(lon) * u.rad


def _check_square(wcs: WCS) -> None:
    """Refuse spaxels that are no squares: areas and distances of spaxels take them for such."""
    matrix = wcs.pixel_scale_matrix
    sides = np.hypot(*matrix)
    cosine = abs(matrix[:, 0] @ matrix[:, 1]) / sides.prod()
    if abs(sides[0] / sides[1] - 1.0) > _SQUARE or cosine > _SQUARE:
        wide, high = sides * 3600.0
        raise CubeError(
            f"its spaxels are {wide:.4g} by {high:.4g} arcsec, with {np.degrees(np.arccos(cosine)):.0f} degrees between "
            "their sides (cards CD or PC and CDELT); they must be square. Resample the cube."
        )
