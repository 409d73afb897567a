"""The selection of a sample from the catalogues."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from mangrove.config import Config, EmulatorSection, Sample, Survey
from mangrove.errors import CatalogueError, SampleError
from mangrove.survey import catalogues, selection
from mangrove.survey.drpall_files import read_drpall
from mangrove.survey.galaxy import Galaxy
from mangrove.survey.releases import release
from mangrove.survey.sample import read_sheet, write_sheet
from mangrove.survey.simulation.design import SIMULATED_SURVEY, design_galaxy
from mangrove.survey.simulation.drpall import write_drpall
from mangrove.survey.simulation.line_cube_survey import design_line_cube_galaxy, line_cube_plateifus
from mangrove.survey.simulation.spectra_survey import design_various_galaxy, spectra_plateifus
from mangrove.survey.target import MISSING

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
        "not a galaxy target": 1,
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
        selection.make_sample(
            Config(survey=Survey(source="none"), emulator=EmulatorSection(source="desi", desi_file="t.h5"))
        )


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
    simulated = Config(run="demo", survey=Survey(source="simulated"))
    chosen = selection.make_sample(simulated, str(tmp_path / "d.fits"))
    sheet = Path(__file__).parents[2] / "samples" / "demo.tsv"
    committed = read_sheet(Config(run="demo", sample=Sample(sheet=str(sheet))))
    assert list(committed.values()) == chosen.galaxies, "write it anew: see docs/developing.md"
    assert np.all([g.z > 0 for g in chosen.galaxies])


def odd_rows(n=3):
    """A drpall of so many good rows, columns by name."""
    return {
        "plateifu": [f"8485-190{i}" for i in range(1, n + 1)],
        "mangaid": [f"1-{i}0" for i in range(1, n + 1)],
        "drp3qual": [0] * n,
        "mngtarg1": [4096] * n,
        "mngtarg3": [0] * n,
        "nsa_z": [0.03] * n,
        "objra": [10.0 * i for i in range(1, n + 1)],
        "objdec": [-1.0] * n,
        "ebvgal": [0.02] * n,
        "versdrp3": ["v3_1_1"] * n,
    }


def last(values, value):
    """The values with another last one."""
    return [*values[:-1], value]


def masked_last(values):
    return MaskedColumn(values, mask=[*[False] * (len(values) - 1), True])


def in_units(path, units):
    """A file of a table whose header gives these units, by column."""
    with fits.open(path, mode="update") as hdus:
        for column, unit in units.items():
            hdus[1].columns[column].unit = unit
    return path


def run_sees(tmp_path, table, units=None, **sample):
    """What a selection keeps and removes, after its sheet has been read as a run reads it."""
    path = in_units(drpall(tmp_path / "d.fits", table, "MANGA"), units or {})
    config = Config(run="x", sample=Sample(sheet=str(tmp_path / "x.tsv"), **sample))
    chosen = selection.make_sample(config, str(path))
    write_sheet(config.sheet, chosen.galaxies)
    assert list(read_sheet(config).values()) == chosen.galaxies
    return chosen


@pytest.mark.parametrize(
    ("column", "value", "cut"),
    [
        ("objra", np.nan, "no position"),
        ("objra", -9999.0, "no position"),
        ("objra", 400.0, "no position"),
        ("objdec", 95.0, "no position"),
        ("objdec", "masked", "no position"),
        ("ebvgal", np.nan, "no Galactic E(B-V)"),
        ("ebvgal", -9999.0, "no Galactic E(B-V)"),
        ("ebvgal", -0.1, "no Galactic E(B-V)"),
        ("nsa_z", "masked", "no redshift"),
        ("nsa_z", np.nan, "no redshift"),
        ("nsa_z", -9999.0, "no redshift"),
        ("mangaid", "", "no MANGAID"),
        ("mangaid", "None", "no MANGAID"),
        ("plateifu", "", "no plateifu"),
        ("plateifu", "8485-", "no plateifu"),
        ("plateifu", "8485-1901", "listed twice"),
        ("drp3qual", -9999, "quality unknown"),
        ("drp3qual", "masked", "quality unknown"),
        ("drp3qual", 1 << 30, "CRITICAL quality bit"),
        ("mngtarg1", -9999, "targets unknown"),
        ("mngtarg1", "masked", "targets unknown"),
        ("mngtarg1", 0, "not a galaxy target"),
        ("versdrp3", "v2_4_3", "from another version of the pipeline"),
    ],
)
def test_what_a_run_would_refuse_is_a_counted_cut(tmp_path, column, value, cut):
    table = odd_rows()
    table[column] = masked_last(table[column]) if value == "masked" else last(table[column], value)
    chosen = run_sees(tmp_path, table)
    assert [g.plateifu for g in chosen.galaxies] == ["8485-1901", "8485-1902"]
    assert {name: n for name, n in chosen.removed.items() if n} == {cut: 1}
    assert f"      1 removed: {cut}" in selection.summary(chosen, Sample())


def test_unknown_quality_counts_only_where_quality_does(tmp_path):
    table = odd_rows()
    table["drp3qual"] = masked_last(table["drp3qual"])
    assert len(run_sees(tmp_path, table, drop_critical=False).galaxies) == 3


def test_one_mangaid_at_two_places_is_cut_and_repeats_stay(tmp_path):
    table = odd_rows(4) | {"mangaid": ["1-10", "1-10", "1-20", "1-20"], "objra": [10.0, 10.001, 20.0, 21.0]}
    chosen = run_sees(tmp_path, table)
    assert [g.plateifu for g in chosen.galaxies] == ["8485-1901", "8485-1902"]
    assert chosen.removed["one MANGAID at two places on the sky"] == 2


def test_one_galaxy_under_two_mangaids_is_said(tmp_path):
    chosen = run_sees(tmp_path, odd_rows() | {"objra": [10.0, 20.0, 10.0003]})
    assert "      2 cubes within 3 arcsec of one with another MANGAID" in "\n".join(selection.summary(chosen, Sample()))


@pytest.mark.parametrize("mass_unit", ["solMass", "h^{-2} solar masses", "Msun/h^2"])
def test_units_of_drpall_are_used(tmp_path, mass_unit):
    """Radians, hour angle, mmag, arcmin, and the two ways of giving the unit of masses."""
    columns = {
        "objra": ([1.0, 2.0, 3.0], "hourangle"),
        "objdec": (np.deg2rad([-1.0, 0.5, 2.0]), "rad"),
        "ebvgal": ([20.0, 30.0, 40.0], "mmag"),
        "nsa_elpetro_th50_r": ([0.1, 0.2, 0.3], "arcmin"),
        "nsa_elpetro_phi": (np.deg2rad([10.0, 20.0, 30.0]), "rad"),
        "nsa_elpetro_mass": ([1e10, 1e9, 1e8], mass_unit),
    }
    table = odd_rows() | {name: values for name, (values, _) in columns.items()}
    found = run_sees(tmp_path, table, {name: unit for name, (_, unit) in columns.items()}).galaxies
    wanted = {
        "ra": [15, 30, 45],
        "dec": [-1, 0.5, 2],
        "ebv": [0.02, 0.03, 0.04],
        "r_e": [6, 12, 18],
        "pa": [10, 20, 30],
        "log_mass": 10 - 2 * np.log10(0.7) - np.arange(3),
    }
    for name, values in wanted.items():
        np.testing.assert_allclose([getattr(g, name) for g in found], values, rtol=1e-8)


@pytest.mark.parametrize(
    ("column", "unit"), [("objra", "h"), ("nsa_z", "km/s"), ("ebvgal", "deg"), ("objdec", "furlong")]
)
def test_units_of_another_kind_are_refused(tmp_path, column, unit):
    path = in_units(drpall(tmp_path / "d.fits", odd_rows(), "MANGA"), {column: unit})
    with pytest.raises(CatalogueError, match=rf"d.fits: the column {column} is in '.*', but .* is needed"):
        selection.select(read_drpall(path, release("dr17")), Sample())


def test_scaled_and_null_columns_of_drpall(tmp_path):
    """E(B-V) in thousandths, as integers with TSCAL and TNULL."""
    path = drpall(tmp_path / "d.fits", odd_rows() | {"ebvgal": np.array([20, 30, -1], "i2")}, "MANGA")
    with fits.open(path) as hdus:
        i = hdus[1].columns.names.index("ebvgal") + 1
        raw = fits.BinTableHDU(hdus[1].data, hdus[1].header, name="MANGA")
        raw.header[f"TSCAL{i}"], raw.header[f"TNULL{i}"] = 1e-3, -1
        content = path.read_bytes()
        header = raw.header.tostring().encode().ljust(-(-len(raw.header.tostring()) // 2880) * 2880)
        start = hdus[1].fileinfo()
        path.write_bytes(content[: start["hdrLoc"]] + header + content[start["datLoc"] :])
    chosen = selection.select(read_drpall(path, release("dr17")), Sample())
    assert [g.ebv for g in chosen.galaxies] == [0.02, 0.03]
    assert chosen.removed["no Galactic E(B-V)"] == 1


def test_the_drpall_of_another_release_is_refused(tmp_path):
    path = drpall(tmp_path / "d.fits", odd_rows() | {"versdrp3": ["v2_4_3"] * 3}, "MANGA")
    with pytest.raises(CatalogueError, match=r"is the drpall of v2_4_3; survey.release dr17 needs v3_1_1"):
        read_drpall(path, release("dr17"))


def test_a_drpall_without_rows_is_refused(tmp_path):
    path = drpall(tmp_path / "d.fits", Table(ROWS)[:0], "MANGA")
    with pytest.raises(CatalogueError, match=r"d.fits lists no galaxy. Correct survey.release or --drpall."):
        read_drpall(path, release("dr17"))
    assert selection.select(Table(ROWS)[:0], Sample()).galaxies == []


@pytest.mark.parametrize("column", ["plateifu", "mangaid", "versdrp3"])
def test_names_of_several_words_a_row_are_refused(tmp_path, column):
    table = ROWS | {column: [["8485-1901", "8485-1902"]] * 6}
    with pytest.raises(CatalogueError, match=f"d.fits: the column {column} has several values per row"):
        selection.make_sample(Config(), str(drpall(tmp_path / "d.fits", table, "MANGA")))


def test_only_what_mangrove_fetched_is_to_be_deleted(tmp_path):
    run = archive_run(tmp_path, base="http://127.0.0.1:9/")
    kept, own = tmp_path / "data/v3_1_1/drpall-v3_1_1.fits", tmp_path / "own.fits"
    for path in (kept, own):
        path.write_text("<html>")
    with pytest.raises(CatalogueError, match=r"Delete it and run 'mangrove select' again"):
        selection.make_sample(run)
    with pytest.raises(
        CatalogueError, match=r"(?!.*Delete it)own.fits cannot be read.*Correct survey.release or --drpall"
    ):
        selection.make_sample(run, str(own))


def test_a_simulated_survey_is_selected_from_its_own_catalogue(tmp_path, monkeypatch):
    """Nothing is fetched; the run's archive goes before a catalogue made for the purpose."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(catalogues, "fetch", None)
    config = Config(run="sim", seed=3, survey=Survey(source="simulated"))
    chosen = selection.make_sample(config).galaxies
    wanted = [d for d in (design_galaxy(p, 3) for p in SIMULATED_SURVEY) if not d.drp3qual & 1 << 30]
    assert [(g.plateifu, g.z) for g in chosen] == [(d.plateifu, d.redshift) for d in wanted]
    active = [(int(d.kind == "seyfert"), int(d.role == "offset_agn"), 0, 0) for d in wanted]
    assert [(g.agn_wise, g.agn_bat, g.agn_radio, g.agn_broad) for g in chosen] == active
    assert {sum(flags) for flags in active} == {0, 1}
    made = tmp_path / "results/sim/archive" / release("dr17").drpall_path
    write_drpall(made, [design_galaxy(SIMULATED_SURVEY[0], 3)], "dr17")
    assert [g.plateifu for g in selection.make_sample(config).galaxies] == [SIMULATED_SURVEY[0]]


