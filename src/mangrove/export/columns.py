"""The columns of the exported tables: name, FITS type, unit, UCD and description of each, for astropy and TOPCAT."""

from typing import NamedTuple

from astropy import units as u

from mangrove.data_model import LABELS


class Column(NamedTuple):
    """One column of a FITS table.

    Attributes
    ----------
    name : str
        Letters, digits and underscores.
    format : str
        TFORM; 'A' for text as wide as its longest value.
    unit : str
        As in the artefacts; '1' for none (see :func:`fits_unit`).
    ucd : str
        UCD1+ words of the IVOA.
    description : str
    null : int, optional
        Integer that stands for unknown (TNULL).
    """

    name: str
    format: str
    unit: str
    ucd: str
    description: str
    null: int | None = None


#: Columns of the sample sheet; those with a number that may be missing hold NaN there.
SHEET_COLUMNS = (
    Column("plateifu", "A", "1", "meta.id;meta.main", "plate and IFU design; key of this table"),
    Column("mangaid", "A", "1", "meta.id;src", "MaNGA identifier of the galaxy; repeat observations share it"),
    Column("z", "D", "1", "src.redshift", "catalogue redshift, the zero point of velocities"),
    Column("ebv", "D", "mag", "phot.color.excess", "Galactic E(B-V) of the catalogue"),
    Column("ra", "D", "deg", "pos.eq.ra;meta.main", "right ascension of the object"),
    Column("dec", "D", "deg", "pos.eq.dec;meta.main", "declination of the object"),
    Column("r_e", "D", "arcsec", "phys.angSize.smajAxis", "effective radius along the major axis"),
    Column("pa", "D", "deg", "pos.posAng", "position angle, east of north"),
    Column("ba", "D", "1", "phys.size.axisRatio", "axis ratio"),
    Column("sersic_n", "D", "1", "src.morph.param", "Sersic index"),
    Column("sersic_ba", "D", "1", "phys.size.axisRatio", "axis ratio of the Sersic fit"),
    Column("log_mass", "D", "dex(Msun)", "phys.mass", "log10 of stellar mass (catalogue, H0 = 70)"),
    Column("esweight", "D", "1", "stat.weight", "volume weight of all samples together (Wake et al. 2017)"),
    Column("desom", "L", "1", "meta.code.member", "in the sample of the maps of spectra"),
    Column("convlstm", "L", "1", "meta.code.member", "in the sample of the line-cube networks"),
    Column("agn_wise", "I", "1", "meta.code.class;em.IR.MIR", "infrared AGN (Comerford et al. 2020)", -1),
    Column("agn_bat", "I", "1", "meta.code.class;em.X-ray.hard", "X-ray AGN (Comerford et al. 2020)", -1),
    Column("agn_radio", "I", "1", "meta.code.class;em.radio", "radio AGN (Comerford et al. 2020)", -1),
    Column("agn_broad", "I", "1", "meta.code.class;em.line", "broad-line AGN (Comerford et al. 2020)", -1),
    Column("radio_class", "A", "1", "meta.code.class;em.radio", "class of a radio AGN in that catalogue"),
    Column("morphology", "A", "1", "src.morph.type", "Hubble type by eye; empty for unknown"),
    Column("spectrum", "J", "1", "meta.record", "row in a file of single spectra", -1),
)

#: What the run adds to the sheet.
RUN_COLUMNS = (
    Column("drpver", "A", "1", "meta.version", "version of the data reduction pipeline, from the cube"),
    Column("status", "A", "1", "meta.code.status", "outcome for the galaxy: ok, or why it has no baxels"),
    Column("reason", "A", "1", "meta.note", "the reason in words"),
    Column("n_baxel", "J", "1", "meta.number", "number of baxels"),
    Column("n_good", "J", "1", "meta.number", "number of baxels whose quality is 0"),
    Column("snr_median", "E", "1", "stat.snr;stat.median", "median S/N per pixel of the baxels"),
    Column("quality", "J", "1", "meta.code.qual", "bits, 0 if nothing is wrong; their names are the cards QBITn"),
)

GALAXY_COLUMNS = SHEET_COLUMNS + RUN_COLUMNS

#: First columns of the table of baxels; the datasets of the artefact 'labels' follow.
BAXEL_KEYS = (
    Column(
        "plateifu", "A", "1", "meta.id.parent", "plate and IFU design of the galaxy; with baxel the key of this table"
    ),
    Column("mangaid", "A", "1", "meta.id;src", "MaNGA identifier of the galaxy; repeat observations share it"),
    Column("baxel", "J", "1", "meta.id.part", "index of the baxel in its galaxy: its value in bin_id"),
    Column("quality", "J", "1", "meta.code.qual", "bits, 0 if nothing is wrong; their names are the cards QBITn"),
    Column("esweight", "D", "1", "stat.weight", "volume weight of the galaxy (Wake et al. 2017)"),
)

