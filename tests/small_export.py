"""A run of one small galaxy, labelled by the workflow's functions and exported."""

import numpy as np
from astropy.wcs import WCS
from attributes import attributes_of

from mangrove import artefacts
from mangrove.codes import FitStatus, LineStatus
from mangrove.config_files import validate
from mangrove.data_model import KINDS, LABELS
from mangrove.export.products import export_run
from mangrove.physics.lines import fit_lines
from mangrove.spectra.labels.table import galaxy_labels, merge
from mangrove.ssp.library import load_mastar
from mangrove.survey.sample import Galaxy, write_sheet

NAME, LINES = "8485-1901", fit_lines()
BINS = np.array([[0, 0, 1], [2, -1, 1], [2, 3, -1], [-1, -1, 4]])
#: Outside the field, a star, masked, too faint: the spaxels in no baxel, row by row.
STATUS = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 2], [3, 4, 0]])
N_BAXEL, N_LINE = 5, len(LINES.name)
#: Outcomes of the five fits; the third has no numbers.
OUTCOME = [FitStatus.OK, FitStatus.GAS_AT_BOUND, FitStatus.NOT_CONVERGED, FitStatus.OK, FitStatus.OK]
HALPHA, HBETA = LINES.index("Halpha_6565"), LINES.index("Hbeta_4863")
FRAME = WCS(naxis=2)
FRAME.wcs.ctype, FRAME.wcs.cunit = ["RA---TAN", "DEC--TAN"], ["deg", "deg"]
FRAME.wcs.crval, FRAME.wcs.crpix, FRAME.wcs.cdelt = [150.0, 20.0], [2.0, 2.5], [-0.5 / 3600, 0.5 / 3600]


def random_data(kind, sizes, **given):
    """Datasets of a kind: those given, positive numbers for the others."""
    rng = np.random.default_rng(3)
    data = {}
    for name, spec in KINDS[kind].fields.items():
        shape = tuple(sizes.get(dim, 2) for dim in spec.dims)
        numbers = rng.uniform(10, 90, shape) if spec.dtype.startswith("f") else np.zeros(shape, spec.dtype)
        data[name] = given.get(name, np.full(shape, "a") if spec.dtype == "str" else numbers)
    return data


def fit_data():
    """Five fits: ok, gas at a bound, none, one without Halpha whose Hbeta has no continuum, one with odd lines."""
    age, metallicity = np.meshgrid(load_mastar().age, load_mastar().metallicity)
    line = {"line": np.array(LINES.name), "line_wave": LINES.wave}
    templates = {"template_age": age.ravel(), "template_metallicity": metallicity.ravel()}
    sizes = {"baxel": N_BAXEL, "line": N_LINE, "template": age.size, "draw": 4, "spaxel_status": 5}
    data = random_data("fit", sizes, status=np.array(OUTCOME), chi2_reduced=np.ones(N_BAXEL), **line, **templates)
    lines = [name for name in data if name.startswith("line_") and name != "line_wave" and data[name].dtype.kind == "f"]
    for name in (
        *lines,
        *(f"{what}_{of}{end}" for what in ["v", "sigma"] for of in ("star", "gas") for end in ("", "_err")),
    ):
        data[name][2] = np.nan
    for name in lines:
        if name.endswith("_err"):
            data[name] /= 100.0
    data["line_status"][2] = LineStatus.NO_FIT
    data["line_status"][3, HALPHA] = LineStatus.MASKED
    for name in lines:
        data[name][3, HALPHA] = np.nan
    data["line_continuum"][3, HBETA] = data["line_ew"][3, HBETA] = data["line_ew_err"][3, HBETA] = np.nan
    data["line_shape"][4, HALPHA] = 1
    data["v_star_err"][4] = 500.0
    data["v_gas_other"][:] = np.nan
    return data


def make_run(folder):
    """Write the run into a folder, with its export below; the folder's name is 'one'."""
    extract = folder / KINDS["extract"].path.format(plateifu=NAME)
    sizes = {"baxel": N_BAXEL, "spaxel_y": BINS.shape[0], "spaxel_x": BINS.shape[1]}
    data = random_data("extract", sizes, bin_id=BINS, spaxel_status=STATUS)
    data["noise"][STATUS == 1] = 0.0
    about = {"plateifu": NAME, "mangaid": "1-1", "z": 0.03, "pixel_scale": 0.5}
    of_cube = {"drpver": "v3_1_1", "centre_in_field": True, "wcs": FRAME.to_header_string()}
    artefacts.write(extract, "extract", data, artefacts.Provenance(), attributes_of("extract", **about, **of_cube))
    fit = folder / KINDS["fit"].path.format(plateifu=NAME)
    of_fit = attributes_of("fit", **about, templates="mastar", age_limit=False)
    artefacts.write(fit, "fit", fit_data(), artefacts.provenance(fit, {}, [extract]), of_fit)
    labels = folder / LABELS.path
    table, of_labels = merge([galaxy_labels(fit)]), attributes_of("labels", templates="mastar")
    artefacts.write(labels, "labels", table, artefacts.provenance(labels, {}, [fit]), of_labels)
    write_sheet(folder / "sheet.tsv", [Galaxy(NAME, "1-1", 0.03, 0.02, 150.0, 20.0, drpver="v3_1_1")])
    export_run(folder, config_of(folder), folder / "export")


def config_of(folder):
    return validate({"run": "one", "sample": {"sheet": str(folder / "sheet.tsv")}})
