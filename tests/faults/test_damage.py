"""A bit flipped in an artefact is found, and nothing is made from it; no file of a run is a pickle."""

import ast
import io
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from flipped_bits import flip_a_bit, is_stored
from mini_run import MiniRun

from mangrove import artefacts
from mangrove.verification import verify_run

ROOT = Path(__file__).resolve().parents[2]
#: Steps that train, or gather what is trained on, with the artefact that they read.
LEARNING = {
    "training_spectra": "spectra/extract/9002-1901.h5",
    "line_cube_set": "spectra/line_cube/9002-1901.h5",
    "desom_train": "spectra/training_spectra.h5",
    "autoencoder_train": "spectra/line_cube_set.h5",
    "fingerprints": "desom/assignments.h5",
    "galaxy_map_train": "desom/fingerprints.h5",
}
#: Modules whose files run code when they are read.
UNSAFE = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "marshal", "shelve"}
UNSAFE_CALLS = re.compile(r"\b(read_pickle|to_pickle|joblib\.(load|dump)|allow_pickle\s*=\s*True)\b")


@pytest.mark.parametrize("run", ["mini", "demo"])
def test_verify_finds_a_flipped_bit_in_an_artefact_of_every_kind(request, run, tmp_path):
    folder = request.getfixturevalue("demo_run") if run == "demo" else request.getfixturevalue("mini").run
    kinds = {}
    for path in sorted(folder.rglob("*.h5")):
        with h5py.File(path) as f:
            if any(is_stored(dataset) for dataset in f.values()):
                kinds.setdefault(str(f.attrs["kind"]), path)
    # Of the emulator, only the demo has artefacts.
    assert len(kinds) >= 20 and ("emulator_quality" in kinds) == (run == "demo")
    for kind, path in kinds.items():
        shutil.copy(path, tmp_path / f"{kind}.h5")
    assert not verify_run(tmp_path).problems
    for kind in kinds:
        flip_a_bit(tmp_path / f"{kind}.h5")
    problems = verify_run(tmp_path).problems
    missed = [kind for kind in kinds if not any(text.startswith(f"{tmp_path / kind}.h5: ") for text in problems)]
    assert not missed and len(problems) == len(kinds)


@pytest.mark.parametrize("name", ["model.json", "arrays.npz"])
def test_verify_finds_a_flipped_bit_in_every_model(mini, tmp_path, name):
    models = sorted(path.parent for path in mini.run.rglob("model.json"))
    assert {path.parent.name for path in models} == {"desom", "galaxy_map", "ae"}
    for i, model in enumerate(models):
        shutil.copytree(model, tmp_path / f"{i}/model")
    assert verify_run(tmp_path) == (len(models), [])
    for i in range(len(models)):
        content = bytearray((tmp_path / f"{i}/model" / name).read_bytes())
        content[len(content) // 2] ^= 1
        (tmp_path / f"{i}/model" / name).write_bytes(content)
    problems = verify_run(tmp_path).problems
    assert [text.partition(":")[0] for text in problems] == [f"{tmp_path}/{i}/model/{name}" for i in range(len(models))]
    (tmp_path / "0/model" / name).unlink()
    assert len(verify_run(tmp_path).problems) == len(models) - (name == "model.json")


@pytest.mark.parametrize("rule", LEARNING)
def test_nothing_is_trained_on_a_flipped_bit(mini, steps, rule):
    job = steps.named(rule)
    with mini.restored(f"results/mini/{LEARNING[rule]}") as path, steps.kept(job):
        flip_a_bit(path)
        told = steps.ask(job)
        assert told["exit"] == 1
        assert f"{LEARNING[rule]}" in steps.messages() and "Delete it" in steps.messages()
        assert not [path for path in steps.outputs(job) if path.exists()]


def test_an_altered_artefact_has_no_hash_to_be_recorded(mini, tmp_path):
    path = tmp_path / "assignments.h5"
    shutil.copy(mini.run / "desom/assignments.h5", path)
    with h5py.File(path) as f:
        recorded = f.attrs["content_hash"]
    assert artefacts.input_hash(path) == recorded
    flip_a_bit(path)
    with pytest.raises(artefacts.ArtefactError, match="differs from its recorded hash"):
        artefacts.input_hash(path)


def test_a_run_holds_no_pickle(mini: MiniRun):
    products = mini.products()
    assert any(name.endswith(".npz") for name in products)
    for name, content in products.items():
        assert not re.match(rb"\x80[\x00-\x05]", content), name
        if name.endswith(".npz"):
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                assert [arrays[one].dtype.hasobject for one in arrays.files].count(True) == 0, name


@pytest.mark.parametrize("folder", ["src", "workflow", "rules", "tools"])
def test_no_source_reads_or_writes_pickles(folder):
    files = [path for end in ("py", "smk") for path in (ROOT / folder).rglob(f"*.{end}")]
    assert files
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not UNSAFE_CALLS.search(text), path
        assert not UNSAFE & imported(text, path), path


def imported(text: str, path: Path) -> set[str]:
    """Top names of the modules that a file imports, whether it is Python or a file of rules."""
    if path.suffix == ".smk":
        return set(re.findall(r"^\s*(?:import|from)\s+(\w+)", text, re.MULTILINE))
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found