_VELOCITY, _DISPERSION = "spect.dopplerVeloc", "phys.veloc.dispersion"
#: UCDs of the datasets of 'labels'; an error gets its own from that of its value.
_UCD = {
    "ra": "pos.eq.ra;meta.main",
    "dec": "pos.eq.dec;meta.main",
    "x": "pos.cartesian.x;instr.pixel",
    "y": "pos.cartesian.y;instr.pixel",
    "radius": "pos.angDistance",
    "radius_re": "pos.angDistance;arith.ratio",
    "extent": "phys.angSize",
    "extent_re": "phys.angSize;arith.ratio",
    "area": "phys.angArea",
    "n_spaxel": "meta.number;instr.pixel",
    "status": "meta.code.status;stat.fit",
    "snr": "stat.snr",
    "chi2_reduced": "stat.fit.chi2",
    "v_star": _VELOCITY,
    "sigma_star": _DISPERSION,
    "v_gas": f"{_VELOCITY};spect.line",
    "sigma_gas": f"{_DISPERSION};spect.line",
    "line_status": "meta.code.status",
    "line_flux": "phot.flux",
    "line_flux_sum": "phot.flux",
    "gas_model": "meta.code.class",
    "line_ew": "spect.line.eqWidth",
    "log_age_lw": "time.age;stat.mean",
    "metallicity_lw": "phys.abund.Z;stat.mean",
    "log_age_mw": "time.age;stat.mean",
    "metallicity_mw": "phys.abund.Z;stat.mean",
    "log_ml_r": "phys.composition.massLightRatio;em.opt.R",
    "ebv_star": "phot.color.excess",
    "ebv_gas": "phot.color.excess;spect.line",
    "log_sfr_density": "phys.SFR;phys.area",
    "log_sfr_density_limit": "phys.SFR;phys.area;stat.max",
    "log_mass_density": "phys.mass;phys.area",
    "log_ssfr": "phys.SFR;phys.mass",
    "d_bpt": "src.class;arith.diff",
    "bpt_class": "meta.code.class",
    "d_bpt_class": "meta.code.class",
}
#: Lines that the IVOA has a word for.
_LINE_UCD = {
    "Halpha_6565": "em.line.Halpha",
    "Hbeta_4863": "em.line.Hbeta",
    "Hgamma_4342": "em.line.Hgamma",
    "Hdelta_4103": "em.line.Hdelta",
    "OIII_5008": "em.line.OIII",
}
#: FITS has no signed integers of one byte and no unsigned ones of four; no flag or code needs them.
_FORMAT = {"f4": "E", "f8": "D", "i4": "J", "u4": "J", "i1": "B"}


def fits_unit(unit: str) -> str:
    """A unit of the artefacts as FITS writes it; empty for none.

    ``astropy.units.Unit`` reads every one. A spaxel is FITS's ``pix``. Where the standard writes ``log(yr)``,
    which astropy does not read (:func:`is_logarithm`), astropy's ``dex(yr)`` stands.
    """
    if unit in ("1", "dex"):
        return "" if unit == "1" else unit
    if unit.startswith("dex("):
        return f"dex({fits_unit(unit[4:-1])})"
    return u.Unit(unit.replace("spaxel", "pix")).to_string("fits")


def is_logarithm(unit: str) -> bool:
    """Whether a unit is a logarithm; astropy and the FITS standard write it differently, so it stands in no TUNIT card."""
    return unit.startswith("dex")


def error_unit(unit: str) -> str:
    """Unit of the error of a value: that of a logarithm of years is in dex, not a logarithm of years."""
    return "dex" if is_logarithm(unit) else unit


def inverse_variance_unit(unit: str) -> str:
    """Unit of the inverse variance of a value."""
    return (u.Unit(fits_unit(unit)) ** -2).to_string("fits")


def per_baxel(name: str) -> bool:
    """Whether a dataset of 'labels' has one value per baxel, and is no index into the file itself."""
    return LABELS.fields[name].dims == ("row",) and name not in ("galaxy", "baxel")


def per_line(name: str) -> bool:
    """Whether a dataset of 'labels' has one value per baxel and line."""
    return LABELS.fields[name].dims == ("row", "line")


def plain_column(name: str) -> Column:
    """The column of a dataset of shape (n_baxel,) of the artefact 'labels'."""
    spec = LABELS.fields[name]
    unit = error_unit(spec.unit) if name.endswith("_err") else spec.unit
    return Column(column_name(name), _FORMAT[spec.dtype], unit, ucd(name), _description(name, spec.meaning))


def line_column(name: str, line: str) -> Column:
    """The column of one line of a dataset of shape (n_baxel, n_line): flux_Halpha_6565 of line_flux."""
    spec = LABELS.fields[name]
    words = f"{ucd(name)};{_LINE_UCD.get(line, 'em.line')}"
    meaning = _description(name, spec.meaning)
    return Column(column_name(name, line), _FORMAT[spec.dtype], spec.unit, words, f"{line}: {meaning}")


def column_name(name: str, line: str = "") -> str:
    """Name of a dataset's column; an error's name ends in ``_err``, a line's in the line."""
    if not line:
        return {"status": "fit_status"}.get(name, name)
    base, error = (name.removesuffix("_err"), "_err") if name.endswith("_err") else (name, "")
    return f"{base.removeprefix('line_')}_{line}{error}"


def ucd(name: str) -> str:
    """UCD of a dataset of 'labels'; KeyError if none is declared for it."""
    if name.endswith("_err"):
        return f"stat.error;{_UCD[name.removesuffix('_err')]}"
    if name.endswith("_flag"):
        return "meta.code.qual"
    return _UCD[name]


def _description(name: str, meaning: str) -> str:
    """The meaning; an error's and a flag's say of what."""
    value = name.removesuffix("_err").removesuffix("_flag")
    return meaning if value == name else f"{value}: {meaning}"
