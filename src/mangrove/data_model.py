"""Every dataset of every artefact: dims, type, unit and meaning. The data-model page is generated from this table.

What there is one of is an attribute (:mod:`mangrove.data_model_attributes`).

A dimension is named after what lies along it (``wave``, ``line``, ``baxel``). A dataset with the name of its only
dimension is that dimension's coordinate, by which xarray selects: ``sel(line="Halpha_6565")``. An axis that docstrings
give the length ``n_wave`` is the dimension ``wave``; ``(ny, nx)`` are ``spaxel_y`` and ``spaxel_x``.
"""

from dataclasses import replace

from mangrove import data_model_attributes as attributes
from mangrove.codes import (
    BptClass,
    DBptClass,
    Enumeration,
    FitStatus,
    GasModel,
    LabelFlag,
    LineShape,
    LineStatus,
    SpaxelStatus,
    Split,
    TrainingCut,
)
from mangrove.data_model_autoencoders import AUTOENCODER_KINDS
from mangrove.data_model_desom import DESOM_KINDS
from mangrove.data_model_fields import Field, Kind
from mangrove.data_model_line_cube_truth import TRUTH_KINDS

#: Raised when the layout or the meaning of any artefact changes; part of every rule's code parameter.
SCHEMA_VERSION = 8

FLUX = "1e-17 erg s-1 cm-2 Angstrom-1 spaxel-1"
IVAR = "(1e-17 erg s-1 cm-2 Angstrom-1 spaxel-1)-2"
LINE_FLUX = "1e-17 erg s-1 cm-2 spaxel-1"
KMS = "km s-1"


_SPAXEL_COUNT = f"spaxels by status: {', '.join(status.word for status in SpaxelStatus)}"
_MAP = ("spaxel_y", "spaxel_x")
_BAXEL = ("baxel",)
_SPECTRA = ("baxel", "wave")
_LINE = ("baxel", "line")
_COMPONENT = ("baxel", "component")
_COMPONENT_LINE = ("baxel", "component", "line")
_WINDOW = ("line", "window_pixel", *_MAP)


def _baxel(unit: str, meaning: str, dtype: str = "f4", codes: Enumeration | None = None) -> Field:
    return Field(_BAXEL, dtype, unit, meaning, codes)


def _lines(meaning: str) -> Field:
    return Field(("line",), "str", "1", meaning)


def _map(unit: str, meaning: str, dtype: str = "f4", codes: Enumeration | None = None) -> Field:
    return Field(_MAP, dtype, unit, meaning, codes, packed=True)


EXTRACT = Kind(
    "spectra/extract/{plateifu}.h5",
    "One galaxy after the only reading of its cube: bins, co-added spectra of the bins (baxels), line windows, images.",
    {
        "wave": Field(("wave",), "f8", "Angstrom", "observed wavelength, vacuum"),
        "bin_id": _map("1", "baxel of each spaxel, -1 if in none", "i4"),
        "spaxel_status": _map("1", "what became of each spaxel", "i1", SpaxelStatus),
        "signal": _map(FLUX, "median flux over the continuum range"),
        "noise": _map(FLUX, "median 1/sqrt(ivar) over the continuum range"),
        "image": Field(("band", *_MAP), "f4", "as in the cube", "broad-band images", packed=True),
        "band": Field(("band",), "str", "1", "names of the bands"),
        "flux": Field(_SPECTRA, "f4", FLUX, "mean flux over the good spaxels of the baxel"),
        "ivar": Field(_SPECTRA, "f4", IVAR, "inverse variance of flux, spatial covariance included; 0 where masked"),
        "mask": Field(_SPECTRA, "i1", "1", "1 where fewer than half of the spaxels are good", packed=True),
        "lsf": Field(
            _SPECTRA,
            "f4",
            "Angstrom",
            "line spread function (LSF), Gaussian sigma, observed frame, mean; 0 where masked",
            packed=True,
        ),
        "n_spaxel": _baxel("1", "number of spaxels", "i4"),
        "area": _baxel("arcsec2", "area on the sky"),
        "x": _baxel("spaxel", "luminosity-weighted column, from 0"),
        "y": _baxel("spaxel", "luminosity-weighted row, from 0"),
        "ra": _baxel("deg", "right ascension of the luminosity-weighted centre", "f8"),
        "dec": _baxel("deg", "declination of the luminosity-weighted centre", "f8"),
        "radius": _baxel("arcsec", "elliptical radius of the luminosity-weighted centre (semi-major axis)"),
        "radius_re": _baxel("1", "the same in effective radii; NaN if R_e is unknown"),
        "extent": _baxel("arcsec", "root mean square distance of its spaxels from their mean position"),
        "extent_re": _baxel("1", "the same in effective radii; NaN if R_e is unknown"),
        "snr": _baxel("1", "S/N per pixel reached, covariance included"),
        "covariance_factor": _baxel("1", "noise over its quadrature sum"),
        "line": _lines("lines of the windows"),
        "window_wave": Field(
            ("line", "window_pixel"), "f8", "Angstrom", "observed wavelength of the windows' pixels, vacuum"
        ),
        "window_flux": Field(_WINDOW, "f4", FLUX, "native pixels around each line; 0 where invalid", packed=True),
        "window_ivar": Field(_WINDOW, "f4", IVAR, "inverse variance; 0 where invalid", packed=True),
    },
    attributes.EXTRACT,
)

