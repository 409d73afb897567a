"""The doctor's findings, and its commands: pasted into a shell, they mend what they are printed for."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest
from archive_server import serving
from typer.testing import CliRunner

from mangrove import cli, gpu
from mangrove.doctor import findings, installation, needs, remains
from mangrove.doctor.patients import Patients
from mangrove.survey.simulation.design import design_galaxy
from mangrove.survey.simulation.drpall import write_drpall

ROOT = Path(__file__).resolve().parents[2]
MINE = "run: mine\nsurvey: {base: archive}\n"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """What a fresh clone has that the doctor looks at, with a configuration of ours."""
    for name in ("config.yaml", "configs/demo.yaml", "samples/demo.tsv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "configs/mine.yaml").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def doctor(*arguments):
    """Exit status and output."""
    done = CliRunner().invoke(cli.app, ["doctor", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def commands(output: str) -> list[str]:
    """The lines that the doctor prints to be pasted."""
    return [line.strip() for line in output.splitlines() if re.match("  [^ ]", line)]


def make_wheel(folder: Path) -> str:
    """A wheel of a package without content; returns its sha256."""
    folder.mkdir()
    wheel = folder / "toy_package-1.0-py3-none-any.whl"
    info = "toy_package-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: toy-package\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: toy\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def make_environment(folder: Path) -> Path:
    """An environment over ours, in which one package is older than pinned; returns its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    old = packages / "toy_package-0.9.dist-info"
    old.mkdir()
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-package\nVersion: 0.9\n")
    (old / "RECORD").write_text("toy_package-0.9.dist-info/METADATA,,\ntoy_package-0.9.dist-info/RECORD,,\n")
    return folder / "bin/python"


def break_clone(clone: Path) -> Path:
    """Make a clone with everything that a command can mend wrong with it; returns its Python."""
    for name in ("src", "resources"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "resources"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True, cwd=clone)
    (clone / "resources/sdss_r.ecsv").unlink()
    (clone / "resources/mastar_ssp.h5").write_bytes(b"damaged")
    digest = make_wheel(clone / "wheels")
    (clone / "envs").mkdir()
    pins = f"--no-index\n--find-links wheels\ntoy-package==1.0 \\\n    --hash=sha256:{digest}\n"
    (clone / "envs/requirements.txt").write_text(
        pins + "absent==1 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n"
    )
    write_drpall(clone / "archive/sas/dr17/manga/spectro/redux/v3_1_1/drpall-v3_1_1.fits", [galaxy()], "dr17")
    results = clone / "results/mine"
    for name in (".x.h5.1.part", "desom/.model.2.part/x", "spectra/fit/.finished/1-1", "logs/fit/1-1.log"):
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text("x")
    (clone / "data/v3_1_1").mkdir(parents=True)
    for end in (".partial", ".partial.json"):
        (clone / f"data/v3_1_1/.manga-1-1-LOGCUBE.fits.gz{end}").write_text("x")
    (clone / ".snakemake/locks").mkdir(parents=True)
    (clone / ".snakemake/locks/0.output.lock").write_text("results/mine/a.h5\n")
    (clone / "samples/demo.tsv").unlink()
    (clone / "file").write_text("")
    return make_environment(clone / "toy")


def galaxy():
    return design_galaxy("9001-1901", 1)


