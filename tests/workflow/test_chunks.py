"""Fits in chunks of galaxies (fit.engine: batched): what is fitted again after a change, a failure or a kill.

An engine that fits nothing and tells what it was given takes the place of the real one.
"""

import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest
from conftest import ROOT, make_workspace
from test_reruns import code_edit

CONFIG = "configs/chunks.yaml"
SHEET = "samples/chunks.tsv"
LABELS = "--until", "labels"
TEXT = """\
run: chunks
survey: {source: simulated_spectra, simulated_galaxies: 7, simulated_baxels: 2}
fit: {engine: batched, rest_range: [4800, 5200], polynomial_degree: 1, n_draw: 2}
report: {examples: 1}
"""
ENGINE = '''\
"""Fits nothing; adds the galaxies that it is given to a file."""

import os
import time
from typing import Any, NamedTuple

import numpy as np

from mangrove.codes import FitStatus
from mangrove.spectra.fit.results import no_fit
from mangrove.spectra.fit.two_steps import GuidedFits


class Member(NamedTuple):
    galaxy: Any
    spectra: Any
    snr: Any
    x: Any
    y: Any


def fit_group(members, n_device=None):
    time.sleep(1.0 if os.path.exists("slow") else 0.0)
    with open("fitted", "a") as f:
        f.writelines(f"{member.galaxy.z}\\n" for member in members)
    return [GuidedFits([none(m.galaxy)] * len(m.spectra), np.full(len(m.spectra), -1)) for m in members]


def none(galaxy):
    return no_fit(FitStatus.NOT_CONVERGED, 0, galaxy.stars, galaxy.lines, galaxy.settings)
'''


class Chunks:
    """The workspace, and what tests ask of it."""

    def __init__(self, workspace):
        self.workspace = workspace
        self.folder = workspace.folder
        self.fits = self.folder / "results/chunks/spectra/fit"

    def run(self, *arguments, check=True):
        """Remake the labels and what they need."""
        return self.workspace.snakemake(*LABELS, *arguments, config=CONFIG, check=check)

    def planned(self, *arguments) -> dict[str, int]:
        """Jobs, those of chunks under one name."""
        rules = self.workspace.planned(*LABELS, *arguments, config=CONFIG).rules
        chunks = sum(count for name, count in rules.items() if name.startswith("fit_batched_"))
        others = {name: count for name, count in rules.items() if not name.startswith("fit_batched_")}
        return others | ({"fit_batched": chunks} if chunks else {})

    def fitted(self, *arguments) -> list[str]:
        """Names of the galaxies that a run fits again."""
        (self.folder / "fitted").unlink(missing_ok=True)
        self.run(*arguments)
        return self.told()

    def told(self) -> list[str]:
        """Names of the galaxies that the engine was given."""
        path = self.folder / "fitted"
        by_z = {row[2]: row[0] for row in self.rows()}
        return sorted(by_z[z] for z in path.read_text().split()) if path.exists() else []

    def rows(self) -> list[list[str]]:
        """Rows of the sample sheet."""
        lines = (self.folder / SHEET).read_text().splitlines()[1:]
        return [line.split("\t") for line in lines if not line.startswith("#")]

    def content(self) -> dict[str, bytes]:
        """Of the artefacts."""
        return {path.stem: path.read_bytes() for path in self.fits.glob("*.h5")}

    @contextmanager
    def sheet(self, change):
        """Other rows in the sample sheet."""
        with self.workspace.restored(SHEET) as path:
            header = path.read_text().splitlines()[0]
            path.write_text("\n".join([header, *("\t".join(row) for row in change(self.rows()))]) + "\n")
            yield


@pytest.fixture(scope="module")
def chunks(tmp_path_factory):
    """A finished run of six galaxies of different redshifts."""
    workspace = make_workspace(tmp_path_factory.mktemp("chunks"))
    workspace.write(CONFIG, TEXT)
    workspace.write("src/mangrove/spectra/fit/batched/engine.py", ENGINE)
    path = workspace.folder / "src/mangrove/spectra/fit/batched/chunk.py"
    one_by_one = path.read_text().replace(
        "GROUP_BATCHES, GROUP_BYTES = 4, 1 << 30", "GROUP_BATCHES, GROUP_BYTES = 4, 1"
    )
    assert one_by_one != path.read_text()
    path.write_text(one_by_one)
    made = workspace.mangrove("select", "--config", CONFIG)
    assert made.returncode == 0, made.stdout
    found = Chunks(workspace)
    rows = found.rows()
    for i, row in enumerate(rows):
        row[2] = f"0.0{i + 2}1"
    header = (found.folder / SHEET).read_text().splitlines()[0]
    workspace.write(SHEET, "\n".join([header, *("\t".join(row) for row in rows[:6])]) + "\n")
    workspace.write("seventh", "\t".join(rows[6]))
    assert len(found.fitted()) == 6
    return found


def test_a_finished_run_has_nothing_to_do(chunks):
    assert chunks.planned() == {}


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
    assert chunks.fitted() == [name]
    assert chunks.content() == before


def test_other_settings_fit_all_galaxies(chunks):
    before = chunks.content()
    assert len(chunks.fitted("--config", "fit={'polynomial_degree': 2}")) == 6
    assert len(chunks.fitted()) == 6
    assert chunks.content() == before


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
    assert chunks.fitted("--forcerun", "labels") == [chunks.rows()[1][0]]
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
    before = chunks.content()
    other = "--config", "seed=2"
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
    assert chunks.planned(*other) == {} and not [*finished.iterdir()]
    chunks.run()
    assert chunks.content() == before


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


def test_resources_of_all_chunks_are_set_by_one_entry(chunks):
    options = ("--set-resources", "fit_batched:mem_mb=1234", "--set-threads", "fit_batched=1")
    text = chunks.run(
        "--dry-run", "--forcerun", "fit_batched_all", "--config", "fit={'chunk': 2}", "--verbose", *options
    )
    asked = re.findall(r"mem_mb=(\d+)", text.stdout)
    assert asked.count("1234") > 1 and "6000" not in asked


def test_params_are_plain_values(chunks):
    walk = ROOT / "tests/workflow/walk_params.py"
    command = [*chunks.workspace.command()[:1], str(walk), CONFIG]
    done = subprocess.run(command, cwd=chunks.folder, capture_output=True, text=True, timeout=60, check=False)
    assert '"faults": []' in done.stdout and "fit_batched_all" in done.stdout, done.stderr
