"""What the command line says: versions, wrong values, runs, failures, artefacts that cannot be read."""

import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from astropy.io import fits
from small_line_cubes import empty_cubes
from typer.testing import CliRunner

from mangrove import artefacts, cli, logs, outputs
from mangrove.errors import MangroveError, OutputError
from mangrove.survey.simulation.design import design_galaxy, survey_plateifus
from mangrove.survey.simulation.drpall import write_drpall
from mangrove.survey.simulation.files import survey_files
from mangrove.verification import verify_run

ROOT = Path(__file__).parents[2]
TRACEBACK = (
    'Traceback (most recent call last):\n  File "/x/mangrove/spectra/fit/ppxf_fit.py", line 12, in fit\n    raise\n'
)


def invoke(*arguments):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def message(*arguments):
    """The text of the mistake that a command ends with."""
    error = invoke(*arguments).exception
    assert isinstance(error, MangroveError)
    return str(error)


def write_artefact(path, reason="", inputs=()):
    data = empty_cubes(["1-1"])
    attrs = {"status": "empty" if reason else "ok", "reason": reason}
    artefacts.write(path, "line_cube_set", data, artefacts.provenance(path, {}, list(inputs)), attrs)


def write_log(path, last):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"INFO start\n{TRACEBACK}{last}\n", encoding="utf-8")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_version():
    done = invoke("--version")
    assert done.exit_code == 0
    assert done.output.startswith("mangrove 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "--config", "a.yaml", "--cores", 0),
        ("plan", "--config", "a.yaml", "--rate", 0),
        ("simulate", "--galaxies", 0, "x"),
        ("simulate", "--seed", -1, "x"),
    ],
)
def test_values_out_of_range_are_refused(arguments, here):
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert "Invalid value for" in done.output
    assert list(here.iterdir()) == []


def test_a_survey_is_not_simulated_into_a_file(here):
    (here / "file").write_text("")
    assert "file is not a folder that you can write to" in message("simulate", "--galaxies", 1, "file")


def test_a_selection_of_nothing_leaves_the_sheet_alone(here):
    write_drpall(here / "d.fits", [design_galaxy("9001-1901", 1)], "dr17")
    (here / "config.yaml").write_text("run: mine\n")
    (here / "few.yaml").write_text("sample: {z_min: 0.1}\n")
    (here / "all.yaml").write_text("sample: {z_min: 0.0}\n")
    arguments = "select", "--drpall", "d.fits", "--config"
    assert "wrote samples/mine.tsv" in invoke(*arguments, "all.yaml").output
    before = (here / "samples/mine.tsv").read_bytes()
    assert message(*arguments, "few.yaml") == (
        "no galaxies are left after the cuts above, so samples/mine.tsv was not written. Widen the redshift range: lower "
        "sample.z_min or raise sample.z_max."
    )
    assert "1 removed: z <= 0.1" in invoke(*arguments, "few.yaml").output
    assert (here / "samples/mine.tsv").read_bytes() == before


def test_a_run_is_preferred_to_a_folder_of_its_name(here):
    (here / "demo").mkdir()
    write_artefact(here / "results/demo/a.h5")
    assert "1 artefacts and models checked, 0 problems" in invoke("verify", "demo").output
    assert "1 artefacts and models checked, 0 problems" in invoke("verify", "results/demo").output


@pytest.mark.parametrize("command", ["verify", "digest", "export"])
def test_a_folder_without_artefacts_is_no_run(command, here):
    (here / "src").mkdir()
    assert "There is no run here: start one with snakemake." in message(command, "src")
    write_artefact(here / "results/mine/a.h5")
    assert message(command, "src").endswith("Give the name of a run, or its folder. The runs here are mine.")


def test_digest_shows_failures_before_the_first_artefact(here):
    write_log(here / "results/mine/logs/fit/9001-1901.log", "CubeError: no cube; set survey.base")
    assert "1 FAILED fit: CubeError: no cube; set survey.base  [ppxf_fit.py:12 fit]" in invoke("digest", "mine").output


def test_digest_counts_artefacts_that_cannot_be_read(here):
    folder = here / "results/mine"
    write_artefact(folder / "good.h5", "no spaxel reaches S/N 2")
    for name in ("a", "b"):
        write_artefact(folder / f"{name}.h5")
        with h5py.File(folder / f"{name}.h5", "a") as f:
            f.attrs["schema_version"] = 1
    (folder / "torn.h5").write_bytes(b"torn")
    done = invoke("digest", "mine")
    assert done.exit_code == 0
    assert "1 line_cube_set: empty (no spaxel reaches S/N 2)" in done.output
    lines = [line for line in done.output.splitlines() if "artefact: unreadable" in line]
    assert [line.split()[0] for line in lines] == ["2", "1"]
    assert "a.h5 is of kind line_cube_set, schema 1" in lines[0]
    assert lines[0].endswith("(and 1 more like it))")
    assert "torn.h5 is not a readable HDF5 file" in lines[1]


