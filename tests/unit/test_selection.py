import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from mangrove.config import Sample
from mangrove.errors import CatalogueError
from mangrove.survey import selection
from mangrove.survey.releases import release

ROWS = {
    "plateifu": ["1-1", "1-2", "1-3", "1-4", "1-5", "1-6"],
    "mangaid": ["1-10", "1-20", "1-30", "1-40", "1-50", "1-10"],
    "drp3qual": [0, 1 << 30, 0, 0, 1, 0],
    "mngtarg1": [4096, 4096, 0, 0, 0, 4096],
    "mngtarg3": [0, 0, 0, 8, 4, 0],
    "nsa_z": [0.03, 0.03, 0.03, -9999.0, 0.1, 0.03],
    "objra": [10.0] * 6,
    "objdec": [-1.0] * 6,
    "ebvgal": [0.02] * 6,
    "nsa_elpetro_th50_r": [3.0, 3.0, 3.0, 3.0, -9999.0, 3.0],
    "nsa_elpetro_mass": [1e10, 1e10, 1e10, 1e10, -9999.0, 1e10],
}


def drpall(path, table, name=None):
    hdu = fits.BinTableHDU(Table(table), name=name)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    return path


@pytest.mark.parametrize(("name", "hdu"), [("dr17", "MANGA"), ("dr15", None)])
def test_cuts_are_counted_and_named(tmp_path, name, hdu):
    table = selection.read_drpall(drpall(tmp_path / "d.fits", ROWS, hdu), release(name))
    chosen = selection.select(table, Sample(z_max=0.08))
    assert [g.plateifu for g in chosen.galaxies] == ["1-1", "1-6"]
    assert chosen.removed == {
        "no galaxy target": 1,
        "no redshift": 1,
        "z <= 0": 0,
        "z >= 0.08": 1,
        "CRITICAL quality bit": 1,
    }
    assert chosen.galaxies[0].r_e == 3.0
    assert chosen.galaxies[0].log_mass == 10.0


def test_other_quality_bits_do_not_remove_and_missing_values_stay_missing(tmp_path):
    table = selection.read_drpall(drpall(tmp_path / "d.fits", ROWS, "MANGA"), release("dr17"))
    chosen = {g.plateifu: g for g in selection.select(table, Sample()).galaxies}
    assert chosen["1-5"].r_e == -9999.0
    assert chosen["1-5"].log_mass == -9999.0


def test_a_catalogue_of_another_release_is_refused(tmp_path):
    path = drpall(tmp_path / "d.fits", {k: v for k, v in ROWS.items() if k != "nsa_z"}, "MANGA")
    with pytest.raises(CatalogueError, match="nsa_z"):
        selection.read_drpall(path, release("dr17"))
    with pytest.raises(CatalogueError, match="cannot be read"):
        selection.read_drpall(tmp_path / "none.fits", release("dr17"))


def test_the_committed_demo_sheet_is_what_select_writes(tmp_path):
    from pathlib import Path

    from mangrove.config import Config
    from mangrove.survey.sample import read_sheet
    from mangrove.survey.simulation.cubes import write_drpall
    from mangrove.survey.simulation.galaxies import SIMULATED_SURVEY, design_galaxy

    write_drpall(tmp_path / "d.fits", [design_galaxy(p, 1) for p in SIMULATED_SURVEY], "dr17")
    chosen = selection.select(selection.read_drpall(tmp_path / "d.fits", release("dr17")), Sample())
    sheet = Path(__file__).parents[2] / "samples" / "demo.tsv"
    committed = read_sheet(Config(run="demo", sample=Sample(sheet=str(sheet))))
    assert list(committed.values()) == chosen.galaxies, "write it anew: see docs/developing.md"
    assert np.all([g.z > 0 for g in chosen.galaxies])