def test_simulated_spectra_are_selected_from_their_own_catalogue(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    survey = Survey(source="simulated_spectra", simulated_galaxies=8)
    chosen = selection.make_sample(Config(run="sim", seed=3, survey=survey)).galaxies
    designs = [design_various_galaxy(name, 3) for name in spectra_plateifus(8)]
    assert [(g.plateifu, g.mangaid, g.z) for g in chosen] == [(d.plateifu, d.mangaid, d.redshift) for d in designs]
    assert len({g.mangaid for g in chosen}) == 7
    assert {(g.desom, g.convlstm) for g in chosen} == {(1, 0)}


def test_simulated_line_cubes_are_selected_from_their_own_catalogue(tmp_path, monkeypatch):
    """They are for the autoencoders alone, and the active nuclei of the design are flagged."""
    monkeypatch.chdir(tmp_path)
    survey = Survey(source="simulated_line_cubes", simulated_galaxies=60)
    config = Config(run="sim", seed=3, survey=survey, emulator=EmulatorSection(enabled=False))
    chosen = selection.make_sample(config).galaxies
    designs = [design_line_cube_galaxy(name, 3) for name in line_cube_plateifus(60)]
    assert [(g.plateifu, g.z) for g in chosen] == [(d.galaxy.plateifu, d.galaxy.redshift) for d in designs]
    assert {(g.desom, g.convlstm) for g in chosen} == {(0, 1)}
    active = [d.galaxy.kind == "seyfert" or d.anomaly == "offset_agn" for d in designs]
    assert [g.agn for g in chosen] == active and 0 < sum(active) < 20


def test_there_is_no_catalogue_of_own_files(tmp_path):
    with pytest.raises(CatalogueError, match=r"survey.source is files: .*write the sheet by hand"):
        selection.make_sample(Config(survey=Survey(source="files")), "d.fits")


NUCLEI = ("8485-1901", "8485-1902", "8485-1903")


def survey_of(*names):
    return [Galaxy(name, f"1-{i}", 0.03, 0.0, float(i), 1.0) for i, name in enumerate(names)]


@pytest.mark.parametrize("ending", ["fits", "ecsv", "csv"])
@pytest.mark.parametrize(
    "column",
    [
        MaskedColumn([1, 0, 0], mask=[False, False, True]),
        [1, 0, -1],
        [1.0, 0.0, np.nan],
        ["T", "F", ""],
        ["yes", "no", "unknown"],
    ],
)
def test_unknown_nuclei_stay_unknown(tmp_path, column, ending):
    path = agn_catalogue(
        tmp_path / f"agn.{ending}", MANGAID=[f"manga-{n}" for n in NUCLEI], WISE_AGN=column, **blank(3)
    )
    found = catalogues.join_agn(survey_of(*NUCLEI), path)
    assert [g.agn_wise for g in found] == [1, 0, -1]
    assert [g.agn for g in found] == [True, False, False]


def blank(n):
    return {name: [0] * n for name in ("BAT_AGN", "RADIO_AGN", "BROAD_AGN")} | {"RADIO_CLASS": [""] * n}


@pytest.mark.parametrize(
    ("column", "names"),
    [
        ("MANGAID", ["manga-8485-1901", "manga-8485-1902", "manga-8485-1903"]),
        ("MANGAID", ["8485-1901", "8485-1902", "8485-1903"]),
        ("MANGAID", ["1-0", "1-1", "1-2"]),
        ("mangaid", ["1-0 ", "1-1", "1-2"]),
        ("PLATEIFU", ["8485-1901", "8485-1902", "8485-1903"]),
        ("NAME", ["MANGA-8485-1901", "manga-8485-1902", "manga-8485-1903"]),
    ],
)
def test_catalogues_are_joined_by_either_name(tmp_path, column, names):
    flags = {key: [1, 0, 1] for key in ("WISE_AGN", "BAT_AGN", "RADIO_AGN", "BROAD_AGN")}
    Table({column: names, "TYPE": ["Sa", "Sb", "Sc"], **flags}).write(tmp_path / "c.fits")
    galaxies = survey_of(*NUCLEI)
    assert [g.agn_bat for g in catalogues.join_agn(galaxies, tmp_path / "c.fits")] == [1, 0, 1]
    assert [g.morphology for g in catalogues.join_morphology(galaxies, tmp_path / "c.fits")] == ["Sa", "Sb", "Sc"]


def test_a_column_of_names_of_two_kinds_is_refused(tmp_path):
    path = agn_catalogue(tmp_path / "agn.fits", MANGAID=["manga-8485-1901", "1-2"])
    with pytest.raises(CatalogueError, match=r"agn.fits, row 2: 1-2 is a mangaid, but other names are plateifus"):
        catalogues.join_agn(survey_of(*NUCLEI), path)


def test_repeat_observations_share_what_is_known_of_their_mangaid(tmp_path):
    galaxies = [replace(g, mangaid="1-5") for g in survey_of(*NUCLEI)]
    Table({"MANGAID": ["1-5", "1-5"], "TYPE": ["Sa", "Sa"]}).write(tmp_path / "m.fits")
    assert [g.morphology for g in catalogues.join_morphology(galaxies, tmp_path / "m.fits")] == ["Sa"] * 3
    Table({"MANGAID": ["1-5", "1-5"], "TYPE": ["Sa", "Sb"]}).write(tmp_path / "n.fits")
    with pytest.raises(CatalogueError, match="lists 1-5 twice, with different values"):
        catalogues.join_morphology(galaxies, tmp_path / "n.fits")


@pytest.mark.parametrize("names", [["8485_1901", "8485_1902"], ["", ""], ["NGC 1", "NGC 2"]])
def test_a_catalogue_of_other_galaxies_is_refused(tmp_path, names):
    path = agn_catalogue(tmp_path / "agn.fits", MANGAID=names)
    Table({"NAME": names, "TYPE": ["Sa", "Sb"]}).write(tmp_path / "m.fits")
    with pytest.raises(
        CatalogueError, match=r"agn.fits lists none of the 3 cubes of the survey: its MANGAID holds names like"
    ):
        catalogues.join_agn(survey_of(*NUCLEI), path)
    with pytest.raises(CatalogueError, match=r"m.fits lists none of the 3 cubes"):
        catalogues.join_morphology(survey_of(*NUCLEI), tmp_path / "m.fits")


def test_a_small_sample_without_nuclei_is_no_fault(tmp_path):
    """The catalogue lists galaxies of the survey, though none of the sample."""
    path = drpall(tmp_path / "d.fits", odd_rows() | {"nsa_z": [0.03, 0.03, 0.1]}, "MANGA")
    agn = agn_catalogue(tmp_path / "agn.fits", MANGAID=["manga-8485-1903", "manga-7-7"])
    config = Config(sample=Sample(z_max=0.05, agn=str(agn)))
    assert [g.agn_wise for g in selection.make_sample(config, str(path)).galaxies] == [0, 0]


def test_hubble_types_are_text_of_one_line(tmp_path):
    galaxies = survey_of(*NUCLEI)
    Table({"NAME": NUCLEI, "TYPE": ['"S0', "S b\tc\n", "nan"]}).write(tmp_path / "m.fits")
    found = catalogues.join_morphology(galaxies, tmp_path / "m.fits")
    assert [g.morphology for g in found] == ['"S0', "S b c", ""]
    write_sheet(tmp_path / "s.tsv", found)
    assert list(read_sheet(Config(sample=Sample(sheet=str(tmp_path / "s.tsv")))).values()) == found


@pytest.mark.parametrize("types", [[0, 3, -5], ["0", "3", "-5"], [0.5, np.nan, 3.0], [True, False, True]])
def test_numbers_and_truth_values_are_no_hubble_types(tmp_path, types):
    for path in (tmp_path / "t.fits", tmp_path / "t.ecsv", tmp_path / "t.csv"):
        Table({"NAME": NUCLEI, "TYPE": types}).write(path)
        with pytest.raises(CatalogueError, match="the column TYPE holds numbers or truth values; Hubble types as text"):
            catalogues.join_morphology(survey_of(*NUCLEI), path)


def test_logarithms_are_no_masses(tmp_path):
    path = drpall(tmp_path / "d.fits", odd_rows() | {"nsa_elpetro_mass": [9.5, 10.0, 11.2]}, "MANGA")
    with pytest.raises(CatalogueError, match=r"nsa_elpetro_mass has values up to 11\.2, .* not their logarithms"):
        selection.make_sample(Config(), str(path))