#: Where a baxel lies: taken along from artefact to artefact, so that tables of a survey need one input per galaxy.
PLACE = ("ra", "dec", "x", "y", "radius", "radius_re", "extent", "extent_re", "area", "n_spaxel")

FIT = Kind(
    "spectra/fit/{plateifu}.h5",
    "Stars and gas of every baxel from one fit. Spectra of the model are not kept: weights and parameters give them.",
    {
        **{name: EXTRACT.fields[name] for name in PLACE},
        "spaxel_count": Field(("spaxel_status",), "i4", "1", _SPAXEL_COUNT),
        "status": _baxel("1", "outcome of the fit", "i1", FitStatus),
        "v_star": _baxel(KMS, "stellar velocity, c ln((1+z)/(1+z_catalogue))"),
        "v_star_err": _baxel(KMS, "its error"),
        "sigma_star": _baxel(KMS, "stellar velocity dispersion, corrected for the LSF"),
        "sigma_star_err": _baxel(KMS, "its error"),
        "sigma_star_fit": _baxel(KMS, "dispersion by which the templates were broadened, uncorrected"),
        "sigma_star_correction": _baxel(
            "km2 s-2", "added to the square: template minus instrument, mean over good pixels"
        ),
        "guided_by": _baxel(
            "1", "baxel whose stellar kinematics were taken or held near (fit.stellar_kinematics); -1: none", "i4"
        ),
        "v_gas": _baxel(KMS, "gas velocity, same convention; of two components of all lines, the narrower"),
        "v_gas_err": _baxel(KMS, "its error"),
        "v_gas_other": _baxel(
            KMS,
            "velocity of another minimum of the gas, of another velocity or dispersion, whose chi2 is no more than 1 above "
            "that of this one, or below it if its velocity is less usual; NaN if none was found, or with further components",
        ),
        "sigma_gas": _baxel(KMS, "its velocity dispersion, corrected for the LSF; 1 is the lower bound of the fit"),
        "sigma_gas_err": _baxel(KMS, "its error"),
        "line": _lines("names of the fitted lines"),
        "line_wave": Field(("line",), "f8", "Angstrom", "rest wavelength, vacuum"),
        "line_status": Field(_LINE, "i1", "1", "why a line has no flux", LineStatus),
        "line_flux": Field(
            _LINE, "f4", LINE_FLUX, "flux of all components, Galactic extinction removed; NaN unless line_status is ok"
        ),
        "line_flux_err": Field(_LINE, "f4", LINE_FLUX, "its error"),
        "line_flux_sum": Field(
            _LINE,
            "f4",
            LINE_FLUX,
            "the same without a profile: data minus the stellar continuum and other lines, summed directly",
        ),
        "line_flux_sum_err": Field(_LINE, "f4", LINE_FLUX, "its error"),
        "line_residual": Field(_LINE, "f4", "1", "line_flux_sum minus line_flux, in units of its error"),
        "line_chi2": Field(_LINE, "f4", "1", "mean square of residual over error about the line"),
        "line_shape": Field(_LINE, "u1", "1", "bits: what the data say against the profile of the line", LineShape),
        "gas_model": _baxel("1", "components of the gas in the model", "i1", GasModel),
        "gas_bic_gain": _baxel("1", "by how much they lower the Bayesian information criterion against one Gaussian"),
        "component": Field(("component",), "str", "1", "names of the components that the settings allow"),
        "component_v": Field(_COMPONENT, "f4", KMS, "velocity, as v_gas; NaN if the component is not in the model"),
        "component_v_err": Field(_COMPONENT, "f4", KMS, "its error"),
        "component_sigma": Field(_COMPONENT, "f4", KMS, "velocity dispersion, as sigma_gas"),
        "component_sigma_err": Field(_COMPONENT, "f4", KMS, "its error"),
        "component_flux": Field(
            _COMPONENT_LINE,
            "f4",
            LINE_FLUX,
            "flux of each component of each line in the model, also where line_status is masked; NaN if it has none",
        ),
        "component_flux_err": Field(_COMPONENT_LINE, "f4", LINE_FLUX, "its error"),
        "line_ew": Field(_LINE, "f4", "Angstrom", "equivalent width, rest frame, emission positive"),
        "line_ew_err": Field(_LINE, "f4", "Angstrom", "its error"),
        "line_continuum": Field(_LINE, "f4", FLUX, "mean of the stellar continuum within 500 km/s of the line"),
        "chi2_reduced": _baxel("1", "chi2 per degree of freedom of the fit with the errors used"),
        "noise_scale": _baxel("1", "factor on the formal errors before the fit (1 unless rescaling is on)"),
        "residual_rms": _baxel("1", "robust scatter of residual over error"),
        "n_pixel": _baxel("1", "good pixels in the fit", "i4"),
        "n_free": _baxel("1", "free parameters of the fit: n_pixel - n_free degrees of freedom", "i4"),
        "n_clipped": _baxel("1", "pixels left out as outliers", "i4"),
        "r_flux": _baxel(
            FLUX, "mean of the stellar continuum over SDSS r in the rest frame; NaN where the range does not cover it"
        ),
        "r_flux_err": _baxel(FLUX, "its error"),
        "snr": _baxel("1", "S/N per pixel of the baxel"),
        "weights": Field(
            ("baxel", "template"),
            "f4",
            "1",
            "template weights before dust, in 1e-17 erg s-1 cm-2 Angstrom-1 spaxel-1 per unit of the library",
            packed=True,
        ),
        "ebv_star": _baxel("mag", "E(B-V) of the stars, Calzetti et al. (2000)"),
        "ebv_polynomial": _baxel("mag", "the part of it that the shape of the polynomial stands for"),
        "weights_draw": Field(
            ("baxel", "draw", "template"), "f4", "1", "weights of noisy copies of the model", packed=True
        ),
        "ebv_draw": Field(("baxel", "draw"), "f4", "mag", "E(B-V) of the stars of these copies"),
        "polynomial": Field(("baxel", "coefficient"), "f4", "1", "multiplicative Legendre coefficients from order 1"),
        "template_age": Field(("template",), "f8", "Gyr", "age of each template"),
        "template_metallicity": Field(("template",), "f8", "dex", "[M/H] of each template"),
    },
    attributes.FIT,
)

