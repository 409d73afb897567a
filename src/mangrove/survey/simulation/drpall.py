"""Write the summary catalogue (drpall) of simulated galaxies."""

import numpy as np
from astropy.io import fits

from mangrove.survey.releases import release as find_release
from mangrove.survey.releases import split_plateifu
from mangrove.survey.simulation.fits_writing import CHECKSUM_NOTE, as_table
from mangrove.survey.simulation.galaxies import SimulatedGalaxy, ifu_position
from mangrove.whole_files import whole_file

_MISSING = -9999.0


def write_drpall(path, galaxies: list[SimulatedGalaxy], release: str) -> None:
    """Write the summary catalogue.

    Beside the galaxies it lists what a selection must leave out: a galaxy without a redshift, an ancillary
    target, and stars of the library programme (in DR17 in their own table). None of them has a cube.
    """
    version = find_release(release).drpver
    rows = [_drpall_row(galaxy, version) for galaxy in galaxies] + _rejected_rows(version)
    stars = _star_rows(version)
    contents = {"": rows + stars} if release == "dr15" else {"MANGA": rows, "MASTAR": stars}
    tables = [_table(table_rows, name) for name, table_rows in contents.items()]
    hdus = [fits.PrimaryHDU(), *tables]
    hdus[0].header["VERSDRP3"] = version
    for hdu in hdus:
        hdu.add_checksum(when=CHECKSUM_NOTE)
    with whole_file(path) as part:
        fits.HDUList(hdus).writeto(part)


def _drpall_row(galaxy: SimulatedGalaxy, version: str) -> dict:
    plate, ifu = split_plateifu(galaxy.plateifu)
    ifu_ra, ifu_dec = ifu_position(galaxy)
    return {
        "plate": plate,
        "ifudsgn": str(ifu),
        "plateifu": galaxy.plateifu,
        "mangaid": galaxy.mangaid,
        "versdrp2": version,
        "versdrp3": version,
        "objra": galaxy.ra,
        "objdec": galaxy.dec,
        "ifura": ifu_ra,
        "ifudec": ifu_dec,
        "ebvgal": galaxy.ebv_galactic,
        "drp3qual": galaxy.drp3qual,
        "mngtarg1": 1 << 10,
        "mngtarg2": 0,
        "mngtarg3": 0,
        "z": galaxy.redshift,
        "nsa_z": galaxy.redshift,
        "nsa_zdist": galaxy.redshift,
        "nsa_elpetro_th50_r": galaxy.effective_radius,
        "nsa_elpetro_phi": galaxy.position_angle,
        "nsa_elpetro_ba": np.cos(np.deg2rad(galaxy.inclination)),
        "nsa_sersic_n": 1.0 + 4.0 * galaxy.bulge_fraction,
        "nsa_sersic_ba": np.cos(np.deg2rad(galaxy.inclination)),
        # M_sun / h^2, as in the NASA-Sloan Atlas, for H0 = 70 km/s/Mpc.
        "nsa_elpetro_mass": 0.7**2 * 10 ** (9.5 + np.log10(galaxy.v_max / 120.0) * 4.0),
        "esweight": 1.0,
        "gfwhm": galaxy.psf_fwhm,
        "rfwhm": galaxy.psf_fwhm,
        "ifwhm": galaxy.psf_fwhm,
        "zfwhm": galaxy.psf_fwhm,
    }


def _row_without_galaxy(plateifu: str, mangaid: str, version: str, **values) -> dict:
    plate, ifu = plateifu.split("-")
    row = {"plate": int(plate), "ifudsgn": ifu, "plateifu": plateifu, "mangaid": mangaid,
           "versdrp2": version, "versdrp3": version, "objra": 180.0, "objdec": 30.0, "ifura": 180.0,
           "ifudec": 30.0, "ebvgal": 0.02, "drp3qual": 0, "mngtarg1": 0, "mngtarg2": 0,
           "mngtarg3": 0}  # fmt: skip
    missing = ("z", "nsa_z", "nsa_zdist", "nsa_elpetro_th50_r", "nsa_elpetro_phi", "nsa_elpetro_ba",
               "nsa_sersic_n", "nsa_sersic_ba", "nsa_elpetro_mass", "esweight")  # fmt: skip
    row |= dict.fromkeys(missing, _MISSING) | dict.fromkeys(("gfwhm", "rfwhm", "ifwhm", "zfwhm"), 2.5)
    return row | values


def _rejected_rows(version: str) -> list[dict]:
    return [
        _row_without_galaxy("8999-1901", "1-900001", version, mngtarg1=1 << 10),
        _row_without_galaxy("8999-1902", "9-900002", version, mngtarg2=1 << 1, z=0.03, nsa_z=0.03),
    ]


def _star_rows(version: str) -> list[dict]:
    names = ("8998-1901", "8998-1902")
    return [_row_without_galaxy(n, f"3-90001{i}", version, mngtarg2=1 << 25) for i, n in enumerate(names)]


def _table(rows: list[dict], name: str = ""):
    columns = {}
    for key in rows[0]:
        values = np.array([row[key] for row in rows])
        columns[key] = values.astype(np.int32) if values.dtype.kind == "i" else values
    return fits.table_to_hdu(as_table(columns, name))
