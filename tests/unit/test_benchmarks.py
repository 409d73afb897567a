"""The benchmarks' own machinery: a miss is not lost on the way to the file, and their lines and placeholders are right."""

import importlib.util
import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image
from support import peer
from support.baxels import simulated_extracts, write_extracts
from support.cubes import copied_rows, line_cubes
from support.loop_times import StampedRows
from support.results import print_result
from support.spectra import known_mixtures, wavelengths

from mangrove import artefacts
from mangrove.models.training.rows import EpochPlan, taken

ROOT = Path(__file__).resolve().parents[2]


def load(path: Path):
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def runner():
    return load(ROOT / "tools" / "run_benchmarks.py")


@pytest.fixture
def scripts(tmp_path):
    """Three benchmarks: one that passes, one that misses its limit after its line, one that passes."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    for name, status in (("a", 0), ("b", 1), ("c", 0)):
        line = json.dumps({"benchmark": name, "metric": "m", "value": 1.5, "unit": "s"})
        (folder / f"{name}.py").write_text(f"import sys\nprint({line!r})\nsys.exit({status})\n")
    return folder


def test_a_missed_limit_fails_the_command_and_all_lines_are_kept(runner, scripts, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(runner, "FOLDER", scripts)
    target = tmp_path / "results" / "benchmarks.jsonl"
    with pytest.raises(SystemExit, match=r"missed a limit: b\.py\. The results are in .*benchmarks\.jsonl"):
        runner.main(str(target))
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert [row["benchmark"] for row in rows[1:]] == ["a", "b", "c"]
    assert capfd.readouterr().out == target.read_text()
    (scripts / "b.py").unlink()
    runner.main(str(target))
    assert len(target.read_text().splitlines()) == 3


def test_the_first_line_describes_the_machine(runner, scripts, tmp_path):
    runner.run_all([], tmp_path / "b.jsonl")
    machine = json.loads((tmp_path / "b.jsonl").read_text())["machine"]
    assert machine["python"] == ".".join(map(str, sys.version_info[:3]))
    assert 1 <= machine["cores"] <= os.cpu_count()
    assert machine["memory_gb"] > 0.5 and machine["cpu"]
    assert machine["numpy"] == np.__version__
    assert {"jax", "ppxf", "snakemake"} <= set(machine)


def test_a_line_holds_the_ratio_to_the_peer_and_the_limit(capsys):
    print_result("x", "speed", 123.456, "MB/s", 246.912, 100.0, galaxies=3)
    print_result("x", "share", 0.25, "ratio")
    full, short = map(json.loads, capsys.readouterr().out.splitlines())
    assert full == {
        "benchmark": "x", "metric": "speed", "value": 123.5, "unit": "MB/s", "peer": 246.9, "ratio": 0.5,
        "limit": 100.0, "galaxies": 3,
    }  # fmt: skip
    assert short == {"benchmark": "x", "metric": "share", "value": 0.25, "unit": "ratio"}


def test_placeholders_of_the_dag_are_valid_files(tmp_path):
    placeholders = load(ROOT / "benchmarks" / "dag.py").Placeholders()
    names = ("spectra/fit/1-1.h5", "report/bpt.png", "report/status.csv", "provenance.json", "emulator/metrics.jsonl")
    for name in (*names, "emulator/model/arrays.npz", "manga-1-1-LOGCUBE.fits.gz"):
        placeholders.write(tmp_path / name)
    assert artefacts.read(tmp_path / names[0], "fit")["status"].size == 0
    with Image.open(tmp_path / names[1]) as image:
        assert image.size == (1, 1)
    assert (tmp_path / names[2]).read_text() == "name\n"
    assert json.loads((tmp_path / names[3]).read_text()) == json.loads((tmp_path / names[4]).read_text()) == {}
    with np.load(tmp_path / "emulator/model/arrays.npz") as arrays:
        assert arrays["empty"].size == 0
    assert fits.getheader(tmp_path / "manga-1-1-LOGCUBE.fits.gz")["NAXIS"] == 0


def test_every_output_of_the_rules_has_a_placeholder(tmp_path):
    """A new kind of output would end the benchmark of the plan."""
    placeholders = load(ROOT / "benchmarks" / "dag.py").Placeholders()
    texts = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))
    outputs = re.findall(r'^        \w+=(?:figure\(\s*)?f"\{\w+\}/([^"]+\.\w+)"', texts, re.M)
    assert {"overview.html", "overview.png", "provenance.json"} <= set(outputs)
    for name in outputs:
        if not name.endswith(".h5"):
            placeholders.write(tmp_path / name)


@pytest.fixture
def adder(tmp_path, monkeypatch):
    """A peer that adds, with an environment that is there already."""
    lines = "import json, sys\nfor line in sys.stdin: print(json.dumps({'value': sum(map(int, line.split()))}), flush=True)\n"
    (tmp_path / "adder.py").write_text(lines)
    (tmp_path / "needs.txt").write_text("tensorflow==2\n")
    made = tmp_path / "made" / "needs"
    (made / "bin").mkdir(parents=True)
    (made / "bin" / "python").symlink_to(sys.executable)
    (made / "needs.txt").write_text("tensorflow==2\n")
    monkeypatch.setattr(peer, "_PEERS", tmp_path)
    monkeypatch.setattr(peer, "_ENVIRONMENTS", tmp_path / "made")
    return tmp_path


def test_a_peer_gives_a_figure_for_each_request(adder):
    with peer.Peer("adder.py", "needs.txt") as program:
        assert [program.value(1, 2), program.value(20, 22)] == [3, 42]


def test_a_peer_that_cannot_be_installed_gives_no_figures(adder, monkeypatch, capsys):
    (adder / "needs.txt").write_text("tensorflow==3\n")
    failed = type("Failed", (), {"returncode": 1})
    monkeypatch.setattr(peer.subprocess, "run", lambda *_, **__: failed)
    with peer.Peer("adder.py", "needs.txt") as program:
        assert program.value(1, 2) is None
    assert "needs.txt could not be installed" in capsys.readouterr().err


def test_packages_of_the_peers_are_pinned():
    for path in (ROOT / "benchmarks" / "peers").glob("*requirements.txt"):
        assert all("==" in line.partition(";")[0] for line in path.read_text().splitlines())


def test_mixtures_are_normalised_spectra_of_known_populations():
    wave, (flux, truth) = wavelengths(512), known_mixtures(40, 512)
    band = (wave > 4050) & (wave < 4150)
    np.testing.assert_allclose(flux[:, band].mean(axis=1), 1.0, atol=0.1)
    blue = flux[:, wave < 4000].mean(axis=1) / flux[:, wave > 8000].mean(axis=1)
    assert np.corrcoef(blue, truth["log_age_lw"])[0, 1] < -0.7


def test_line_cubes_are_discs_with_lines_and_noise():
    flux, ivar, valid = line_cubes(6, 3, 5)
    assert flux.shape == ivar.shape == valid.shape == (6, 3, 5, 32, 32)
    edge, centre = flux[..., :3, :3], flux[..., 14:18, 14:18]
    assert abs(edge.std() * np.sqrt(ivar.mean()) - 1) < 0.5
    assert (centre[:, :, 2].mean(axis=(2, 3)) > centre[:, :, 0].mean(axis=(2, 3))).mean() > 0.8


def test_simulated_baxels_have_the_signal_to_noise_that_they_state(tmp_path):
    (extract,) = simulated_extracts(1, 6, (5.0, 60.0))
    window = (extract["wave"] > 5600) & (extract["wave"] < 6750)
    good = window & (extract["mask"] == 0) & (extract["ivar"] > 0)
    for flux, ivar, use, snr in zip(extract["flux"], extract["ivar"], good, extract["snr"], strict=True):
        assert 5 < snr < 60
        assert np.median(flux[use]) * np.sqrt(np.median(ivar[use])) == pytest.approx(snr, rel=0.1)
    (path,) = write_extracts(tmp_path, [extract])
    np.testing.assert_allclose(artefacts.read(path, "extract")["flux"], extract["flux"], rtol=1e-5, atol=1e-6)


def test_rows_of_copies_hold_the_cube_of_their_galaxy():
    cubes = line_cubes(3, 1, 2)
    rows = copied_rows(cubes, 3)
    assert rows.n_row == 12
    chunk = next(rows.chunks(EpochPlan(4, 1, 0, 3), 0, 0, dict))
    batch = chunk.index[0]
    np.testing.assert_array_equal(taken(chunk.arrays["flux"], batch), cubes.flux[batch // 4])
    assert (chunk.arrays["noise_seed"][::4] == 0).all()


def test_times_of_a_training_leave_out_what_compiles():
    rows = StampedRows(type("Rows", (), {"n_row": 8})())
    rows.stamps = [(0.0, 2), (60.0, 2), (62.0, 2), (64.0, 2), (74.0, 1), (75.0, 2)]
    times = rows.times(2)
    assert times.call == 1.0
    assert times.mean == pytest.approx(15 / 7)


@pytest.mark.skipif(sys.platform != "linux", reason="memory of a child is asked from Linux")
def test_memory_of_a_run_counts_all_of_its_processes(tmp_path):
    demo = load(ROOT / "benchmarks" / "demo.py")
    child = "b = bytearray(b'x' * 60_000_000); import time; time.sleep(1)"
    parent = (
        f"import subprocess, sys; b = bytearray(b'x' * 60_000_000); subprocess.run([sys.executable, '-c', {child!r}])"
    )
    status, wall, memory = demo.measured([sys.executable, "-c", parent], tmp_path)
    assert status == 0
    assert 1 < wall < 30
    assert 0.12 < memory < 0.3
    assert demo.measured([sys.executable, "-c", "import sys; sys.exit(3)"], tmp_path)[0] == 3
