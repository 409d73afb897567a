"""The wheel, installed away from any checkout: the same package, its resources, the same numbers."""

import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Fits a simulated spectrum and predicts lines, and prints what came out.
PROGRAM = """
import json
from pathlib import Path
import numpy as np
import jax
import mangrove
from astropy.table import Table
from mangrove.api import fit_spectrum
from mangrove.models.emulator.continuum_features import Bins
from mangrove.models.emulator.emission_lines import LINES
from mangrove.models.emulator.emulator import Emulator
from mangrove.models.emulator.scaled_network import ScaledNetwork
from mangrove.models.emulator.training import normalisation, training_arrays
from mangrove.models.emulator.prediction_files import predict_file
from mangrove.models.emulator.network import Architecture
from mangrove.models.emulator.line_table import LineTable
from mangrove.ssp.library import load_mastar
from mangrove.survey.simulation.spectra import mock_spectra

jax.config.update("jax_disable_most_optimizations", True)
mock = mock_spectra(load_mastar(), 1, 30.0, 0.03, seed=2)
fit = fit_spectrum(mock.wave, mock.flux[0], mock.error[0] ** -2.0, 0.03, lsf=mock.lsf, n_draw=2)
bins = Bins.equal(3700, 7000, 11)
flux = np.random.default_rng(1).uniform(1.0, 2.0, (60, bins.n_bin)).astype(np.float32)
ew = np.full((60, len(LINES)), 25.0, np.float32)
table = LineTable(bins, LINES, np.arange(60).astype(str), flux, None, ew, ew)
network = ScaledNetwork(Architecture(hidden=(8,)), normalisation(training_arrays(table, False)))
Emulator(bins, LINES, network, network.first_state(seed=1)).save(Path("model"), {})
columns = Table({"flux_bins": flux}, meta={"bin_edge": list(bins.edges)})
columns.write("in.ecsv", overwrite=True)
found = predict_file(Path("model"), Path("in.ecsv"), Path("out.ecsv"))
print(json.dumps({
    "file": mangrove.__file__,
    "fit": [fit.status, fit["v_star"].value.item(), fit.labels["log_age_mw"].value.value.item()],
    "lines": np.asarray(found[f"{LINES[0]}_ew"], float).tolist(),
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, "-w", folder, ROOT], check=True)
    return next(folder.glob("mangrove-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder with the unpacked wheel and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    options = ["--no-deps", "--no-index", "--quiet", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", folder, wheel], check=True)
    return folder


def run(package: Path, folder: Path, *command: str) -> subprocess.CompletedProcess:
    """Run a command in a folder, with mangrove from another."""
    env = os.environ | {"PYTHONPATH": str(package), "MPLBACKEND": "agg"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


def test_all_resources_and_modules_travel(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"mangrove/resources/{path.name}" for path in (ROOT / "resources").iterdir()} <= names
    sources = {f"mangrove/{path.relative_to(ROOT / 'src/mangrove')}" for path in (ROOT / "src/mangrove").rglob("*.py")}
    assert sources <= names
    assets = ROOT / "src/mangrove/explorer/assets"
    assert {f"mangrove/explorer/assets/{path.name}" for path in assets.iterdir()} <= names
    assert not [name for name in names if name.startswith(("tests", "benchmarks", "workflow", "rules"))]


def test_it_fits_and_predicts_the_same_numbers_as_the_checkout(installed, tmp_path):
    made = {}
    for name, package in (("wheel", installed), ("checkout", ROOT / "src")):
        (tmp_path / name).mkdir()
        done = run(package, tmp_path / name, sys.executable, "-c", PROGRAM)
        assert done.returncode == 0, done.stderr
        made[name] = json.loads(done.stdout.splitlines()[-1])
        assert Path(made[name].pop("file")).is_relative_to(package)
    assert made["wheel"]["fit"][0] == "ok"
    assert made["wheel"] == made["checkout"]


def test_its_command_runs_anywhere(installed, tmp_path):
    done = run(installed, tmp_path, sys.executable, str(installed / "bin/mangrove"), "--version")
    assert (done.returncode, done.stdout) == (0, f"mangrove {version('mangrove')}\n")


def test_a_missing_resource_says_how_to_mend_it(installed, tmp_path):
    code = "from mangrove.resources import resource; resource('none.h5')"
    done = run(installed, tmp_path, sys.executable, "-c", code)
    assert "The resource 'none.h5' is missing from this installation" in done.stderr
