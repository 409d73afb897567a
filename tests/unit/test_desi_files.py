"""DESI's files: targets by survey and program, no stars, each galaxy once, units and unknown values."""

import numpy as np
import pytest
from astropy.io import fits

from mangrove.errors import CatalogueError
from mangrove.models.emulator.desi_table import desi_sample
from mangrove.models.emulator.emission_lines import LINES
from mangrove.survey.desi import read_coadd
from mangrove.survey.desi_fits import targets
from mangrove.survey.fastspecfit import COLUMNS, read_fastspecfit

HALPHA = LINES.index("Halpha_6565")


def columns(**values):
    """Columns of a table HDU; their format from the first value."""
    forms = {int: "K", float: "D", str: "16A"}
    return [fits.Column(name, forms[type(column[0])], array=np.array(column)) for name, column in values.items()]


def write_catalogue(path, ew, units=None, lines=None, **meta):
    """A FastSpecFit catalogue: EW of every line, further columns of METADATA and of FASTSPEC."""
    n, meta = len(ew), {"Z": [0.1] * len(ew), **meta}
    table = {"TARGETID": meta["TARGETID"], **(lines or {})}
    for name in (n for group in COLUMNS.values() for n in group):
        table |= {f"{name}_EW": list(map(float, ew)), f"{name}_EW_IVAR": [4.0] * n}
    found = [columns(**table), columns(**meta)]
    for column in found[0]:
        column.unit = (units or {}).get(column.name.rpartition("_EW")[2] if "_EW" in column.name else None)
    hdus = [fits.BinTableHDU.from_columns(c, name=n) for c, n in zip(found, ("FASTSPEC", "METADATA"), strict=True)]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path


def write_coadd(path, target_id, level=1.0, cards=None, bunit=None, wave_unit=None, **fibermap):
    """Flat spectra of the three cameras."""
    table = {"TARGETID": target_id, "EBV": [0.0] * len(target_id), **fibermap}
    primary = fits.PrimaryHDU()
    primary.header.update(cards or {})
    hdus = [primary, fits.BinTableHDU.from_columns(columns(**table), name="FIBERMAP")]
    for camera, low, high in (("B", 3600, 5800), ("R", 5760, 7620), ("Z", 7520, 9824)):
        wave = np.arange(low, high + 0.1, 0.8)
        flux = np.full((len(target_id), wave.size), level)
        scale = {"nm": 0.1}.get(wave_unit, 1)
        hdus += [fits.ImageHDU(wave * scale, name=f"{camera}_WAVELENGTH"), fits.ImageHDU(flux, name=f"{camera}_FLUX")]
        hdus += [fits.ImageHDU(np.ones_like(flux), name=f"{camera}_IVAR")]
        for hdu, unit in ((hdus[-3], wave_unit), (hdus[-2], bunit)):
            if unit:
                hdu.header["BUNIT"] = unit
    fits.HDUList(hdus).writeto(path)
    return path


def halpha(sample):
    """EW of Halpha by target."""
    return dict(zip(sample.table.identifier.tolist(), sample.table.ew[:, HALPHA].round(3).tolist(), strict=True))


SURVEYS = {
    "TARGETID": [11, 12, 11, 11],
    "SURVEY": ["sv3", "sv3", "main", "sv3"],
    "PROGRAM": ["bright", "bright", "dark", "dark"],
}
EW = [5.0, 7.0, 50.0, 500.0]


@pytest.mark.parametrize(
    ("observed", "wanted"),
    [(("sv3", "bright"), {"11": 5, "12": 7}), (("MAIN", "dark "), {"11": 50}), (("sv3", "dark"), {"11": 500})],
)
@pytest.mark.parametrize("where", ["header", "fibermap", "name"])
def test_a_target_is_of_its_survey_and_program(tmp_path, observed, wanted, where):
    catalogue = write_catalogue(tmp_path / "f.fits", EW, **SURVEYS)
    keys = dict(zip(("SURVEY", "PROGRAM"), observed, strict=True))
    name = f"coadd-{observed[0].lower()}-{observed[1].strip()}-100.fits" if where == "name" else "coadd.fits"
    listed = {key: [value] * 2 for key, value in keys.items()} if where == "fibermap" else {}
    coadd = write_coadd(tmp_path / name, [11, 12], cards=keys if where == "header" else None, **listed)
    sample = desi_sample(catalogue, [coadd])
    assert halpha(sample) == wanted
    assert sample.removed == ({} if len(wanted) == 2 else {"only in another survey or program": 1})


