"""The cost of a run before it starts."""

from pathlib import Path

import pytest

from mangrove.config import AutoencoderSection, Config, DesomSection, EmulatorSection, Fit, Sample, Survey
from mangrove.survey import costs
from mangrove.survey.cost_tables import TABLES, hours_of
from mangrove.survey.plan import autoencoder_hours, cube_bytes, describe, map_hours, plan

ROOT = Path(__file__).parents[2]
OFF = AutoencoderSection(enabled=False)


def test_a_thousand_large_galaxies():
    # 250 fits of 0.0737 s (0.3773 s by pPXF) and 15 s of the rest; 170 MB of cube and 18 MB of artefacts.
    names = [f"8{i:03d}-12704" for i in range(1000)]
    assert plan(names, Survey(), Fit()) == pytest.approx((1000 * 33.425 / 3600, 170.0, 188.0, 250_000))
    assert plan(names, Survey(), Fit(engine="ppxf"))[0] == pytest.approx(1000 * 109.325 / 3600)
    assert plan(names, Survey(keep_cubes=False), Fit())[2] == pytest.approx(18.0)


def test_small_bundles_have_small_cubes():
    assert cube_bytes("8485-1901") == 20e6 < cube_bytes("8485-6104") < cube_bytes("8485-12705")
    assert cube_bytes("abell478") == 80e6


def test_the_words_name_addresses_sizes_and_times(tmp_path):
    sheet = tmp_path / "s.tsv"
    sheet.write_text(
        "plateifu\tmangaid\tz\tebv\tra\tdec\n8485-1901\t1-1\t0.03\t0\t1\t1\n8485-12705\t1-1\t0.03\t0\t1\t1\n"
    )
    text = "\n".join(describe(Config(run="few", sample=Sample(sheet=str(sheet))), cores=2, rate=10.0))
    folder = "https://data.sdss.org/sas/dr17/manga/spectro/redux/v3_1_1"
    assert "2 cubes of 1 galaxies" in text
    assert f"{folder}/drpall-v3_1_1.fits" in text
    assert f"{folder}/8485/stack/manga-8485-12705-LOGCUBE.fits.gz" in text
    assert "about 0.2 GB" in text


def test_without_a_sheet_the_whole_release_is_planned():
    text = "\n".join(describe(Config(run="none", survey=Survey(release="dr15")), cores=10, rate=20.0))
    # 4682 cubes of 80 MB; 33.425 s each.
    assert "4682 cubes of DR15" in text
    assert "374.6 GB, 5.2 hours at 20 MB/s" in text
    assert "43.5 core hours, 4.3 hours on 10 cores" in text
    assert "1170500, about 24.0 of these core hours; on one H200 about 1.2 hours" in text


def test_a_limit_counts_before_there_is_a_sheet():
    ten = describe(Config(run="none", sample=Sample(limit=10)), cores=1, rate=20.0)
    assert ten[0].startswith("run 'none': about 10 cubes of DR17")
    # 0.8 GB at 20 MB/s, and ten times 33 s: below an hour in minutes.
    assert ten[-6].endswith("0.8 GB, 1 min at 20 MB/s") and ten[-4].endswith("0.1 core hours, 6 min on 1 cores")
    two = describe(Config(run="none", sample=Sample(plateifus=["8485-1901", "8485-1902"])), cores=1, rate=20.0)
    assert "download   about 0.0 GB" in two[-6]
    assert "about 2 cubes" in two[0]


def test_a_simulated_run_downloads_nothing():
    demo = Config(run="demo", survey=Survey(source="simulated"), sample=Sample(sheet=str(ROOT / "samples/demo.tsv")))
    text = "\n".join(describe(demo, cores=1, rate=20.0))
    assert "simulated on this machine" in text and "disk" in text
    assert "download" not in text


def test_simulated_spectra_have_no_cubes_to_fetch_or_keep():
    survey = Survey(source="simulated_spectra", simulated_baxels=100)
    # 8.37 core seconds and 6 MB for a hundred spectra.
    assert plan(["7000-3701"] * 90, survey, Fit()) == pytest.approx((90 * 8.37 / 3600, 0.0, 0.54, 9000))
    sheet = str(ROOT / "samples/desom-bench.tsv")
    text = "\n".join(describe(Config(run="bench", survey=survey, sample=Sample(sheet=sheet, limit=90)), 1, 20.0))
    assert "100 spectra each of 90 galaxies" in text and "0.5 GB" in text and "about 0.2 core hours" in text
    assert "download" not in text and "cubes" not in text