#: Unit and meaning of every label; each comes with its error and flags (docs/labels.md).
LABEL = {
    "log_age_lw": ("dex(yr)", "light-weighted mean of log10 age"),
    "metallicity_lw": ("dex", "light-weighted mean of [M/H]"),
    "log_age_mw": ("dex(yr)", "mass-weighted mean of log10 age"),
    "metallicity_mw": ("dex", "mass-weighted mean of [M/H]"),
    "log_ml_r": ("dex(Msun/Lsun)", "log10 of stellar mass (with remnants) over r luminosity before dust"),
    "ebv_star": ("mag", "E(B-V) of the stars, Calzetti et al. (2000)"),
    "ebv_gas": ("mag", "E(B-V) of the gas, from the Balmer decrement, Cardelli et al. (1989)"),
    "log_sfr_density": ("dex(Msun yr-1 kpc-2)", "log10 of the surface density of star formation"),
    "log_mass_density": ("dex(Msun kpc-2)", "log10 of the surface density of stellar mass"),
    "log_ssfr": ("dex(yr-1)", "log10 of star formation per stellar mass"),
    "d_bpt": ("dex", "distance from the curve of Kauffmann et al. (2003) in the BPT diagram, positive beyond it"),
}


def _label_fields() -> dict[str, Field]:
    fields = {}
    for name, (unit, meaning) in LABEL.items():
        fields[name] = _baxel(unit, meaning)
        fields[f"{name}_err"] = _baxel(unit, "its error")
        fields[f"{name}_flag"] = _baxel("1", "bits: why it is missing or not to be trusted", "u4", LabelFlag)
    return fields


