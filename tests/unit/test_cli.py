"""What the command line says: versions, wrong values, runs, failures, artefacts that cannot be read."""

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from mangrove import artefacts, cli, logs
from mangrove.errors import MangroveError
from mangrove.survey.simulation.cubes import write_drpall
from mangrove.survey.simulation.galaxies import design_galaxy
from mangrove.verification import verify_run

TRACEBACK = 'Traceback (most recent call last):\n  File "/x/mangrove/spectra/fitting.py", line 12, in fit\n    raise\n'


def invoke(*arguments):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def message(*arguments):
    """The text of the mistake that a command ends with."""
    error = invoke(*arguments).exception
    assert isinstance(error, MangroveError)
    return str(error)


def write_artefact(path, reason="", inputs=()):
    data = {"plateifu": np.array(["1-1"]), "mangaid": np.array(["1-1"]), "line": np.array(["a"])}
    data |= {name: np.zeros((1, 1, 2, 4, 4)) for name in ("flux", "ivar", "valid")} | {"z": [0.0], "split": [0]}
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
    assert "cannot write a survey under file" in message("simulate", "--galaxies", 1, "file")


def test_a_selection_of_nothing_leaves_the_sheet_alone(here):
    write_drpall(here / "d.fits", [design_galaxy("9001-1901", 1)], "dr17")
    (here / "config.yaml").write_text("run: mine\n")
    (here / "few.yaml").write_text("sample: {z_min: 0.1}\n")
    (here / "all.yaml").write_text("sample: {z_min: 0.0}\n")
    arguments = "select", "--drpall", "d.fits", "--config"
    assert "wrote samples/mine.tsv" in invoke(*arguments, "all.yaml").output
    before = (here / "samples/mine.tsv").read_bytes()
    assert message(*arguments, "few.yaml") == (
        "no galaxy is left after the cuts above; samples/mine.tsv was not written. Widen sample.z_min, sample.z_max."
    )
    assert "1 removed: z <= 0.1" in invoke(*arguments, "few.yaml").output
    assert (here / "samples/mine.tsv").read_bytes() == before


def test_a_run_is_preferred_to_a_folder_of_its_name(here):
    (here / "demo").mkdir()
    write_artefact(here / "results/demo/a.h5")
    assert "1 artefacts checked, 0 problems" in invoke("verify", "demo").output
    assert "1 artefacts checked, 0 problems" in invoke("verify", "results/demo").output


@pytest.mark.parametrize("command", ["verify", "digest", "export"])
def test_a_folder_without_artefacts_is_no_run(command, here):
    (here / "src").mkdir()
    assert "There is no run here: start one with snakemake." in message(command, "src")
    write_artefact(here / "results/mine/a.h5")
    assert message(command, "src").endswith("Give the name of a run, or its folder. The runs here: mine.")


def test_digest_shows_failures_before_the_first_artefact(here):
    write_log(here / "results/mine/logs/fit/9001-1901.log", "CubeError: no cube; set survey.base")
    assert "1 FAILED fit: CubeError: no cube; set survey.base  [fitting.py:12 fit]" in invoke("digest", "mine").output


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
    assert dict(logs.failures(tmp_path)) == {("fit", text, "fitting.py:12 fit"): 1}


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
