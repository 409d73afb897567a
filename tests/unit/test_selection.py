"""The selection of a sample from the catalogues."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from mangrove.config import Config, Emulator, Sample, Survey
from mangrove.errors import CatalogueError, SampleError
from mangrove.survey import catalogues, selection
from mangrove.survey.drpall_files import read_drpall
from mangrove.survey.galaxy import MISSING, Galaxy
from mangrove.survey.releases import release
from mangrove.survey.sample import read_sheet, write_sheet
from mangrove.survey.simulation.cubes import write_drpall
from mangrove.survey.simulation.galaxies import SIMULATED_SURVEY, design_galaxy

ROWS = {
    "plateifu": [f"8485-190{i}" for i in range(1, 7)],
    "mangaid": ["1-10", "1-20", "1-30", "1-40", "1-50", "1-10"],
    "drp3qual": [0, 1 << 30, 0, 0, 1, 0],
    "mngtarg1": [4096, 4096, 0, 0, 0, 4096],
    "mngtarg3": [0, 0, 0, 8, 4, 0],
    "nsa_z": [0.03, 0.03, 0.03, -9999.0, 0.1, 0.03],
    "objra": [10.0] * 6,
    "objdec": [-1.0] * 6,
    "ebvgal": [0.02] * 6,
    "nsa_elpetro_th50_r": [3.0, 3.0, 3.0, 3.0, -9999.0, 3.0],
    "esweight": [0.7] * 6,
    "nsa_elpetro_mass": [1e10, 1e10, 1e10, 1e10, -9999.0, 1e10],
}


def drpall(path, table, name=None):
    hdu = fits.BinTableHDU(Table(table), name=name)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    return path


@pytest.mark.parametrize(("name", "hdu"), [("dr17", "MANGA"), ("dr15", None)])
def test_cuts_are_counted_and_named(tmp_path, name, hdu):
    table = read_drpall(drpall(tmp_path / "d.fits", ROWS, hdu), release(name))
    chosen = selection.select(table, Sample(z_max=0.08))
    assert [g.plateifu for g in chosen.galaxies] == ["8485-1901", "8485-1906"]
    assert chosen.removed == {
        "no galaxy target": 1,
        "no redshift": 1,
        "z <= 0": 0,
        "z >= 0.08": 1,
        "CRITICAL quality bit": 1,
    }
    assert chosen.galaxies[0].r_e == 3.0
    # drpall has M_sun / h^2, which for H0 = 70 km/s/Mpc is twice as many M_sun.
    assert chosen.galaxies[0].log_mass == pytest.approx(10.0 - 2 * np.log10(0.7))
    assert chosen.galaxies[0].esweight == 0.7


def test_other_quality_bits_do_not_remove_and_missing_values_stay_missing(tmp_path):
    table = read_drpall(drpall(tmp_path / "d.fits", ROWS, "MANGA"), release("dr17"))
    chosen = {g.plateifu: g for g in selection.select(table, Sample()).galaxies}
    assert chosen["8485-1905"].r_e == -9999.0
    assert chosen["8485-1905"].log_mass == -9999.0


def test_shapes_that_no_galaxy_has_are_missing(tmp_path):
    table = Table(ROWS | {"nsa_elpetro_th50_r": [0.0] * 6, "nsa_elpetro_ba": [1.5, 0.4, 0.4, 0.4, 0.4, 1.0]})
    first, *_, last = selection.select(
        read_drpall(drpall(tmp_path / "d.fits", table, "MANGA"), release("dr17")), Sample()
    ).galaxies
    assert (first.r_e, first.ba, last.ba) == (MISSING, MISSING, 1.0)


def archive_run(tmp_path, **survey):
    """A run below an archive's folder that is there and has no file, with a drpall fetched before."""
    (tmp_path / "archive").mkdir()
    kept = tmp_path / "data/v3_1_1/drpall-v3_1_1.fits"
    kept.parent.mkdir(parents=True)
    drpall(kept, ROWS, "MANGA")
    settings = {"base": str(tmp_path / "archive"), "data_folder": str(tmp_path / "data")} | survey
    return Config(run="x", survey=Survey(**settings), sample=Sample(sheet=str(tmp_path / "x.tsv")))


