"""The simulated run of the explorer's benchmark: whole artefacts that agree with one another, and what asks them."""

import ast
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from one_spectrum import LSF, WAVE, Z, noisy
from small_explored import emulator_run
from support.explorer_client import Explorer, Visitor, name_of
from support.explorer_upload import contents_of, upload
from support.survey_artefacts import write_run
from support.survey_writing import written

import mangrove.explorer
from mangrove import artefacts
from mangrove.api import open_run
from mangrove.codes import Split, TrainingCut
from mangrove.data_model import KINDS
from mangrove.explorer.continuum_table import continuum
from mangrove.explorer.emulator_parts import BIN_TYPE
from mangrove.explorer.explored_run import ExploredRun
from mangrove.notebook.spectrum_map import open_map
from mangrove.physics.bpt import bpt_class, bpt_ratios
from mangrove.verification import artefact_files, verify_run

#: What the explorer reads where it is, but the simulated run leaves out: at the size of the benchmark it has 27 GB.
LEFT_OUT = {"training_spectra"}
#: What only galaxies have that are copied from a run of cubes.
COPIED = {"extract", "fit", "line_cube", "truth"}


def read(run: Path, kind: str, **wildcards: str) -> artefacts.Artefact:
    return artefacts.read(run / KINDS[kind].path.format(**wildcards), kind)


def kinds_in(run: Path) -> set[str]:
    """The kinds of all artefacts of a run."""
    found = set()
    for path in artefact_files(run):
        with artefacts.opened(path) as file:
            found.add(str(file.attrs["kind"]))
    return found