_FROM_FIT = (
    *("status", "snr", "chi2_reduced", "v_star", "v_star_err", "sigma_star", "sigma_star_err", "v_gas", "v_gas_err"),
    *("sigma_gas", "sigma_gas_err", "line", "line_wave", "line_status", "line_flux", "line_flux_err", "line_ew"),
    *("line_ew_err", "line_flux_sum", "line_flux_sum_err", "gas_model"),
)

LABELS = Kind(
    "spectra/labels.h5",
    "Every baxel of the survey in one table: place, kinematics, lines, and the labels derived from its fit.",
    {
        "plateifu": Field(("plateifu",), "str", "1", "galaxies, in the order of the sample sheet"),
        "mangaid": Field(("plateifu",), "str", "1", "MaNGA identifier; repeats share it"),
        "z": Field(("plateifu",), "f8", "1", "catalogue redshift"),
        "galaxy_status": Field(("plateifu",), "str", "1", "status of the galaxy's extract"),
        "galaxy_reason": Field(("plateifu",), "str", "1", "its reason, where it is not ok"),
        "n_baxel_of_galaxy": Field(("plateifu",), "i4", "1", "number of baxels; rows lie galaxy by galaxy"),
        "spaxel_count": Field(
            ("plateifu", "spaxel_status"),
            "i4",
            "1",
            _SPAXEL_COUNT,
        ),
        "galaxy": _baxel("1", "index of the galaxy in plateifu", "i4"),
        "baxel": _baxel("1", "index of the baxel in its galaxy", "i4"),
        **{name: EXTRACT.fields[name] for name in PLACE},
        **{name: FIT.fields[name] for name in _FROM_FIT},
        **{
            f"{name}_flag": _baxel("1", f"bits: why {name} is missing or not to be trusted", "u4", LabelFlag)
            for name in ("v_star", "sigma_star", "v_gas", "sigma_gas")
        },
        "line_flag": Field(_LINE, "u4", "1", "bits of each line, and of its equivalent width", LabelFlag),
        **_label_fields(),
        "log_sfr_density_limit": _baxel(
            LABEL["log_sfr_density"][0], "2 sigma upper limit before dust where Halpha is not detected, NaN elsewhere"
        ),
        "bpt_class": _baxel("1", "class in the BPT diagram where all four lines have S/N above 2", "i1", BptClass),
        "d_bpt_class": _baxel("1", "class by d_bpt where all four lines have S/N above 2", "i1", DBptClass),
    },
    attributes.LABELS,
)

LINE_CUBE = Kind(
    "spectra/line_cube/{plateifu}.h5",
    "Emission-line cube of one galaxy, cropped around its centre.",
    {
        "flux": Field(_WINDOW, "f4", FLUX, "native pixels around each line; 0 where invalid", packed=True),
        "ivar": Field(_WINDOW, "f4", IVAR, "inverse variance; 0 where invalid", packed=True),
        "valid": Field(_WINDOW, "i1", "1", "1 where flux is data", packed=True),
        "window_wave": EXTRACT.fields["window_wave"],
        "line": _lines("names of the lines"),
        "spaxel_status": _map("1", "status of each spaxel; outside_field beyond the cube's edge", "i1", SpaxelStatus),
    },
    attributes.LINE_CUBE,
)