def test_pasted_commands_mend_all_that_was_found(checkout):
    executable = break_clone(checkout)
    examine = f"{executable} -m mangrove doctor --config configs/mine.yaml {' '.join(CHECKS_OF_THE_CLONE)}"
    env = os.environ | {
        "PYTHONPATH": str(checkout / "src"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "JAX_PLATFORMS": "nonsense",
        "XDG_CACHE_HOME": str(checkout / "file/cache"),
    }
    options = {"cwd": checkout, "env": env, "capture_output": True, "text": True, "timeout": 120}
    ill = subprocess.run(["bash", "-c", examine], **options)
    assert ill.returncode == 1, ill.stdout + ill.stderr
    printed = commands(ill.stdout)
    begin = [
        f"git -C {checkout} checkout -- resources/sdss_r.ecsv",
        "toy/bin/python -m pip install",
        "unset JAX_PLATFORMS",
        "mangrove select --config configs/mine.yaml",
        "export XDG_CACHE_HOME",
        f"git -C {checkout} checkout -- resources/mastar_ssp.h5",
        "rm -r .snakemake/locks",
        "find results/mine -depth",
        "find data -name",
        "rm -r results/mine/spectra/fit/.finished",
    ]
    assert [text[: len(words)] for text, words in zip(printed, begin, strict=True)] == begin
    pasted = "\n".join(["set -e", *printed, "set +e", examine])
    well = subprocess.run(["bash", "-c", pasted], **options)
    assert well.returncode == 0, well.stdout + well.stderr
    last = well.stdout[well.stdout.rindex("environment ") :]
    assert [line for line in last.splitlines() if line.startswith(("-", "  "))] == []
    assert last.endswith("nothing to fix\n")
    assert (checkout / "results/mine/logs/fit/1-1.log").is_file() and (checkout / "samples/mine.tsv").is_file()


@pytest.mark.parametrize("name", ["mangrove", "snakemake"])
def test_programs_are_found_where_the_environment_is_not_active(name, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    assert findings.program(name) == (name,)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    printed = findings.shell(*findings.program(name), "--help")
    done = subprocess.run(["/bin/sh", "-c", printed], capture_output=True, text=True, check=True, timeout=120)
    assert name in done.stdout


#: All but the comparison with the workflow, which tests/workflow has.
CHECKS_OF_THE_CLONE = ("environment", "devices", "config", "disk", "templates", "archive", "locks", "leftovers")


def test_a_check_that_is_not_there_is_named():
    done = CliRunner().invoke(cli.app, ["doctor", "lokcs"])
    assert "there is no check 'lokcs'; the checks are environment, devices" in str(done.exception)


def test_an_archive_that_answers_and_one_that_does_not(checkout):
    folder = "sas/dr17/manga/spectro/redux/v3_1_1/"
    (checkout / "configs/mine.yaml").write_text(MINE)
    with serving({folder: b"<html>"}) as there:
        for base, said, status in [
            (there.base, "archive     ok", 0),
            (f"{there.base}/other", "the server answers 404", 1),
            ("http://127.0.0.1:9", "no answer (", 1),
            ("/no/such/folder", "the folder /no/such/folder of run 'mine' does not exist", 1),
        ]:
            (checkout / "configs/mine.yaml").write_text(f"run: mine\nsurvey: {{base: '{base}'}}\n")
            found, output = doctor("archive", "--config", "configs/mine.yaml")
            assert said in output and found == status, output
    found, output = doctor("archive", "--config", "configs/demo.yaml")
    assert "nothing to fetch" in output and found == 0


def test_an_archive_is_not_asked_for_a_run_that_has_everything(checkout):
    (checkout / "configs/mine.yaml").write_text(
        "run: mine\nsurvey: {base: /no/such}\nsample: {sheet: samples/demo.tsv}\n"
    )
    names = re.findall(r"^9\d+-\d+", (checkout / "samples/demo.tsv").read_text(), re.MULTILINE)
    extracts = checkout / "results/mine/spectra/extract"
    extracts.mkdir(parents=True)
    for name in names[:-1]:
        (extracts / f"{name}.h5").write_text("")
    assert doctor("archive", "--config", "configs/mine.yaml")[0] == 1
    (extracts / f"{names[-1]}.h5").write_text("")
    assert doctor("archive", "--config", "configs/mine.yaml")[0] == 0


def test_a_disk_that_is_too_small(checkout, monkeypatch):
    """Fourteen cubes of the archive take a gigabyte; of a run that keeps none, the artefacts alone count."""
    given = "run: mine\nsurvey: {source: sdss, base: archive%s}\nsample: {sheet: samples/demo.tsv}\n"
    Usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(needs.shutil, "disk_usage", lambda path: Usage(2e9, 0, 4e8))
    (checkout / "configs/mine.yaml").write_text(given % "")
    found, output = doctor("disk", "--config", "configs/mine.yaml")
    assert found == 1 and "GB for 14 galaxies to results, where 0.4 GB are free" in output
    (checkout / "configs/mine.yaml").write_text(given % ", keep_cubes: false")
    assert doctor("disk", "--config", "configs/mine.yaml")[0] == 0


def test_wrong_configurations_are_findings(checkout):
    (checkout / "configs/mine.yaml").write_text("run: mine\nextract: {target_nsr: 3}\nfit: {templates: /no/such}\n")
    found, output = doctor("config", "templates", "archive", "disk", "locks", "--config", "configs/mine.yaml")
    assert found == 1 and "unknown key 'extract.target_nsr' in configs/mine.yaml, line 2" in output
    (checkout / "configs/mine.yaml").write_text("run: mine\nfit: {templates: /no/such}\n")
    found, output = doctor("templates", "--config", "configs/mine.yaml")
    assert found == 1 and "template library '/no/such' (fit.templates) is neither" in output


def test_a_gpu_that_jax_does_not_use_is_mentioned(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu, "DEVICES", (str(tmp_path),))
    monkeypatch.setattr(installation, "_ask_jax", lambda: ([["cpu", "cpu", 0]], None))
    for name in ("JAX_PLATFORMS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    (only,) = installation.devices(Patients()).findings
    assert "this JAX is for CPUs" in only.text and "jax[cuda13]==" in only.command and not only.stops
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    (only,) = installation.devices(Patients()).findings
    assert only.command == "unset JAX_PLATFORMS"
    monkeypatch.setattr(installation, "_ask_jax", lambda: ([["gpu", "NVIDIA H100", 80e9]], None))
    assert installation.devices(Patients()) == ("JAX computes on gpu NVIDIA H100, 80 GB", ())


def test_a_lock_of_a_running_snakemake_is_its_own(checkout):
    """Its lock and its parts are not to be removed."""
    (checkout / ".snakemake/locks").mkdir(parents=True)
    (checkout / ".snakemake/locks/0.output.lock").write_text("results/demo/a.h5\n")
    assert doctor("locks")[0] == 1
    (checkout / "snakemake").write_text("import time\nprint(flush=True)\ntime.sleep(60)\n")
    with subprocess.Popen([sys.executable, "snakemake"], cwd=checkout, stdout=subprocess.PIPE) as running:
        running.stdout.readline()
        try:
            if not Path("/proc/self/cmdline").exists():
                pytest.skip("this system does not tell which processes run where")
            assert remains.snakemakes_here() == [running.pid]
            found, output = doctor("locks", "leftovers")
            assert found == 0 and output.count(f"is running (process {running.pid})") == 2
        finally:
            running.kill()
