"""The scripts of the emulator on small tables."""

import csv
import json
import shutil

import jax
import numpy as np
import pytest

from mangrove import artefacts
from mangrove.models.continuum import Bins
from mangrove.models.emission_lines import LINES
from mangrove.models.emulator import load
from mangrove.models.line_table import LineTable, read_stored, split, stored

BINS = Bins.equal(3700, 7000, 4)
TRAINING = {
    "architecture": "shared",
    "hidden": [8],
    "n_component": 1,
    "members": 1,
    "luminosity": True,
    "batch_size": 64,
    "epochs": 40,
    "learning_rate": 1e-2,
    "weight_decay": 1e-4,
    "patience": None,
    "seed": 1,
    "code": "test",
}
QUALITY = {**TRAINING, "learning_curve": [1.0]}
FIGURES = ("predicted", "histograms", "bpt", "calibration", "spectrum", "learning", "umap")


@pytest.fixture(autouse=True, scope="module")
def quick():
    """Quick compilation, as the programs run once."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def table_of(n):
    """Rows whose lines follow the bluest colour; the last line is measured in too few of them."""
    rng = np.random.default_rng(5)
    flux = 10 ** (0.2 * rng.standard_normal((n, BINS.n_bin))).astype(np.float32)
    blue = np.log10(flux[:, 1] / flux[:, 0])
    ew = np.sinh(2 - 3 * blue[:, None] + 0.2 * rng.standard_normal((n, len(LINES))))
    ew[(ew <= 0)] = np.nan
    ew[40:, -1] = np.nan
    names = np.array([f"galaxy {i // 2}" for i in range(n)])
    return LineTable(BINS, LINES, names, flux, None, ew.astype("f4"), np.full(ew.shape, 9, np.float32))


def files_of(folder):
    """Inputs and outputs of all four scripts."""
    model = folder / "model"
    names = {"table": "table.h5", "metrics": "metrics.jsonl", "quality": "quality.h5", "learning": "learning.csv"}
    found = {key: str(folder / name) for key, name in names.items()}
    return found | {"description": str(model / "model.json"), "arrays": str(model / "arrays.npz")}


def write_table(folder, n):
    table = table_of(n)
    data = stored(table, split(table).sides(n))
    prov = artefacts.provenance(folder / "table.h5", {}, [])
    artefacts.write(folder / "table.h5", "emulator_table", data, prov, {"status": "ok", "reason": ""})
    return table


def run_all(script, Params, folder):
    """Train, judge and draw; gives the paths."""
    files = files_of(folder)
    script("emulator_train").main(Params(files), Params(files), Params(TRAINING))
    reports = {name: str(folder / f"{name}.csv") for name in ("baselines", "learning")}
    outputs = files | reports | {"table": str(folder / "quality.csv")}
    script("emulator_quality").main(Params(files), Params(outputs), Params(QUALITY))
    drawn = {name: str(folder / f"{name}.png") for name in FIGURES}
    script("emulator_figures").main(Params(files), Params(drawn), Params(seed=1))
    assert all((folder / f"{name}.png").stat().st_size > 5000 for name in FIGURES)
    return files


def rows(path):
    with path.open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


@pytest.fixture(scope="module")
def finished(script, Params, tmp_path_factory):
    """The products of a table of 500 rows."""
    folder = tmp_path_factory.mktemp("emulator")
    write_table(folder, 500)
    run_all(script, Params, folder)
    return folder


def test_a_trained_model_is_judged_on_its_test_rows(finished):
    model = load(finished / "model")
    assert model.lines == LINES[:-1] and not model.uses_luminosity
    found = artefacts.read(finished / "quality.h5", "emulator_quality")
    parts = read_stored(finished / "table.h5").parts
    assert found.ok and found["row"].tolist() == parts.test.tolist()
    table = rows(finished / "quality.csv")
    assert [row["line"] for row in table] == list(LINES[:-1])
    np.testing.assert_allclose([float(row["rho"]) for row in table], found["rho"], rtol=1e-3)
    assert found["rho"].min() > 0.5 and np.isnan(found["gain"]).all()


def test_baselines_and_learning_curve_stand_beside(finished):
    methods = {row["method"]: row for row in rows(finished / "baselines.csv")}
    assert len(methods) == 4 and all(float(row["rho"]) > 0.5 for row in methods.values())
    assert float(methods["emulator"]["predict_s"]) > 0
    (point,) = rows(finished / "learning.csv")
    assert int(point["n_train"]) == read_stored(finished / "table.h5").parts.train.size


def test_training_leaves_no_checkpoints_and_a_loss_per_epoch(finished):
    assert not (finished / "checkpoints").exists()
    losses = [json.loads(line)["validation_loss"] for line in (finished / "metrics.jsonl").read_text().splitlines()]
    assert len(losses) == TRAINING["epochs"] and losses[-1] < losses[0]


def test_a_killed_training_goes_on_and_an_edited_one_starts_anew(finished, script, Params, tmp_path, monkeypatch):
    shutil.copy(finished / "table.h5", tmp_path)
    module, files = script("emulator_train"), files_of(tmp_path)

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mangrove.models.emulator_training.line_correlation", killed)
        with pytest.raises(KeyboardInterrupt):
            module.main(Params(files), Params(files), Params(TRAINING))
    (left,) = (tmp_path / "checkpoints").iterdir()
    before = (left / "metrics.jsonl").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("mangrove.models.emulator_training.line_correlation", killed)
        with pytest.raises(KeyboardInterrupt):
            module.main(Params(files), Params(files), Params({**TRAINING, "code": "edited"}))
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2
    module.main(Params(files), Params(files), Params(TRAINING))
    # Wall times stand in the metrics: equal bytes mean that no epoch was trained again.
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    with np.load(tmp_path / "model/arrays.npz") as new, np.load(finished / "model/arrays.npz") as old:
        assert all(np.array_equal(new[name], old[name]) for name in old.files)


def test_too_few_rows_give_empty_products_with_the_reason(script, Params, tmp_path):
    write_table(tmp_path, 40)
    run_all(script, Params, tmp_path)
    found = artefacts.read(tmp_path / "quality.h5", "emulator_quality")
    assert (found.attrs["status"], found["predicted"].size) == ("empty", 0)
    assert found.attrs["reason"] == "no line is measured in 50 training rows"


def test_the_table_of_a_desi_file_keeps_the_published_predictions(script, Params, tmp_path):
    import h5py

    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "desi.h5", "w") as f:
        f["continuum_flux"] = rng.uniform(1, 2, (30, 12)).astype("f4")
        f["redshift"] = np.full(30, 0.1, np.float32)
        f["ew"] = rng.uniform(1, 2, (30, 2)).astype("f4")
        f["ew"].attrs["lines"] = ["Halpha", "Hbeta"]
        f["ew_ivar"], f["published_ew"] = np.ones((2, 30, 2), np.float32)
        f["target_id"] = np.arange(30)
    outputs = Params(table=str(tmp_path / "table.h5"))
    script("emulator_table").main(Params(desi=str(tmp_path / "desi.h5")), outputs, Params(source="desi"))
    found = read_stored(tmp_path / "table.h5")
    assert found.table.lines == ("Halpha", "Hbeta") and found.published.shape == (30, 2)
    for mine, theirs in zip(found.parts, split(found.table), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert found.table.log_luminosity.min() > 35