def kinds_that_the_explorer_reads() -> set[str]:
    """Names of kinds that stand as text in the explorer's modules."""
    folder = Path(mangrove.explorer.__file__).parent
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in folder.rglob("*.py")]
    texts = {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return {kind for kind in KINDS if kind in texts}


def bytes_of(run: Path) -> dict[Path, str]:
    files = sorted(path for path in run.rglob("*") if path.is_file())
    return {path.relative_to(run): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_every_artefact_is_whole(survey_run):
    assert verify_run(survey_run).problems == []
    for path in artefact_files(survey_run):
        with artefacts.opened(path) as file:
            kind = str(file.attrs["kind"])
            lacking = {name for name, field in KINDS[kind].fields.items() if not field.optional} - set(file)
        assert not lacking, (kind, lacking)
        assert artefacts.read(path, kind).ok, kind


def test_all_that_the_explorer_reads_is_there(survey_run):
    assert kinds_that_the_explorer_reads() - LEFT_OUT - COPIED <= kinds_in(survey_run)


def test_the_same_arguments_give_the_same_bytes(survey_run, tmp_path):
    write_run(tmp_path / "again", n_galaxy=12, n_baxel=900, seed=1)
    assert bytes_of(tmp_path / "again") == bytes_of(survey_run)


def test_rows_lie_galaxy_by_galaxy_and_are_as_many_as_asked_for(survey_run):
    labels, assigned = read(survey_run, "labels"), read(survey_run, "desom_assignments")
    assert labels["n_baxel_of_galaxy"].sum() == len(labels["galaxy"]) == 900
    expected = np.repeat(np.arange(12), labels["n_baxel_of_galaxy"])
    for table in (labels, assigned):
        np.testing.assert_array_equal(table["galaxy"], expected)
        np.testing.assert_array_equal(table["baxel"][expected == 3], np.arange((expected == 3).sum()))
    assert read(survey_run, "emulator_table")["plateifu"].tolist() == labels["plateifu"][expected].tolist()


def test_classes_follow_from_the_lines(survey_run):
    labels = read(survey_run, "labels")
    ratios = bpt_ratios(labels["line_flux"], labels["line_flux_err"], labels["line"], 2.0)
    np.testing.assert_array_equal(labels["bpt_class"], bpt_class(*ratios))


def test_old_and_young_baxels_lie_on_different_sides_of_the_map(survey_run):
    labels, assigned = read(survey_run, "labels"), read(survey_run, "desom_assignments")
    placed = assigned["node"] >= 0
    column = assigned["node"][placed] % assigned.attrs["columns"]
    assert np.corrcoef(column, labels["log_age_lw"][placed])[0, 1] > 0.9
    assert (np.isfinite(labels["log_age_lw"]) == placed).all()


def test_nodes_count_the_baxels_that_are_on_them(survey_run):
    assigned, nodes = read(survey_run, "desom_assignments"), read(survey_run, "desom_map")
    learnt = (assigned["cut"] == TrainingCut.KEPT) & (assigned["split"] == Split.TRAIN) & (assigned["node"] >= 0)
    on_node = np.bincount(assigned["node"][learnt], minlength=225)
    np.testing.assert_array_equal(nodes["n_baxel"][:, Split.TRAIN], on_node)
    labels = read(survey_run, "node_labels")
    np.testing.assert_array_equal(labels["n_own"][:, labels["label"].tolist().index("log_age_lw")] <= on_node, True)
    counts = read(survey_run, "fingerprints")["counts"]
    np.testing.assert_array_equal(
        counts.sum(axis=0), np.bincount(assigned["node"][assigned["node"] >= 0], minlength=225)
    )


def test_neighbours_are_the_nearest_by_latents(survey_run):
    for network in ("ae", "vae"):
        value = read(survey_run, "latents", network=network)["value"].astype(float)
        distance = np.linalg.norm(value[:, None] - value, axis=2) + np.diag(np.full(len(value), np.inf))
        nearest = read(survey_run, "neighbours", network=network)["latent_neighbour"][:, 0]
        np.testing.assert_array_equal(nearest, distance.argmin(axis=1))


def test_a_spectrum_like_a_prototype_comes_to_its_node(survey_run):
    nodes, placed_on = read(survey_run, "desom_map"), open_map(survey_run / "desom")
    for node in (0, 112, 224):
        flux = nodes["prototype_flux"][node]
        place = placed_on.place(1.02 * nodes["wave"], flux, np.ones(flux.size), 0.02)
        assert np.abs(np.subtract(place.node, (node // 15 + 1, node % 15 + 1))).max() <= 1, node


def test_notebooks_read_it(survey_run):
    run = open_run(survey_run)
    assert len(run.assignments()) == 900
    assert run.node_labels().sizes["node"] == 225


def test_galaxies_of_a_real_run_are_kept(demo_run, tmp_path):
    write_run(tmp_path / "like", n_galaxy=12, n_baxel=900, seed=1, like=demo_run)
    assert verify_run(tmp_path / "like").problems == []
    assert kinds_in(tmp_path / "like") >= COPIED
    labels, original = read(tmp_path / "like", "labels"), read(demo_run, "labels")
    n = labels["n_baxel_of_galaxy"][0]
    assert labels["plateifu"][0] == original["plateifu"][0] and len(labels["galaxy"]) == 900
    np.testing.assert_array_equal(labels["log_age_lw"][:n], original["log_age_lw"][original["galaxy"] == 0])
    assert (tmp_path / "like" / "emulator" / "model" / "model.json").is_file()


def test_too_few_baxels_are_refused(tmp_path):
    with pytest.raises(ValueError, match="10 baxels are too few for 12 galaxies"):
        write_run(tmp_path / "few", n_galaxy=12, n_baxel=10, seed=1)


def test_the_benchmark_gets_answers_over_http(survey_run):
    name = read(survey_run, "line_cube_set")["plateifu"][2]
    node = {"points": [{"x": 3, "y": 1}]}
    with Explorer(survey_run) as explorer:
        visitor = Visitor(explorer)
        assert visitor.visit("/spectral-map") > 0 and visitor.click("spectral-map-nodes", "clickData", node) > 0
        assert visitor.address.query == {"node": "2"} and "(3, 1)" in str(
            visitor.shown("spectral-map-counts", "children")
        )
        visitor.click("spectral-map-baxels-csv", "n_clicks", 1)
        rows = np.sum(read(survey_run, "desom_assignments")["node"] == 2)
        assert f": {rows} row" in visitor.shown("spectral-map-baxels-said", "children")
        assert visitor.visit("/anomalies") > 0 and visitor.click("anomalies-galaxy", "value", name) > 0
        assert visitor.address.query == {"galaxy": name} and name in str(visitor.shown("anomalies-alike", "children"))
        with pytest.raises(
            RuntimeError, match=r"no part of the page /nowhere answers to spectral-map-nodes\.clickData"
        ):
            visitor.visit("/nowhere")
            visitor.click("spectral-map-nodes", "clickData", node)
    assert explorer.memory > 0.1


def test_the_benchmark_moves_sliders_as_a_browser_does(tmp_path):
    """Components that go by a pattern: all of them are sent, and the one that was moved is named."""
    folder = emulator_run(tmp_path / "emulator")
    slider = name_of({"type": BIN_TYPE, "index": 1})
    with Explorer(folder) as explorer:
        visitor = Visitor(explorer)
        visitor.visit("/emulator?row=5")
        before = visitor.shown("emulator-numbers", "children")
        assert visitor.click(slider, "drag_value", 1.3) > 0
        held = visitor.shown("emulator-numbers", "children")
        assert held != before and visitor.address.query == {"row": "5"}
        assert visitor.click(slider, "value", 1.3) > 0
        assert visitor.shown("emulator-numbers", "children") == held
        shape = [float(part) for part in visitor.address.query["flux"].split(",")]
        preset = continuum(ExploredRun(folder), 5).flux_bins
        assert shape == pytest.approx([preset[0] / preset.mean(), 1.3, preset[2] / preset.mean()], abs=1e-3)
        # The sliders follow the address: another preset moves them.
        visitor.click("emulator-row", "value", 6)
        other = continuum(ExploredRun(folder), 6).flux_bins
        assert visitor.shown(slider, "value") == pytest.approx(other[1] / other.mean(), abs=2e-3)


def test_the_benchmark_brings_a_spectrum_that_is_read_and_fitted(survey_run):
    flux, error = noisy()
    lsf = np.asarray(LSF)
    contents = contents_of(
        {"wave": WAVE, "flux": flux, "ivar": error**-2.0, "mask": np.zeros(WAVE.size, int), "lsf": lsf, "z": Z}
    )
    with Explorer(survey_run) as explorer:
        visitor = Visitor(explorer)
        visitor.visit("/your-spectrum")
        assert upload(visitor, contents) > 0
        about = str(visitor.shown("your-spectrum-about", "children"))
        assert f"{WAVE.size:,} pixels" in about and "vacuum" in about and f"{Z:g}" in about
        with pytest.raises(RuntimeError, match=r"the upload was refused: .*did not arrive whole"):
            upload(visitor, "data:;base64,nonsense?")


def test_a_run_that_is_there_is_not_written_again(survey_run):
    before = bytes_of(survey_run)
    assert written(survey_run, 12, 900, 1, None) is None
    with pytest.raises(ValueError, match="has 12 galaxies and 900 baxels: delete it, or give another --run"):
        written(survey_run, 13, 900, 1, None)
    assert bytes_of(survey_run) == before


def test_the_first_page_does_without_what_is_slow_to_import():
    """A second of JAX, half of one for each of the others: whoever asks for a fit waits for them, not who opens the explorer."""
    slow = "{'jax', 'matplotlib', 'flax', 'optax', 'scipy.optimize', 'scipy.stats', 'astropy.cosmology', 'xarray', 'sklearn', 'umap'}"
    code = f"import sys, mangrove.explorer.server; print(sorted({slow} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_no_figure_meets_a_library_that_is_half_loaded():
    """plotly takes pandas from the loaded modules, also while another thread loads it: it must be there from the start on."""
    code = "import sys, mangrove.explorer.app; print(hasattr(sys.modules.get('pandas'), 'Series'))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "True"