TRAINING_SPECTRA = Kind(
    "spectra/training_spectra.h5",
    "Normalised rest-frame spectra: first all that pass the cuts, in hashed order, then the others that can be normalised.",
    {
        "wave": Field(("wave",), "f8", "Angstrom", "rest wavelength, vacuum, log-linear"),
        "flux": Field(_SPECTRA, "f4", "1", "flux over its mean in the normalisation band; masked bins interpolated"),
        "mask": Field(_SPECTRA, "i1", "1", "1 where the flux is interpolated; does not count in a loss"),
        "norm": _baxel(FLUX, "mean flux in the normalisation band"),
        "snr": _baxel("1", "S/N per native pixel"),
        "galaxy": _baxel("1", "index of the galaxy in plateifu", "i4"),
        "baxel": _baxel("1", "index of the baxel in its galaxy", "i4"),
        "split": _baxel("1", "split, by galaxy", "i1", Split),
        "cut": _baxel("1", "the cut that keeps it out of the training, kept ones first", "i1", TrainingCut),
        "radius_re": _baxel("1", "elliptical radius of the baxel in effective radii; NaN if R_e is unknown"),
        "lsf": Field(
            ("wave",),
            "f4",
            "Angstrom",
            "mean line spread (Gaussian sigma, rest frame) of the kept spectra; NaN without any",
        ),
        "plateifu": Field(("plateifu",), "str", "1", "galaxies, in the order of the sample sheet"),
        "mangaid": Field(("plateifu",), "str", "1", "MaNGA identifier; repeats share it"),
        "candidate_galaxy": Field(("candidate",), "i4", "1", "index of the galaxy of each baxel before the cuts"),
        "candidate_baxel": Field(("candidate",), "i4", "1", "index of the baxel in its galaxy"),
        "candidate_cut": Field(("candidate",), "i1", "1", "the cut that removed it", TrainingCut),
    },
    attributes.TRAINING_SPECTRA,
)

_WINDOWS = ("plateifu", *_WINDOW)

LINE_CUBE_SET = Kind(
    "spectra/line_cube_set.h5",
    "Emission-line cubes of all galaxies that have one.",
    {
        "flux": Field(_WINDOWS, "f4", FLUX, "flux; 0 where invalid"),
        "ivar": Field(_WINDOWS, "f4", IVAR, "inverse variance; 0 where invalid"),
        "valid": Field(_WINDOWS, "i1", "1", "1 where flux is data"),
        "plateifu": Field(("plateifu",), "str", "1", "galaxies"),
        "mangaid": Field(("plateifu",), "str", "1", "MaNGA identifier; repeats share it"),
        "z": Field(("plateifu",), "f8", "1", "catalogue redshift"),
        "r_e": Field(("plateifu",), "f4", "arcsec", "effective radius along the major axis; -9999 if not known"),
        "pixel_scale": Field(("plateifu",), "f4", "arcsec", "side of a spaxel"),
        "centre_in_field": Field(("plateifu",), "i1", "1", "1 where the object's centre lies in the field"),
        "split": Field(("plateifu",), "i1", "1", "split, by mangaid", Split),
        "line": _lines("names of the lines"),
        "window_wave": Field(
            ("plateifu", "line", "window_pixel"), "f8", "Angstrom", "observed wavelength of the pixels, vacuum"
        ),
        "spaxel_status": Field(
            ("plateifu", *_MAP), "i1", "1", "status of each spaxel; outside_field beyond the cube's edge", SpaxelStatus
        ),
    },
)


def _truth(unit: str, meaning: str, dtype: str = "f4") -> Field:
    return Field(_MAP, dtype, unit, meaning)