@pytest.mark.parametrize(
    ("meta", "cards"),
    [
        (SURVEYS, {}),
        (SURVEYS, {"SURVEY": "sv3"}),
        ({"TARGETID": SURVEYS["TARGETID"]}, {"SURVEY": "sv3", "PROGRAM": "bright"}),
        ({**SURVEYS, "SURVEY": ["sv3"] * 4, "PROGRAM": ["bright"] * 4}, {"SURVEY": "sv3", "PROGRAM": "bright"}),
    ],
)
def test_rows_between_which_nothing_decides_are_refused(tmp_path, meta, cards):
    catalogue = write_catalogue(tmp_path / "f.fits", EW, **meta)
    coadd = write_coadd(tmp_path / "coadd.fits", [11, 12], cards=cards)
    with pytest.raises(
        CatalogueError, match=r"f.fits lists TARGETID 11 [23] times \(SURVEY and PROGRAM: .*which row is meant"
    ):
        desi_sample(catalogue, [coadd])


def test_surveys_of_both_tables_must_agree(tmp_path):
    other = {"SURVEY": ["main", "sv3", "sv3", "sv3"]}
    with pytest.raises(CatalogueError, match=r"rows of FASTSPEC and METADATA are of different targets \(SURVEY\)"):
        read_fastspecfit(write_catalogue(tmp_path / "f.fits", EW, lines=other, **SURVEYS))
    found = read_fastspecfit(write_catalogue(tmp_path / "g.fits", [5.0], lines={"SURVEY": ["sv3"]}, TARGETID=[11]))
    assert (found.survey[0], found.program[0]) == ("sv3", "")


def test_a_galaxy_counts_once(tmp_path):
    """In a second coadd, in two rows of one, and of another survey; the split is by galaxy."""
    catalogue = write_catalogue(tmp_path / "f.fits", EW, **SURVEYS)
    sv3, main = {"SURVEY": "sv3", "PROGRAM": "bright"}, {"SURVEY": "main", "PROGRAM": "dark"}
    first = write_coadd(tmp_path / "a.fits", [11, 11], cards=sv3)
    second = write_coadd(tmp_path / "b.fits", [11, 12], cards=sv3)
    third = write_coadd(tmp_path / "c.fits", [11], cards=main)
    sample = desi_sample(catalogue, [first, second, third])
    assert halpha(sample) == {"11": 5, "12": 7}
    assert sample.removed == {"another spectrum of a galaxy that is there": 3}


@pytest.mark.parametrize(
    ("meta", "reason"),
    [
        ({"SPECTYPE": ["GALAXY", "STAR"]}, "star (SPECTYPE)"),
        ({"SPECTYPE": ["galaxy", "QSO"]}, "quasar (SPECTYPE)"),
        ({"SPECTYPE": ["GALAXY", ""]}, "not a galaxy (SPECTYPE)"),
        ({"ZWARN": [0, 4]}, "doubtful redshift (ZWARN)"),
        ({"ZWARN": [0, -1]}, "doubtful redshift (ZWARN)"),
        ({"DELTACHI2": [40.0, 39.9]}, "doubtful redshift (DELTACHI2 < 40)"),
        ({"DELTACHI2": [400.0, np.nan]}, "doubtful redshift (DELTACHI2 < 40)"),
        ({"Z": [0.1, -0.001]}, "no redshift above 0 (Z)"),
        ({"Z": [0.1, np.nan]}, "no redshift above 0 (Z)"),
        ({"Z": [0.1, -9999.0]}, "no redshift above 0 (Z)"),
        ({"Z": [0.1, np.inf]}, "no redshift above 0 (Z)"),
    ],
)
def test_stars_and_bad_redshifts_are_cut_counted_and_named(tmp_path, meta, reason):
    catalogue = write_catalogue(tmp_path / "f.fits", [5.0, 7.0], TARGETID=[11, 12], **meta)
    sample = desi_sample(catalogue, [write_coadd(tmp_path / "coadd.fits", [11, 12])])
    assert halpha(sample) == {"11": 5} and sample.removed == {reason: 1}