def test_verify_names_each_file_once_and_goes_on(here):
    source, made = here / "s.h5", here / "m.h5"
    write_artefact(source)
    write_artefact(made, inputs=[source])
    source.write_bytes(b"torn")
    problems = sorted(verify_run(here).problems)
    assert [problem.count(str(path)) for problem, path in zip(problems, (made, source), strict=True)] == [1, 1]
    assert problems[0].startswith(f"{made}: made from another version of {source}")
    assert problems[1].startswith(f"{source} is not a readable HDF5 file")


def test_a_failure_keeps_its_words(tmp_path):
    text = "ConfigError: fit.rest_range 3600-7400 is too wide; set it in configs/mine.yaml"
    write_log(tmp_path / "fit/9001-1901.log", text)
    assert dict(logs.failures(tmp_path)) == {("fit", text, "ppxf_fit.py:12 fit"): 1}


def test_failures_that_differ_in_galaxy_and_path_are_one(tmp_path):
    for name in ("9001-1901", "9001-1902", "9001-1903"):
        write_log(tmp_path / f"fit/{name}.log", f"CubeError: {name}: data/{name}.fits is torn; delete it")
    write_log(tmp_path / "fit/9001-1904.log", "CubeError: 9001-1904: it has no HDU FLUX")
    write_log(tmp_path / "labels.log", "CubeError: 9001-1904: it has no HDU FLUX")
    found = logs.failures(tmp_path)
    first = "CubeError: 9001-1901: data/9001-1901.fits is torn; delete it (and 2 more like it)"
    assert {(rule, text): n for (rule, text, _), n in found.items()} == {
        ("fit", first): 3,
        ("fit", "CubeError: 9001-1904: it has no HDU FLUX"): 1,
        ("labels", "CubeError: 9001-1904: it has no HDU FLUX"): 1,
    }


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_sheet_of_a_selection_is_replaced_only_as_it_was_written(here):
    write_drpall(here / "d.fits", [design_galaxy(name, 1) for name in ("9001-1901", "9001-1902")], "dr17")
    (here / "config.yaml").write_text("run: mine\n")
    (here / "all.yaml").write_text("sample: {z_min: 0.0}\n")
    (here / "few.yaml").write_text("sample: {z_min: 0.0275}\n")
    sheet = here / "samples/mine.tsv"
    select = "select", "--drpall", "d.fits", "--config"
    assert "wrote samples/mine.tsv" in invoke(*select, "all.yaml").output
    written = sheet.read_bytes()
    assert "already lists these galaxies" in invoke(*select, "all.yaml").output
    assert "wrote samples/mine.tsv" in invoke(*select, "few.yaml").output
    # A row deleted by hand is the user's work.
    by_hand = b"".join(line for line in written.splitlines(keepends=True) if b"9001-1902" not in line)
    sheet.write_bytes(by_hand)
    assert "samples/mine.tsv already exists and is not a sheet as mangrove select wrote it" in message(
        *select, "all.yaml"
    )
    assert sheet.read_bytes() == by_hand
    assert "wrote samples/mine.tsv" in invoke(*select, "all.yaml", "--force").output
    assert sheet.read_bytes() == written
    (here / "bad.yaml").write_text("sample: {sheet: config.yaml}\n")
    assert "config.yaml already exists and is not a sheet" in message(*select, "bad.yaml")
    (here / "own.yaml").write_text("sample: {sheet: own.yaml}\n")
    assert "own.yaml is an input of this command" in message(*select, "own.yaml")


def test_the_sheet_of_the_demo_is_what_its_selection_gives(here, monkeypatch):
    """No archive is asked, and the tracked sheet stays as it is."""
    for name in ("config.yaml", "configs/demo.yaml", "samples/demo.tsv"):
        (here / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, here / name)
    before = snapshot(here)
    monkeypatch.setattr("mangrove.survey.catalogues.fetch", None)
    assert "samples/demo.tsv already lists these galaxies" in invoke("select", "--config", "configs/demo.yaml").output
    assert snapshot(here) == before


def test_a_survey_is_not_simulated_over_an_archive(here):
    archive = here / "sas/dr17/manga/spectro/redux/v3_1_1"
    archive.mkdir(parents=True)
    fits.HDUList([fits.PrimaryHDU()]).writeto(archive / "drpall-v3_1_1.fits", checksum=True)
    before = snapshot(here)
    assert "drpall-v3_1_1.fits already exists and is not a file of the simulated survey" in message(
        "simulate", "--galaxies", 1, "."
    )
    assert snapshot(here) == before
    write_drpall(archive / "drpall-v3_1_1.fits", [design_galaxy("9001-1901", 1)], "dr17")
    cube = survey_files(here, survey_plateifus(1), "dr17")[1]
    cube.parent.mkdir(parents=True)
    cube.write_bytes(b"a cube of the archive")
    assert f"{cube.name} already exists and is not a file of the simulated survey" in message(
        "simulate", "--galaxies", 1, "."
    )