@pytest.mark.parametrize("name", ["/no/such/drpall-v3_1_1.fits", "drpall-v3_1_1.fits", "file:///no/drpall-v3_1_1.fits"])
@pytest.mark.parametrize("base", ["folder", "https://data.sdss.org/"])
def test_a_mistyped_drpall_is_an_error_whatever_was_fetched_before(tmp_path, name, base):
    run = archive_run(tmp_path, **({} if base == "folder" else {"base": base}))
    with pytest.raises(CatalogueError, match=r"the catalogue /\S*drpall-v3_1_1.fits does not exist; check --drpall"):
        selection.make_sample(run, name)


def test_other_catalogues_that_are_not_there_name_their_key(tmp_path):
    run = archive_run(tmp_path)
    with pytest.raises(CatalogueError, match=r"/archive/sas/dr17\S* does not exist; check survey.base"):
        selection.make_sample(run)
    here = str(tmp_path / "data/v3_1_1/drpall-v3_1_1.fits")
    for key in ("agn", "morphology"):
        other = run.model_copy(update={"sample": Sample(**{key: "none.fits"})})
        with pytest.raises(CatalogueError, match=rf"/archive/none.fits does not exist; check sample.{key}"):
            selection.make_sample(other, here)


def test_a_catalogue_of_a_server_is_fetched_once_and_one_in_the_mirror_is_taken(tmp_path):
    fetched = archive_run(tmp_path, base="http://127.0.0.1:9/")
    assert len(selection.make_sample(fetched).galaxies) == 3
    mirror = tmp_path / "mirror" / release("dr17").drpall_path
    mirror.parent.mkdir(parents=True)
    drpall(mirror, {name: values[:1] for name, values in ROWS.items()}, "MANGA")
    survey = Survey(base=str(tmp_path / "archive"), mirror=str(tmp_path / "mirror"))
    assert len(selection.make_sample(fetched.model_copy(update={"survey": survey})).galaxies) == 1


def test_without_cubes_there_is_nothing_to_select_from():
    with pytest.raises(CatalogueError, match=r"survey.source is none: there is no catalogue to select from"):
        selection.make_sample(Config(survey=Survey(source="none"), emulator=Emulator(source="desi", desi_file="t.h5")))


def test_a_catalogue_of_another_release_is_refused(tmp_path):
    path = drpall(tmp_path / "d.fits", {k: v for k, v in ROWS.items() if k != "nsa_z"}, "MANGA")
    with pytest.raises(CatalogueError, match="nsa_z"):
        read_drpall(path, release("dr17"))
    with pytest.raises(
        CatalogueError, match=r"cannot be read as the drpall of DR17 .*No such file.*Correct survey.release"
    ):
        read_drpall(tmp_path / "none.fits", release("dr17"))


def agn_catalogue(path, **changes):
    """Two nuclei in the layout of Comerford et al. (2020): 1-1 infrared and radio, 7-7 X-ray."""
    table = {
        "MANGAID": ["manga-1-1", "manga-7-7"],
        "WISE_AGN": [True, False],
        "BAT_AGN": [False, True],
        "RADIO_AGN": [True, False],
        "BROAD_AGN": [False, False],
        "RADIO_CLASS": ["LERG", ""],
    }
    Table(table | changes).write(path)
    return path


def galaxies(*names):
    return [Galaxy(name, "1-" + name[-1], 0.03, 0.0, 1.0, 1.0) for name in names]


def test_agn_flags_are_joined_by_plateifu(tmp_path):
    first, second = catalogues.join_agn(galaxies("1-1", "1-2"), agn_catalogue(tmp_path / "agn.fits"))
    assert (first.agn_wise, first.agn_bat, first.agn_radio, first.agn_broad, first.radio_class) == (1, 0, 1, 0, "LERG")
    assert first.agn
    assert (second.agn_wise, second.agn_bat, second.agn_radio, second.agn_broad) == (0, 0, 0, 0)
    assert not second.agn
    unknown = galaxies("1-1")[0]
    assert unknown.agn_wise == -1
    assert not unknown.agn