@pytest.mark.parametrize(
    ("fibermap", "reason"),
    [
        ({"EBV": [0.0, np.nan]}, "no Galactic E(B-V)"),
        ({"EBV": [0.0, -0.1]}, "no Galactic E(B-V)"),
        ({"COADD_FIBERSTATUS": [0, 8]}, "fibre problem (COADD_FIBERSTATUS)"),
    ],
)
def test_spectra_with_a_flaw_are_cut_counted_and_named(tmp_path, fibermap, reason):
    catalogue = write_catalogue(tmp_path / "f.fits", [5.0, 7.0], TARGETID=[11, 12])
    sample = desi_sample(catalogue, [write_coadd(tmp_path / "coadd.fits", [11, 12], **fibermap)])
    assert halpha(sample) == {"11": 5} and sample.removed == {reason: 1}


def test_nothing_left_says_why(tmp_path):
    catalogue = write_catalogue(tmp_path / "f.fits", [5.0], TARGETID=[11], SPECTYPE=["STAR"])
    with pytest.raises(CatalogueError, match=r"no target of .* Left out: 1 star \(SPECTYPE\)"):
        desi_sample(catalogue, [write_coadd(tmp_path / "coadd.fits", [11])])


@pytest.mark.parametrize(
    ("unit", "level", "wanted"),
    [
        (None, 3.0, 3.0),
        ("10**-17 erg/(s cm2 Angstrom)", 3.0, 3.0),
        ("erg/(s cm2 Angstrom)", 3e-17, 3.0),
        ("W m-2 um-1", 3e-16, 3.0),
    ],
)
@pytest.mark.parametrize("wave_unit", [None, "Angstrom", "nm"])
def test_units_of_spectra_are_used(tmp_path, unit, level, wanted, wave_unit):
    coadd = read_coadd(write_coadd(tmp_path / "c.fits", [1], level, bunit=unit, wave_unit=wave_unit))
    np.testing.assert_allclose(coadd.flux, wanted, rtol=1e-6)
    assert (coadd.wave[0], coadd.wave[-1]) == (3600, 9824)
    assert coadd.wave.size == 7781, "cameras share the scale where they overlap"


def test_units_of_another_kind_and_shapes_that_differ_are_refused(tmp_path):
    with pytest.raises(CatalogueError, match=r"B_FLUX is in 'Jy'"):
        read_coadd(write_coadd(tmp_path / "c.fits", [1], bunit="Jy"))
    path = write_coadd(tmp_path / "d.fits", [1, 2])
    with fits.open(path, mode="update") as hdus:
        hdus["B_FLUX"].data = hdus["B_FLUX"].data[:1]
    with pytest.raises(CatalogueError, match=r"B_FLUX and B_IVAR have shapes \(1, 2751\) and \(2, 2751\)"):
        read_coadd(path)
    with fits.open(path, mode="update") as hdus:
        hdus["B_WAVELENGTH"].header["AIRORVAC"] = "air"
    with pytest.raises(CatalogueError, match="B_WAVELENGTH are in air"):
        read_coadd(path)


def test_units_of_widths_are_used(tmp_path):
    units = {"": "nm", "_IVAR": "nm-2"}
    found = read_fastspecfit(write_catalogue(tmp_path / "f.fits", [0.5], units, TARGETID=[11]))
    np.testing.assert_allclose(found.ew[0, HALPHA], 5, rtol=1e-6)
    np.testing.assert_allclose(found.ew_ivar[0, HALPHA], 0.04, rtol=1e-6)
    with pytest.raises(CatalogueError, match=r"OII_3726_EW is in 'km / s'"):
        read_fastspecfit(write_catalogue(tmp_path / "g.fits", [0.5], {"": "km/s"}, TARGETID=[11]))


@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")
@pytest.mark.parametrize("part", [0.05, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", ["fast.fits", "coadd.fits"])
def test_files_that_were_cut_off_are_named(tmp_path, name, part):
    write_catalogue(tmp_path / "fast.fits", [5.0] * 200, TARGETID=list(range(200)))
    write_coadd(tmp_path / "coadd.fits", list(range(200)))
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(part * len(content))])
    with pytest.raises(CatalogueError, match=name):
        desi_sample(tmp_path / "fast.fits", [tmp_path / "coadd.fits"])