def test_a_survey_is_simulated_over_itself(here):
    for _ in range(2):
        assert invoke("simulate", "--galaxies", 1, "--release", "dr15", "survey").exit_code == 0
    files = {path.relative_to(here / "survey") for path in (here / "survey").rglob("*") if path.is_file()}
    assert files == {path.relative_to(here) for path in survey_files(here, survey_plateifus(1), "dr15")}


def test_outputs_in_impossible_places(here):
    (here / "file").write_text("")
    for target in ("file", "file/table.h5"):
        with pytest.raises(OutputError, match=r"is not a thing|file is not a folder that you can write to"):
            outputs.check(here / target, lambda path: False, "a thing")
    with pytest.raises(OutputError, match="cannot be written"), outputs.replacing(here / "file/x") as part:
        part.write_text("")
    (here / "link").symlink_to("file")
    with outputs.replacing(here / "link") as part:
        part.write_text("new")
    assert (here / "link").is_symlink() and (here / "file").read_text() == "new"
    with pytest.raises(ValueError, match="no"), outputs.replacing(here / "file") as part:
        part.write_text("torn")
        raise ValueError("no")
    assert (here / "file").read_text() == "new" and not list(here.glob(".*"))


@pytest.fixture
def checkout(here):
    """What a fresh clone has that commands look at."""
    for name in ("config.yaml", "configs/demo.yaml", "configs/dr17.yaml", "samples/demo.tsv"):
        (here / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, here / name)
    return here


def lock(folder, *names):
    (folder / ".snakemake/locks").mkdir(parents=True)
    (folder / ".snakemake/locks/0.output.lock").write_text("".join(f"{name}\n" for name in names))


@pytest.mark.parametrize(
    ("locked", "arguments", "said", "command"),
    [
        (["results/demo/a.h5", "data/demo/x"], (), "locked by run demo.", "--configfile configs/demo.yaml\n"),
        (["results/dr17/a.h5"], (), "locked by run dr17.", "--configfile configs/demo.yaml\n"),
        (["data/x.fits"], (), "locked.", "--configfile configs/demo.yaml\n"),
        (["results/x/a"], ("--config", "a.yaml", "--config", "b.yaml"), "by run x.", "--configfile a.yaml b.yaml\n"),
    ],
)
def test_doctor_prints_the_command_that_lifts_the_lock(checkout, locked, arguments, said, command):
    for name in ("a.yaml", "b.yaml"):
        (checkout / name).write_text("run: x\nsample: {sheet: samples/demo.tsv}\n")
    lock(checkout, *locked)
    done = invoke("doctor", "locks", *arguments)
    assert done.exit_code == 1
    assert said in done.output and f"snakemake --unlock {command}" in done.output


def test_doctor_takes_the_configuration_of_the_locked_run(checkout):
    (checkout / "configs/a.yaml").write_text("run: a\nsample: {sheet: samples/demo.tsv}\n")
    lock(checkout, "results/a/x.h5")
    assert "--unlock --configfile configs/a.yaml\n" in invoke("doctor", "locks").output


def test_doctor_prints_no_command_that_fails(checkout):
    """Snakemake would not start with any configuration here, not even to lift the lock."""
    (checkout / "samples/demo.tsv").unlink()
    lock(checkout, "results/demo/a.h5")
    assert "\n  rm -r .snakemake/locks\n" in invoke("doctor", "locks").output


def test_doctor_checks_a_configuration(checkout):
    done = invoke("doctor", "config", "locks", "--config", "configs/demo.yaml")
    assert done.exit_code == 0 and "no lock" in done.output and "nothing to fix" in done.output
    done = invoke("doctor", "config", "--config", "configs/dr17.yaml")
    assert done.exit_code == 1 and "samples/dr17.tsv of run 'dr17' does not exist" in done.output
    assert "nope.yaml does not exist" in invoke("doctor", "config", "--config", "nope.yaml").output


def test_files_are_generated_in_a_checkout_only(here):
    assert "is not a checkout of mangrove" in message("generate")
    assert list(here.iterdir()) == []


def test_outside_of_a_checkout_commands_say_so(here):
    (here / "x.yaml").write_text("run: x\n")
    assert "there is no config.yaml in" in message("plan", "--config", "x.yaml")


def test_commands_expand_paths(checkout, monkeypatch):
    monkeypatch.setenv("HOME", str(checkout))
    assert "14 cubes of 13 galaxies" in invoke("plan", "--config=~/configs/demo.yaml").output
    assert "is not set" in invoke("plan", "--config=$NO_SUCH_NAME/demo.yaml").output


def test_as_a_module():
    done = subprocess.run([sys.executable, "-m", "mangrove", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("mangrove 0.")