def test_simulated_line_cubes_need_neither_cubes_nor_fits_nor_maps():
    survey, sheet = Survey(source="simulated_line_cubes"), str(ROOT / "samples/convlstm-bench.tsv")
    assert plan(["6000-1901"] * 90, survey, Fit()) == pytest.approx((90 * 0.29 / 3600, 0.0, 0.18, 0))
    run = Config(run="bench", survey=survey, sample=Sample(sheet=sheet), emulator=EmulatorSection(enabled=False))
    text = "\n".join(describe(run, 1, 20.0))
    assert "line cubes of 200 galaxies" in text and "download" not in text and "map " not in text


def test_a_run_without_cubes_names_its_table():
    run = Config(run="desi", survey=Survey(source="none"), emulator=EmulatorSection(source="desi", desi_file="t.h5"))
    assert describe(run, 1, 1.0) == ["run 'desi': no cubes (survey.source is none), the emulator on t.h5"]


def test_the_training_of_the_autoencoders_is_planned():
    # Two networks, 30 epochs of ten cubes and three copies of each, 0.9 core seconds a cube; 84 of 100 are near enough.
    run = Config(run="none", sample=Sample(limit=100))
    assert autoencoder_hours(run, 10) == pytest.approx(2 * 30 * 10 * 4 * 0.9 / 3600)
    assert autoencoder_hours(Config(run="none", autoencoder=OFF), 10) == 0
    text = "line cubes about 5.0 hours of training on 1 core; on one H200 about 1 min"
    assert describe(run, 1, 20.0)[-1] == text


def test_the_training_of_the_map_of_spectra_is_planned():
    # 65,000 steps of 128 spectra, 7 ms each on two cores.
    assert map_hours(DesomSection()) == pytest.approx(2 * 65_000 * 128 * 0.007 / 3600)
    assert map_hours(DesomSection(batch_size=64, iterations=65_000, pretraining=65_000)) == map_hours(DesomSection())
    assert map_hours(DesomSection(enabled=False)) == 0
    few, many, none = (
        describe(
            Config(run="none", sample=Sample(limit=10), desom=DesomSection(enabled=enabled), autoencoder=OFF),
            cores,
            20.0,
        )[-1]
        for cores, enabled in ((1, True), (16, True), (16, False))
    )
    assert few == "map        about 32.4 hours of training on 1 core; on one H200 about 4 min"
    assert many == "map        about 16.2 hours of training on 2 cores; on one H200 about 4 min"
    assert none.startswith("fits")


def test_the_plan_and_the_tables_of_the_docs_have_one_source(monkeypatch):
    told = describe(Config(run="none", survey=Survey(release="dr15")), cores=8, rate=20.0)
    rows = {
        line.split(" | ")[0].strip("| "): line.split(" | ")[1:] for line in TABLES["releases_computed"]().splitlines()
    }
    of_map, of_cubes = rows["DR15, 8 cores"][2:4]
    assert of_map == "16.2 h" and "map        about 16.2 hours of training on 2 cores" in told[-2]
    assert of_cubes == "4.9 d" and "line cubes about 118.0 hours" in told[-1]
    slower = [one._replace(batched=10 * one.batched) for one in costs.PER_BAXEL]
    monkeypatch.setattr(costs, "PER_BAXEL", slower)
    assert "about 239.6 of these core hours" in "\n".join(
        describe(Config(run="none", survey=Survey(release="dr15")), cores=8, rate=20.0)
    )
    assert "| DR15, MaStar | 4.6 d | 9.1 d |" in TABLES["releases_fitted"]()


def test_more_cores_shorten_what_is_computed_by_galaxy_and_a_gpu_the_rest():
    few, many, gpu = (hours_of(Config(), 1000, cores, has) for cores, has in ((8, False), (64, False), (8, True)))
    assert [a / b for a, b in zip(few[:2], many[:2], strict=True)] == pytest.approx([8.0, 8.0])
    assert few[2:] == many[2:]
    assert gpu[0] == few[0] and gpu[1] < few[1] / 2 and all(g < f / 20 for g, f in zip(gpu[2:], few[2:], strict=True))
    # 250,000 fits of 3.8 ms; 8.32 million spectra in 3.51 min; two networks, 30 epochs of 840 cubes and their copies.
    assert gpu[1:] == pytest.approx((250_000 * 3.8e-3 / 3600, 3.51 / 60, 2 * 30 * 4 * 840 * 3.83e-3 / 3600), rel=0.01)