@pytest.mark.parametrize(
    ("name", "hdu", "said"),
    [
        ("FIBERMAP", fits.ImageHDU(np.ones(3)), "FIBERMAP is no table"),
        ("R_WAVELENGTH", fits.ImageHDU(), "R_WAVELENGTH is empty"),
        ("R_FLUX", fits.BinTableHDU.from_columns(columns(A=[1])), "R_FLUX is no image"),
        ("R_MASK", fits.ImageHDU(np.ones((2, 3), "i4")), r"R_MASK has shape \(2, 3\)"),
    ],
)
def test_hdus_of_another_kind_are_named(tmp_path, name, hdu, said):
    path = write_coadd(tmp_path / "coadd.fits", [11, 12])
    hdu.name = name
    with fits.open(path, mode="append" if name == "R_MASK" else "update") as hdus:
        if name == "R_MASK":
            hdus.append(hdu)
        else:
            hdus[name] = hdu
    with pytest.raises(CatalogueError, match=said):
        read_coadd(path)


def test_compressed_masks_are_used(tmp_path):
    """As desispec writes them."""
    path = write_coadd(tmp_path / "coadd.fits", [11, 12])
    with fits.open(path, mode="append") as hdus:
        mask = np.zeros(hdus["Z_FLUX"].shape, "i4")
        mask[1, -5:] = 1
        hdus.append(fits.CompImageHDU(mask, name="Z_MASK"))
    assert (read_coadd(path).ivar[:, -5:] > 0).tolist() == [[True] * 5, [False] * 5]


def test_targets_are_told_apart_by_whole_numbers(tmp_path):
    """Two neighbours of 17 digits are one floating-point number."""
    targets = [39627000000000001.0, 39627000000000002.0]
    path = write_catalogue(tmp_path / "fast.fits", [5.0, 7.0], TARGETID=targets)
    with pytest.raises(CatalogueError, match="TARGETID in METADATA does not hold whole numbers"):
        read_fastspecfit(path)


@pytest.mark.parametrize(
    ("target_id", "null"),
    [(np.array(["11", "9" * 20]), None), (np.array(["11", "a"]), None), (np.array([11, -1]), -1)],
)
def test_every_target_has_a_whole_number_of_64_bits(target_id, null):
    form = "K" if target_id.dtype.kind == "i" else "20A"
    hdu = fits.BinTableHDU.from_columns([fits.Column("TARGETID", form, null=null, array=target_id)], name="METADATA")
    with pytest.raises(CatalogueError, match=r"c.fits: TARGETID in METADATA does not hold whole numbers in all rows"):
        targets(hdu, "c.fits")
    hdu.data = hdu.data[:1]
    assert targets(hdu, "c.fits").tolist() == [11]


def test_widths_and_errors_that_are_not_finite_are_not_known(tmp_path):
    """Nor are those too large for 32 bits, nor a sum of which one has no error."""
    path = write_catalogue(tmp_path / "f.fits", [5.0, np.inf, 1e300, 5.0, 5.0], TARGETID=[11, 12, 13, 14, 15])
    with fits.open(path, mode="update") as hdus:
        hdus["FASTSPEC"].data["OII_3729_EW_IVAR"] = [4.0, 4.0, 4.0, np.inf, 1e-300]
    found = read_fastspecfit(path)
    nan = np.nan
    np.testing.assert_array_equal(found.ew[:, LINES.index("OII_3728")], np.float32([10, nan, nan, nan, nan]))
    np.testing.assert_array_equal(found.ew_ivar[:, LINES.index("OII_3728")], np.float32([2, nan, nan, nan, nan]))
    np.testing.assert_array_equal(found.ew[:, HALPHA], np.float32([5, nan, nan, 5, 5]))


@pytest.mark.parametrize("version", ["1.0.1", "v1.0.1", "V1"])
def test_old_widths_are_corrected_however_their_version_is_written(tmp_path, version):
    path = write_catalogue(tmp_path / "fast.fits", [5.0], TARGETID=[11])
    fits.setval(path, "DEPNAM00", value="fastspecfit")
    fits.setval(path, "DEPVER00", value=version)
    assert read_fastspecfit(path).ew[0, HALPHA] == pytest.approx(5 / 1.1**2)