TRUTH = Kind(
    "archive/truth/{plateifu}.h5",
    "What the simulated survey put into each spaxel, point-spread function included; NaN outside the field.",
    {
        "v_star": _truth(KMS, "stellar velocity, c ln((1+z)/(1+z_catalogue))"),
        "sigma_star": _truth(KMS, "stellar velocity dispersion"),
        "v_gas": _truth(KMS, "gas velocity"),
        "sigma_gas": _truth(KMS, "gas velocity dispersion"),
        "line": _lines("names of the lines"),
        "line_flux": Field(("line", *_MAP), "f4", LINE_FLUX, "flux before Galactic extinction"),
        "line_ew": Field(("line", *_MAP), "f4", "Angstrom", "equivalent width, rest frame"),
        "log_age_lw": _truth("dex", "light-weighted log10(age/yr)"),
        "log_age_mw": _truth("dex", "mass-weighted log10(age/yr)"),
        "metallicity_lw": _truth("dex", "light-weighted [M/H]"),
        "metallicity_mw": _truth("dex", "mass-weighted [M/H]"),
        "log_ml_r": _truth("dex", "log10 of M/L_r in solar units"),
        "ebv_star": _truth("mag", "E(B-V) of the stars, Calzetti (2000)"),
        "ebv_gas": _truth("mag", "E(B-V) of the gas, Cardelli (1989)"),
        "log_mass": _truth("dex", "log10 of stellar mass over M_sun"),
        "d_bpt_class": _truth("1", "class by d_bpt: 0 none, 1 star-forming, 2 composite, 3 AGN", "i1"),
        "continuum": _truth(FLUX, "mean noise-free flux over 5600-6750 Angstrom, observed"),
        "light_weight": _truth("1", "light of the stars, mean over 5000-6000 Angstrom rest frame"),
    },
    attributes.TRUTH,
)

_OBJECT_LINE = ("object", "line")
_TEST_LINE = ("test", "line")
_PER_LINE = ("line",)
_CONTINUUM = "1e-17 erg s-1 cm-2 Angstrom-1"

EMULATOR_TABLE = Kind(
    "emulator/table.h5",
    "What the emulator learns from: the stellar continuum of galaxies or baxels in bins, beside their lines.",
    {
        "bin_edge": Field(("edge",), "f8", "Angstrom", "edges of the bins, rest frame, vacuum"),
        "wave": Field(("wave",), "f8", "Angstrom", "middle of the bins"),
        "line": Field(_PER_LINE, "str", "1", "names of the lines"),
        "identifier": Field(("object",), "str", "1", "galaxy (DESI TARGETID, MaNGA identifier); baxels share it"),
        "split": Field(("object",), "i1", "1", "split, by identifier", Split),
        "flux_bins": Field(
            ("object", "wave"),
            "f4",
            _CONTINUUM,
            "mean flux without lines; of baxels, per spaxel; NaN if not covered",
        ),
        "log_luminosity": Field(
            ("object",), "f4", "dex(erg s-1 Angstrom-1)", "log10 of the continuum luminosity", optional=True
        ),
        "ew": Field(_OBJECT_LINE, "f4", "Angstrom", "equivalent width, rest frame, emission positive; NaN if unknown"),
        "ew_ivar": Field(_OBJECT_LINE, "f4", "Angstrom-2", "its inverse variance"),
        "published_ew": Field(
            _OBJECT_LINE, "f4", "Angstrom", "prediction of the published networks, where known", optional=True
        ),
        "plateifu": Field(("object",), "str", "1", "galaxy of a baxel", optional=True),
        "baxel": Field(("object",), "i4", "1", "index of the baxel in its galaxy", optional=True),
    },
)

