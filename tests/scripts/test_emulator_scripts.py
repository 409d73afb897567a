"""The scripts of the emulator on small tables."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from flipped_bits import flip_a_bit

from mangrove import artefacts, staleness
from mangrove.analysis.emulator_inputs import embed_inputs
from mangrove.analysis.input_map import read_map
from mangrove.models.emulator.continuum_features import Bins
from mangrove.models.emulator.emission_lines import LINES
from mangrove.models.emulator.emulator import load
from mangrove.models.emulator.line_table import LineTable, read_stored, stored
from mangrove.models.emulator.prepared_table import split_table
from mangrove.models.training import resumable
from mangrove.report import emulator_run
from mangrove.validation import emulator_learning as learning
from mangrove.validation.emulator_curve import read_curve
from mangrove.validation.emulator_judgement import with_verdict
from mangrove.validation.emulator_quality import QualityRow

BINS = Bins.equal(3700, 7000, 4)
TRAINING = {
    "architecture": "shared",
    "hidden": [8],
    "n_component": 1,
    "members": 1,
    "batch_size": 64,
    "epochs": 40,
    "learning_rate": 1e-2,
    "weight_decay": 1e-4,
    "patience": None,
    "keep_best": True,
    "seed": 1,
    "code": "test",
}
QUALITY = {"seed": 1, "code": "test"}
CURVE = {**TRAINING, "learning_curve": [0.1, 1.0]}
FIGURES = ("predicted", "histograms", "bpt", "calibration", "spectrum", "learning", "umap")


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
    """Inputs and outputs of the scripts."""
    model = folder / "model"
    found = {key: str(folder / f"{key}.h5") for key in ("table", "quality", "learning", "embedding")}
    found["metrics"] = str(folder / "metrics.jsonl")
    return found | {"description": str(model / "model.json"), "arrays": str(model / "arrays.npz")}


def write_table(folder, n):
    table = table_of(n)
    data = stored(table, split_table(table).of_rows(n))
    prov = artefacts.provenance(folder / "table.h5", {}, [])
    artefacts.write(folder / "table.h5", "emulator_table", data, prov, {"status": "ok", "reason": ""})
    return table


def first_features(features, seed):
    """Stands for the UMAP, which takes half a minute, most of it to compile."""
    return np.random.default_rng(seed).permutation(len(features)), features[:, :2]


def run_curve(script, Params, folder, params):
    """Make the learning curve; gives its outputs."""
    outputs = Params(curve=str(folder / "learning.h5"), table=str(folder / "learning.csv"))
    script("emulator_learning_curve").main(Params(files_of(folder)), outputs, Params(params))
    return outputs


def run_all(script, Params, folder):
    """Train, judge and draw; gives the paths."""
    files = files_of(folder)
    script("emulator_train").main(Params(files), Params(files), Params(TRAINING))
    outputs = files | {"baselines": str(folder / "baselines.csv"), "table": str(folder / "quality.csv")}
    script("emulator_quality").main(Params(files), Params(outputs), Params(QUALITY))
    run_curve(script, Params, folder, CURVE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mangrove.analysis.embedding.umap_coordinates", first_features)
        script("emulator_embedding").main(Params(files), Params(files), Params(seed=1))
    drawn = {name: str(folder / f"{name}.png") for name in FIGURES}
    script("emulator_figures").main(Params(files), Params(drawn), Params(seed=1, keep_best=True))
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
    split = read_stored(finished / "table.h5").split
    assert found.ok and found["row"].tolist() == split.test.tolist()
    table = rows(finished / "quality.csv")
    assert [row["line"] for row in table] == list(LINES[:-1])
    np.testing.assert_allclose([float(row["rho"]) for row in table], found["rho"], rtol=1e-3)
    assert found["rho"].min() > 0.5 and np.isnan(found["gain"]).all()


def test_model_and_quality_tell_with_what_they_were_made(finished):
    """From which 'mangrove verify' knows whether a run would make them differently."""
    for name, params in {"model/model.json": TRAINING, "quality.h5": QUALITY}.items():
        recorded = staleness.recorded_params(finished / name)
        assert recorded is not None and staleness.differences(recorded, params) == ()
        assert staleness.differences(recorded, {**params, "seed": 999}) == ("seed 999 (was 1)",)


def test_too_few_test_galaxies_give_no_verdict(finished):
    """50 of them; the table of lines says so, and the log warns of nothing."""
    assert {row["holds"] for row in rows(finished / "quality.csv")} == {"too few"}


def test_shortfalls_are_logged_and_stand_in_the_table(caplog):
    row = QualityRow("Halpha_6565", 900, 0.9, 0.898, 0.002, 0.001, 0.9, 0.4, (0.0,) * 4, (0.005,) * 4, 0.68)
    with caplog.at_level("INFO", "mangrove"):
        table = with_verdict([row, row._replace(line="Hbeta_4863", n=20)], 900)
    assert [(one["line"], one["holds"]) for one in table] == [("Halpha_6565", "no"), ("Hbeta_4863", "too few")]
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warned == [
        "beyond the limits: mean gain in rho 0.0020 is below 0.012",
        "beyond the limits: Halpha_6565: gain in rho 0.0020 is below 0.007",
    ]
    assert "1 of 2 lines" in caplog.text


def test_a_learning_curve_that_was_not_asked_for_is_named_so(finished, script, Params, tmp_path):
    shutil.copy(finished / "table.h5", tmp_path)
    outputs = run_curve(script, Params, tmp_path, {"learning_curve": [], "code": "test"})
    assert Path(outputs.table).read_text().startswith("no learning curve asked for")
    curve = read_curve(outputs.curve)
    assert curve.points == [] and curve.reason.startswith("no learning curve asked for")


def test_a_killed_learning_curve_trains_no_part_again(finished, script, Params, tmp_path, monkeypatch):
    """Killed before its last part is judged; then run again."""
    shutil.copy(finished / "table.h5", tmp_path)
    fractions, judged = {"learning_curve": [0.5, 1.0]}, iter(range(10))

    def killed(*args):
        if next(judged) == 1:
            raise Stopped
        return predict(*args)

    predict = learning.predict_table
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(learning, "predict_table", killed)
        run_curve(script, Params, tmp_path, CURVE | fractions)
    (left,) = (tmp_path / "learning_checkpoints").iterdir()
    before = {path.parent.name: path.read_bytes() for path in left.rglob("metrics.jsonl")}
    assert set(before) == {"0.5", "1"}
    with monkeypatch.context() as patch:
        patch.setattr(resumable, "remove", lambda place: None)
        outputs = run_curve(script, Params, tmp_path, CURVE | fractions)
    # Wall times stand in the metrics: equal bytes mean that no epoch was trained again.
    assert {path.parent.name: path.read_bytes() for path in left.rglob("metrics.jsonl")} == before
    assert [point.fraction for point in read_curve(outputs.curve).points] == [0.5, 1.0]


def run_of(folder, **changed):
    """What the figures show, read from a folder."""
    seen = {}
    files = type("Paths", (), files_of(folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emulator_run, "draw", lambda run, seed, keep_best: seen.setdefault("run", run))
        emulator_run.run_figures(files, 1, True)
    return seen["run"]._replace(**changed)


def test_few_test_rows_give_a_umap_of_all_rows_and_its_title_says_so(finished, monkeypatch):
    monkeypatch.setattr("mangrove.analysis.embedding.umap_coordinates", first_features)
    run = run_of(finished)
    n_test = run.stored.split.test.size
    title = emulator_run.umap(run, 1).get_suptitle()
    assert f"all 500 rows, those of the training too ({n_test} test rows" in title
    assert sorted(run.inputs.row) == list(range(500))
    monkeypatch.setattr("mangrove.analysis.embedding.LEAST_ROWS", n_test)
    of_test = embed_inputs(run.stored, False, 1)
    assert sorted(of_test.row) == run.stored.split.test.tolist()
    assert emulator_run.umap(run._replace(inputs=of_test), 1).get_suptitle() == "test rows"
    monkeypatch.setattr("mangrove.analysis.embedding.LEAST_ROWS", 501)
    (axes,) = emulator_run.umap(run._replace(inputs=embed_inputs(run.stored, False, 1)), 1).axes
    assert "500 rows are too few" in axes.texts[0].get_text()


def test_the_map_of_the_inputs_is_kept_with_its_rows(finished):
    """A row lies where its colours are: the stand-in of the UMAP gives the first two."""
    stored, found = read_stored(finished / "table.h5"), read_map(finished / "embedding.h5")
    data = artefacts.read(finished / "embedding.h5", "emulator_embedding")
    assert (data["identifier"] == stored.table.identifier[found.row]).all()
    test = np.isin(found.row, stored.split.test)
    assert (data["split"] == 2).tolist() == test.tolist()
    # The stand-in gives the places in the order of the rows that it was given.
    np.testing.assert_array_equal(found.place, stored.table.features(False)[:, :2])


def test_every_figure_says_how_many_galaxies_it_rests_on(finished):
    run = run_of(finished)
    both = (run.stored.split.train, run.stored.split.test)
    sizes = [f"{np.unique(run.stored.table.identifier[rows]).size} galaxies ({rows.size} rows)" for rows in both]
    for make in emulator_run.draw(run, 1, True).values():
        assert f"Illustration only: trained on {sizes[0]}, tested on {sizes[1]}" in make().get_suptitle()


def test_baselines_and_learning_curve_stand_beside(finished):
    methods = {row["method"]: row for row in rows(finished / "baselines.csv")}
    assert len(methods) == 4 and all(float(row["rho"]) > 0.5 for row in methods.values())
    assert float(methods["emulator"]["predict_s"]) > 0
    n_train = read_stored(finished / "table.h5").split.train.size
    # A tenth of the rows measures no line often enough.
    (point,) = read_curve(finished / "learning.h5").points
    assert (point.fraction, point.n_train) == (1.0, n_train) and point.rho > 0.5
    (row,) = rows(finished / "learning.csv")
    assert int(row["n_train"]) == n_train and float(row["loss"]) == pytest.approx(point.loss, rel=1e-3)


def test_nothing_is_trained_on_a_table_that_was_altered(script, Params, tmp_path):
    write_table(tmp_path, 60)
    flip_a_bit(tmp_path / "table.h5")
    files = files_of(tmp_path)
    with pytest.raises(SystemExit, match=r"table\.h5: content differs from its recorded hash"):
        script("emulator_train").main(Params(files), Params(files), Params(TRAINING))
    assert not (tmp_path / "model").exists()


def test_training_leaves_no_checkpoints_and_a_loss_per_epoch(finished):
    assert not list(finished.glob("*checkpoints*"))
    losses = [json.loads(line)["validation_loss"] for line in (finished / "metrics.jsonl").read_text().splitlines()]
    assert len(losses) == TRAINING["epochs"] and losses[-1] < losses[0]


def test_a_killed_training_goes_on_and_an_edited_one_starts_anew(finished, script, Params, tmp_path, monkeypatch):
    shutil.copy(finished / "table.h5", tmp_path)
    module, files = script("emulator_train"), files_of(tmp_path)

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mangrove.models.emulator.training.line_correlation", killed)
        with pytest.raises(KeyboardInterrupt):
            module.main(Params(files), Params(files), Params(TRAINING))
    (left,) = (tmp_path / "checkpoints").iterdir()
    before = (left / "metrics.jsonl").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("mangrove.models.emulator.training.line_correlation", killed)
        with pytest.raises(KeyboardInterrupt):
            module.main(Params(files), Params(files), Params({**TRAINING, "code": "edited"}))
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2
    module.main(Params(files), Params(files), Params(TRAINING))
    # Wall times stand in the metrics: equal bytes mean that no epoch was trained again.
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    with np.load(tmp_path / "model/arrays.npz") as new, np.load(finished / "model/arrays.npz") as old:
        assert all(np.array_equal(new[name], old[name]) for name in old.files)


class Stopped(BaseException):
    """Stands for a kill."""


def stopping(at):
    """A function that counts calls of what it wraps and stops before the one numbered ``at``."""
    seen = iter(range(100))

    def wrap(function):
        def wrapped(*args, **kwargs):
            if next(seen) == at:
                raise Stopped
            return function(*args, **kwargs)

        return wrapped

    return wrap


@pytest.fixture(scope="module")
def unpublished(finished, script, Params, tmp_path_factory):
    """The folder of a training that was killed before it published anything."""
    folder = tmp_path_factory.mktemp("unpublished")
    shutil.copy(finished / "table.h5", folder)
    module, files = script("emulator_train"), files_of(folder)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        patch.setattr("mangrove.models.training.resumable.publish", stopping(0)(resumable.publish))
        module.main(Params(files), Params(files), Params(TRAINING))
    return folder


@pytest.mark.parametrize("at", range(7))
def test_a_kill_while_publishing_loses_nothing(unpublished, finished, script, Params, tmp_path, monkeypatch, at):
    """Stopped before each of the steps, and after the last one; then run again."""
    folder = tmp_path / "run"
    shutil.copytree(unpublished, folder)
    module, files = script("emulator_train"), files_of(folder)
    (work,) = (folder / "checkpoints").iterdir()
    course = (work / "metrics.jsonl").read_bytes()
    publish, wrap = resumable.publish, stopping(at)
    with monkeypatch.context() as patch:
        for where, name in ((shutil, "copyfile"), (shutil, "rmtree"), (Path, "rename")):
            patch.setattr(where, name, wrap(getattr(where, name)))
        if at < 6:
            with pytest.raises(Stopped):
                publish(work, folder / "model", Path(files["metrics"]))
        else:
            publish(work, folder / "model", Path(files["metrics"]))
    if at < 6:
        # The workflow removes the outputs of a killed job.
        shutil.rmtree(folder / "model", ignore_errors=True)
        Path(files["metrics"]).unlink(missing_ok=True)
        module.main(Params(files), Params(files), Params(TRAINING))
        # Wall times stand in the metrics: equal bytes mean that no epoch was trained again.
        assert at == 5 or (folder / "metrics.jsonl").read_bytes() == course
    with np.load(folder / "model/arrays.npz") as new, np.load(finished / "model/arrays.npz") as old:
        assert all(np.array_equal(new[name], old[name]) for name in old.files)
    assert not list(folder.glob("checkpoints*"))


def test_a_table_with_a_split_keeps_it(script, Params, tmp_path):
    """Whatever the identifiers say: results on a table can be compared."""
    table = table_of(30)
    split_of_file = np.arange(30) % 3
    prov = artefacts.provenance(tmp_path / "given.h5", {}, [])
    ok = {"status": "ok", "reason": ""}
    artefacts.write(tmp_path / "given.h5", "emulator_table", stored(table, split_of_file), prov, ok)
    outputs = Params(table=str(tmp_path / "table.h5"))
    script("emulator_table").main(Params(desi=str(tmp_path / "given.h5")), outputs, Params(source="desi"))
    assert artefacts.read(outputs.table, "emulator_table")["split"].tolist() == split_of_file.tolist()


def test_too_few_rows_give_empty_products_with_the_reason(script, Params, tmp_path):
    write_table(tmp_path, 40)
    run_all(script, Params, tmp_path)
    found = artefacts.read(tmp_path / "quality.h5", "emulator_quality")
    assert (found.attrs["status"], found["predicted"].size) == ("empty", 0)
    assert found.attrs["reason"] == "no line is measured in 50 training rows"
    assert staleness.recorded_params(tmp_path / "model/model.json") == TRAINING
    for name in ("quality", "baselines"):
        assert (tmp_path / f"{name}.csv").read_text().strip() == "nothing trained"
    curve = artefacts.read(tmp_path / "learning.h5", "emulator_learning_curve")
    assert (curve.attrs["status"], curve.attrs["reason"]) == ("empty", found.attrs["reason"])
    assert (tmp_path / "learning.csv").read_text().strip() == found.attrs["reason"]


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
    assert found.table.lines == ("Halpha_6565", "Hbeta_4863") and found.published.shape == (30, 2)
    for mine, theirs in zip(found.split, split_table(found.table), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert found.table.log_luminosity.min() > 35
