"""Statuses, classes and bits: their numbers stand in files on users' disks."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from mangrove import codes
from mangrove.codes import BaxelQuality, Bits, BptClass, Code, FitStatus, GalaxyQuality, LabelFlag, LineStatus, MapFlag
from mangrove.data_model import KINDS
from mangrove.export.fits_files import add_bits, add_codes
from mangrove.generate import WITH_CODE_TABLES, code_table, with_code_tables
from mangrove.source_files import essential_source

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "mangrove"
#: Names in the order of their numbers, from 0 or the first bit; None for a bit that is left out.
WRITTEN = {
    "SpaxelStatus": ["binned", "outside_field", "foreground_star", "masked", "below_min_snr"],
    "FitStatus": [
        *("ok", "too_few_pixels", "all_masked", "not_converged", "velocity_at_bound", "sigma_star_at_bound"),
        *("sigma_below_lsf", "no_stellar_continuum", "gas_at_bound", "stopped_early"),
    ],
    "GasModel": ["none", "one_gaussian", "two_gaussians", "one_and_broad", "two_and_broad"],
    "LineStatus": ["ok", "outside_range", "masked", "no_fit"],
    "LineShape": ["not_one_gaussian", "doublet_ratio_rejected"],
    "BptClass": ["none", "star_forming", "composite", None, "seyfert", "liner"],
    "DBptClass": ["none", "star_forming", "composite", "agn"],
    "TrainingCut": [
        *("kept", "too_few_good_pixels", "low_snr", "no_normalisation", "lowest_minimum", "highest_maximum"),
    ],
    "Split": ["train", "validation", "test"],
    "LabelFlag": [
        *("no_fit", "no_weights", "no_masses", "line_missing", "line_negative", "zero_continuum", "no_coverage"),
        *("low_snr", "poor_fit", "negative_decrement", "below_lsf", "at_bound", None, "not_star_forming"),
        *("upper_limit", "not_one_gaussian", "doublet_ratio_rejected", "no_area", "stopped_early", "other_minimum"),
    ],
    "MapFlag": [*[None] * 12, "no_baxel"],
    "BaxelQuality": [
        *("no_fit", *[None] * 7, "poor_fit", *[None] * 15),
        *("fit_not_ok", "centre_outside_field", "no_position", "wide"),
    ],
    "GalaxyQuality": [
        *("no_baxels", "missing_cube", "critical", "too_faint", "all_masked", "centre_outside_field", "no_wcs"),
        "no_good_fit",
    ],
    "PredictionFlag": ["bad_flux", "bad_luminosity", "faint_or_luminous", "strange_colour"],
    "PlacementFlag": [
        *("many_filled", "other_resolution", "resolution_unknown", "extinction_left", "errors_unknown", "untypical"),
        *("redshift_doubtful", "low_snr", "medium_unknown"),
    ],
    "AnomalyCause": [
        *("sky_residual", "foreground_star", "cropped_field", "wrong_redshift", "bad_calibration"),
        "line_without_data",
    ],
}
ENUMERATIONS = {
    name: kind
    for name, kind in vars(codes).items()
    if isinstance(kind, type) and issubclass(kind, Code | Bits) and kind not in (Code, Bits)
}
#: Those that headers of exported files name.
EXPORTED = (FitStatus, LineStatus, BptClass, LabelFlag, MapFlag, BaxelQuality, GalaxyQuality)
#: Modules with bits that others have defined: MaNGA's pipelines.
NOT_OURS = {"survey/bitmasks.py", "export/dap_names.py"}

each = pytest.mark.parametrize("kind", ENUMERATIONS.values(), ids=ENUMERATIONS)


def test_every_enumeration_is_written_down_here():
    assert list(ENUMERATIONS) == list(WRITTEN)


@each
def test_numbers_never_change(kind):
    place = (lambda i: 1 << i) if issubclass(kind, Bits) else (lambda i: i)
    expected = {name: place(i) for i, name in enumerate(WRITTEN[kind.__name__]) if name}
    assert {name.lower(): member.value for name, member in kind.__members__.items()} == expected


@each
def test_every_member_has_a_meaning_of_its_own(kind):
    meanings = [member.meaning for member in kind]
    assert all(text and text.isascii() and "\n" not in text for text in meanings)
    assert len(set(meanings)) == len(meanings)
    assert set(codes._meanings(kind)) == set(kind.__members__), "the docstring names a member that there is not"


def test_bits_of_labels_baxels_and_maps_are_one_vocabulary():
    for flag in BaxelQuality:
        if flag.name in LabelFlag.__members__:
            assert flag.value == LabelFlag[flag.name] and flag.meaning == LabelFlag[flag.name].meaning
        else:
            assert not any(flag & other for other in (*LabelFlag, *MapFlag))
    assert not any(flag & other for flag in LabelFlag for other in MapFlag)
    assert {"NO_FIT", "POOR_FIT"} == set(LabelFlag.__members__) & set(BaxelQuality.__members__)


@each
def test_numbers_fit_the_columns_that_hold_them(kind):
    types = {f.dtype for artefact in KINDS.values() for f in artefact.fields.values() if f.codes is kind} | {"i4"}
    assert max(kind) <= min(np.iinfo(dtype).max for dtype in types)


def test_no_other_module_defines_codes():
    found = set()
    for path in PACKAGE.rglob("*.py"):
        names = {n.id for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Name)}
        if names & {"Enum", "StrEnum", "Flag", "IntEnum", "IntFlag"}:
            found.add(path.relative_to(PACKAGE).as_posix())
    assert found == {"codes.py"} | NOT_OURS


def test_codes_are_plain_numbers_in_arrays_and_json():
    assert np.array([codes.FitStatus.ALL_MASKED, codes.FitStatus.OK]).tolist() == [2, 0]
    assert json.dumps([codes.Split.TEST]) == "[2]" and f"{codes.Split.TEST}" == "2"
    assert codes.FitStatus(np.int8(3)) is codes.FitStatus.NOT_CONVERGED


def test_a_better_wording_reruns_nothing():
    source = essential_source(PACKAGE / "codes.py")
    assert "BELOW_MIN_SNR = 4" in source
    assert not [member.meaning for kind in ENUMERATIONS.values() for member in kind if f": {member.meaning}" in source]


def test_without_docstrings_there_are_no_meanings_and_no_error():
    command = "from mangrove.codes import FitStatus; print(repr(FitStatus.OK.meaning), FitStatus.OK.word)"
    done = subprocess.run([sys.executable, "-OO", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "'' ok\n"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", EXPORTED)
def test_cards_of_headers_hold_names_and_meanings(kind):
    header = fits.Header()
    (add_bits if issubclass(kind, Bits) else add_codes)(header, "LSTAT", kind)
    cards = [fits.Card.fromstring(str(card)) for card in header.cards]
    assert [(card.value.lower(), card.comment) for card in cards] == [(code.word, code.meaning) for code in kind]


@pytest.mark.parametrize("name", WITH_CODE_TABLES)
def test_tables_of_codes_in_the_pages_are_up_to_date(name):
    page = (ROOT / name).read_text(encoding="utf-8")
    assert "<!-- end -->" in page and with_code_tables(page) == page, "run 'make generate'"


def test_a_table_of_codes_replaces_what_stands_in_its_place():
    page = "before\n<!-- codes: Split -->\nold\n<!-- end -->\nafter <!-- cards: MapFlag --><!-- end -->"
    new = with_code_tables(page)
    assert code_table(codes.Split) in new and "old" not in new and new.startswith("before\n")
    assert "| 4096 | 12 | `NO_BAXEL` | the spaxel is in no baxel |" in new
    assert with_code_tables(new) == new
