"""Fits in chunks of galaxies (fit.engine: batched): what is fitted again after a change, a failure or a kill."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from base64 import urlsafe_b64encode
from hashlib import sha256

import pytest
from conftest import ROOT, make_workspace
from small_chunks import CONFIG, LABELS, make_chunks
from test_reruns import code_edit


@pytest.fixture(scope="module")
def chunks(tmp_path_factory):
    """A finished run."""
    found = make_chunks(make_workspace(tmp_path_factory.mktemp("chunks")))
    assert len(found.fitted()) == 6
    return found


@pytest.fixture(autouse=True)
def as_found(chunks, tmp_path):
    """Give the run back as it was, with what Snakemake remembers of it."""
    places = chunks.folder / "results", chunks.folder / ".snakemake/metadata"
    for i, place in enumerate(places):
        shutil.copytree(place, tmp_path / str(i))
    yield
    for i, place in enumerate(places):
        shutil.rmtree(place)
        shutil.move(tmp_path / str(i), place)


def test_a_finished_run_has_nothing_to_do(chunks):
    assert chunks.planned() == {}
    assert not (chunks.fits / ".finished").exists()


def test_a_galaxy_more_costs_one_fit(chunks):
    before = chunks.content()
    seventh = (chunks.folder / "seventh").read_text().split("\t")
    with chunks.sheet(lambda rows: [*rows, seventh]):
        assert chunks.fitted() == [seventh[0]]
        after = chunks.content()
        assert chunks.planned() == {}
    assert {name: after[name] for name in before} == before
    assert chunks.fitted() == [] and chunks.planned() == {}


def test_another_redshift_of_one_galaxy_costs_one_fit(chunks):
    before = chunks.content()
    name = chunks.rows()[3][0]
    with chunks.sheet(lambda rows: [[*row[:2], "0.0999" if row[0] == name else row[2], *row[3:]] for row in rows]):
        assert chunks.fitted() == [name]
    after = chunks.content()
    assert [other for other in before if after[other] != before[other]] == [name]


def test_other_settings_fit_all_galaxies(chunks):
    before = chunks.content()
    assert len(chunks.fitted("--config", "fit={'polynomial_degree': 2}")) == 6
    after = chunks.content()
    assert all(after[name] != before[name] for name in before)


def test_other_chunks_fit_nothing(chunks):
    before = chunks.content()
    smaller = "--config", "fit={'chunk': 2}"
    assert chunks.planned(*smaller)["fit_batched"] > 1
    assert chunks.fitted(*smaller) == [] and chunks.planned(*smaller) == {}
    assert chunks.fitted() == [] and chunks.planned() == {}
    assert chunks.content() == before
    # Logs and timings are of the chunks that there are.
    for folder in ("logs", "benchmarks"):
        assert [path.stem for path in (chunks.folder / f"results/chunks/{folder}/fit").iterdir()] == ["chunk-all"]


def test_a_forced_job_keeps_what_is_current(chunks):
    before = chunks.content()
    assert chunks.fitted("--forcerun", "fit_batched_all") == []
    assert chunks.content() == before


def test_a_deleted_fit_is_made_again(chunks):
    before = chunks.content()
    (chunks.fits / f"{chunks.rows()[1][0]}.h5").unlink()
    assert chunks.fitted() == [chunks.rows()[1][0]]
    assert chunks.content() == before


@pytest.mark.parametrize(
    ("module", "again"),
    [
        ("batched/chunk.py", {"fit_batched": 1, "labels": 1}),
        ("ppxf/one_spectrum.py", {}),
        ("two_steps.py", {"fit_batched": 1, "labels": 1}),
        ("batched/membership.py", {}),
        ("batched/kept.py", {}),
    ],
)
def test_edited_code_refits_what_computes_with_it(chunks, module, again):
    with chunks.workspace.edited(f"src/mangrove/spectra/fit/{module}", code_edit):
        assert chunks.planned() == again


def test_the_other_engine_fits_galaxy_by_galaxy(chunks):
    other = "--config", "fit={'engine': 'ppxf'}"
    assert chunks.planned(*other) == {"fit": 6, "labels": 1}


def test_a_galaxy_that_cannot_be_read_fails_the_job_and_costs_the_others_nothing(chunks):
    before = chunks.content()
    name = chunks.rows()[2][0]
    for fit in chunks.fits.glob("*.h5"):
        fit.unlink()
    with chunks.workspace.restored(f"results/chunks/spectra/extract/{name}.h5") as extract:
        extract.write_bytes(b"no HDF5")
        done = chunks.run("--forcerun", "fit_batched_all", check=False)
    assert done.returncode != 0
    assert f"1 of 6 galaxies could not be fitted (the others are kept): {name}: " in done.stdout
    assert chunks.fitted() == [name]
    assert chunks.content() == before


def test_a_killed_job_keeps_the_galaxies_that_it_has_finished(chunks):
    other = "--config", "fit={'n_draw': 3}"
    (chunks.folder / "slow").touch()
    command = chunks.workspace.command(*LABELS, *other, config=CONFIG)
    process = subprocess.Popen(command, **chunks.workspace.process(), start_new_session=True)
    finished = chunks.fits / ".finished"
    while len([*finished.glob("[!.]*")]) < 2:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (chunks.folder / "slow").unlink()
    done = {path.name for path in finished.glob("[!.]*")}
    assert 2 <= len(done) < 6
    chunks.run("--unlock")
    assert set(chunks.fitted(*other)) == {row[0] for row in chunks.rows()} - done
    assert chunks.planned(*other) == {} and not finished.exists()


def test_verify_tells_of_one_galaxy_of_a_chunk(chunks):
    report = chunks.workspace.mangrove("verify", "chunks")
    assert report.returncode == 0, report.stdout
    name = chunks.rows()[4][0]
    with chunks.sheet(lambda rows: [[*row[:2], "0.0999" if row[0] == name else row[2], *row[3:]] for row in rows]):
        report = chunks.workspace.mangrove("verify", "chunks").stdout
    found = re.findall(
        r"spectra/fit/(\S+)\.h5: a run would make it differently now \(rule (\w+)\): (.*)\.$", report, re.M
    )
    assert found == [(name, "fit_batched_all", "z 0.0999 (was 0.061)")]


def test_params_are_plain_values(chunks):
    walk = ROOT / "tests/workflow/walk_params.py"
    command = [*chunks.workspace.command()[:1], str(walk), CONFIG]
    done = subprocess.run(command, cwd=chunks.folder, capture_output=True, text=True, timeout=60, check=False)
    assert '"faults": []' in done.stdout and "fit_batched_all" in done.stdout, done.stderr


def test_snakemake_knows_the_content_of_each_extract(chunks):
    """By it, an extract that is made again with the same content makes no fit old."""
    extracts = {path: sha256(path.read_bytes()).hexdigest() for path in (chunks.fits.parent / "extract").glob("*.h5")}
    expected = {str(path.relative_to(chunks.folder)): f"sha256:{digest}" for path, digest in extracts.items()}
    for row in chunks.rows():
        fit = f"results/chunks/spectra/fit/{row[0]}.h5"
        record = chunks.folder / ".snakemake/metadata" / urlsafe_b64encode(fit.encode()).decode()
        known = json.loads(record.read_text())["input_checksums"]
        assert len(known) == 6 and known.items() <= expected.items()