@pytest.mark.parametrize(
    "layout", [("name", "Type", "manga-"), ("PLATEIFU", "MORPH", ""), ("MANGAID", "hubble_type", "manga-")]
)
def test_hubble_types_are_joined_from_any_of_the_layouts(tmp_path, layout):
    name, kind, prefix = layout
    Table({name: [f"{prefix}1-1", f"{prefix}1-2"], kind: ["Sb", "-"]}).write(tmp_path / "m.fits")
    joined = catalogues.join_morphology(galaxies("1-1", "1-2", "1-3"), tmp_path / "m.fits")
    assert [g.morphology for g in joined] == ["Sb", "", ""]


def test_a_wrong_catalogue_says_what_it_lacks(tmp_path):
    Table({"plateifu": ["1-1"], "colour": ["red"]}).write(tmp_path / "m.fits")
    with pytest.raises(CatalogueError, match=r"no column TYPE or HUBBLE_TYPE or MORPH.*plateifu, colour"):
        catalogues.join_morphology(galaxies("1-1"), tmp_path / "m.fits")
    with pytest.raises(CatalogueError, match="1-1 twice"):
        catalogues.join_agn(galaxies("1-1"), agn_catalogue(tmp_path / "a.fits", MANGAID=["manga-1-1"] * 2))
    (tmp_path / "page.fits").write_text("<html>")
    with pytest.raises(CatalogueError, match="cannot be read"):
        catalogues.join_agn(galaxies("1-1"), tmp_path / "page.fits")


@pytest.mark.parametrize("name", ["dr15", "dr17"])
def test_a_simulated_archive_gives_a_sheet_with_everything_joined(tmp_path, name):
    """From the archive's tree to the sheet and back, both layouts of drpall."""
    designs = [design_galaxy(p, 1) for p in SIMULATED_SURVEY]
    version = release(name)
    path = tmp_path / "archive" / version.drpall_path
    path.parent.mkdir(parents=True)
    write_drpall(path, designs, name)
    agn_catalogue(tmp_path / "archive" / "agn.fits", MANGAID=[f"manga-{designs[0].plateifu}", "manga-7-7"])
    config = Config(
        run="x",
        survey=Survey(release=name, base=(tmp_path / "archive").as_uri(), data_folder=str(tmp_path / "data")),
        sample=Sample(sheet=str(tmp_path / "x.tsv"), agn="agn.fits", convlstm_z_max=0.03),
    )
    chosen = selection.make_sample(config)
    write_sheet(config.sheet, chosen.galaxies)
    rows = read_sheet(config)
    assert list(rows.values()) == chosen.galaxies
    assert rows[designs[0].plateifu].agn
    assert {g.drpver for g in chosen.galaxies} == {version.drpver}
    assert sum(g.convlstm for g in chosen.galaxies) == sum(g.z < 0.03 for g in chosen.galaxies) > 0
    text = "\n".join(selection.summary(chosen, config.sample))
    names = [g.mangaid for g in chosen.galaxies]
    assert f"{len(names):7d} cubes selected\n" in text
    assert f"{len(set(names)):7d} galaxies\n" in text
    assert f"{len(names) - len(set(names)):7d} repeat observations\n" in text
    assert len(set(names)) == len(names) - 1, "the simulated survey repeats one galaxy"
    assert "      1 active nuclei\n" in text
    assert "      1 removed: CRITICAL quality bit" in text
    with pytest.raises(SampleError, match=r"drpver.*mangrove select"):
        read_sheet(config.model_copy(update={"survey": Survey(release="dr15" if name == "dr17" else "dr17")}))


def test_the_committed_demo_sheet_is_what_select_writes(tmp_path):
    write_drpall(tmp_path / "d.fits", [design_galaxy(p, 1) for p in SIMULATED_SURVEY], "dr17")
    chosen = selection.select(read_drpall(tmp_path / "d.fits", release("dr17")), Sample())
    sheet = Path(__file__).parents[2] / "samples" / "demo.tsv"
    committed = read_sheet(Config(run="demo", sample=Sample(sheet=str(sheet))))
    assert list(committed.values()) == chosen.galaxies, "write it anew: see docs/developing.md"
    assert np.all([g.z > 0 for g in chosen.galaxies])