EMULATOR_QUALITY = Kind(
    "emulator/quality.h5",
    "Predictions of the emulator for the test rows of its table, beside the measurements: asinh(EW / Angstrom).",
    {
        "line": Field(_PER_LINE, "str", "1", "names of the lines"),
        "identifier": Field(("test",), "str", "1", "galaxy"),
        "row": Field(("test",), "i4", "1", "row of the table"),
        "measured": Field(_TEST_LINE, "f4", "1", "as measured; NaN if not"),
        "predicted": Field(_TEST_LINE, "f4", "1", "as the survey would list it"),
        "intrinsic_median": Field(_TEST_LINE, "f4", "1", "median of the intrinsic distribution, noise taken out"),
        "predictive_draw": Field(
            _TEST_LINE, "f4", "1", "a draw of that distribution with measurement noise; NaN if not measured"
        ),
        "pit": Field(_TEST_LINE, "f4", "1", "probability of values below the measured one; NaN if not measured"),
        "luminosity": Field(("test",), "f4", "1", "log10 of the continuum luminosity; without any, the bluest colour"),
        "n": Field(_PER_LINE, "i4", "1", "test rows with the line"),
        "rho": Field(_PER_LINE, "f8", "1", "Spearman correlation of predicted and measured"),
        "rho_published": Field(_PER_LINE, "f8", "1", "the same of the published networks; NaN without them"),
        "gain": Field(_PER_LINE, "f8", "1", "rho minus rho_published on the same rows"),
        "gain_error": Field(_PER_LINE, "f8", "1", "its error from resampling the rows"),
        "rho_intrinsic": Field(_PER_LINE, "f8", "1", "Spearman correlation of intrinsic_median and measured"),
        "nmad": Field(_PER_LINE, "f8", "1", "1.4826 times the median absolute deviation of predicted minus measured"),
        "coverage": Field(_PER_LINE, "f8", "1", "fraction of the measurements within the 68 % interval"),
        "bias": Field(("line", "quartile"), "f8", "1", "median of predicted minus measured, by luminosity"),
        "bias_error": Field(("line", "quartile"), "f8", "1", "its error"),
        "decile_predicted": Field(("line", "decile"), "f8", "1", "median prediction by decile of the prediction"),
        "decile_bias": Field(("line", "decile"), "f8", "1", "median of predicted minus measured in that decile"),
    },
)

EMULATOR_LEARNING_CURVE = Kind(
    "emulator/learning_curve.h5",
    "What single networks of the emulator reach that are trained on parts of the training rows.",
    {
        "fraction": Field(("fraction",), "f8", "1", "part of the training rows (emulator.learning_curve)"),
        "n_train": Field(("fraction",), "i4", "1", "training rows"),
        "rho": Field(("fraction",), "f8", "1", "Spearman correlation on the test rows, mean over the lines"),
        "loss": Field(("fraction",), "f8", "1", "lowest validation loss"),
    },
)

EMULATOR_EMBEDDING = Kind(
    "emulator/embedding.h5",
    "UMAP of the emulator's inputs (colours, luminosity): the test rows of its table; all rows where these are too few.",
    {
        "row": Field(("object",), "i4", "1", "row of the table; in random order, 5000 at most"),
        "identifier": Field(("object",), "str", "1", "galaxy"),
        "split": Field(("object",), "i1", "1", "split, by identifier", Split),
        "place": Field(("object", "axis"), "f4", "1", "coordinates"),
    },
)


def _in_rows(kind: Kind) -> Kind:
    """The same kind where the baxels of many galaxies are rows of one table."""
    dims = {name: tuple("row" if d == "baxel" else d for d in f.dims) for name, f in kind.fields.items()}
    return replace(kind, fields={name: replace(f, dims=dims[name]) for name, f in kind.fields.items()})


LABELS, TRAINING_SPECTRA = _in_rows(LABELS), _in_rows(TRAINING_SPECTRA)

#: Every kind of artefact by its name.
KINDS: dict[str, Kind] = {
    "truth": TRUTH,
    "extract": EXTRACT,
    "fit": FIT,
    "labels": LABELS,
    "line_cube": LINE_CUBE,
    "training_spectra": TRAINING_SPECTRA,
    "line_cube_set": LINE_CUBE_SET,
    "emulator_table": EMULATOR_TABLE,
    "emulator_quality": EMULATOR_QUALITY,
    "emulator_learning_curve": EMULATOR_LEARNING_CURVE,
    "emulator_embedding": EMULATOR_EMBEDDING,
    **DESOM_KINDS,
    **AUTOENCODER_KINDS,
    **TRUTH_KINDS,
}
