"""Model folders of any content: the model that was saved, or a ModelError; no pickles, no other networks."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from fuzzing import damaged, fuzzed, outcome
from hypothesis import given
from hypothesis import strategies as st
from small_autoencoder import LINES, small_autoencoder
from small_map import small_model

from mangrove.errors import ModelError
from mangrove.models.convlstm.model import CubeModel
from mangrove.models.desom.autoencoders import FingerprintArchitecture
from mangrove.models.desom.grid import SomGrid
from mangrove.models.desom.input_scale import InputScale
from mangrove.models.desom.linear import LinearPath
from mangrove.models.desom.model import DESOM, GALAXY_MAP, MapModel
from mangrove.models.desom.network import MapDesign, MapNetwork
from mangrove.models.emulator import emulator
from mangrove.models.emulator.continuum_features import Bins
from mangrove.models.emulator.network import Architecture
from mangrove.models.emulator.scaled_network import Normalisation, ScaledNetwork
from mangrove.models.training import model_folder

N_WAVE = 32


def map_of_spectra() -> MapModel:
    rng = np.random.default_rng(1)
    model = small_model(rng.uniform(0.5, 1.5, (12, N_WAVE)), np.linspace(4000.0, 5000.0, N_WAVE))
    path = LinearPath(*(rng.normal(size=shape).astype(np.float32) for shape in ((N_WAVE,), (2, N_WAVE))))
    network = MapNetwork(model.network.design, model.network.scale, linear=path)
    return MapModel(DESOM, network, network.first_state(1), model.wave)


def map_of_galaxies() -> MapModel:
    network = MapNetwork(MapDesign(FingerprintArchitecture(4, 5, 2, 3, 6), SomGrid(2, 3)), InputScale.none((4, 5)))
    return MapModel(GALAXY_MAP, network, network.first_state(1), node_limit=np.arange(20, dtype=np.float32))


def small_emulator() -> emulator.Emulator:
    rng, bins = np.random.default_rng(1), Bins.equal(n_bin=4)
    normalisation = Normalisation.of(
        rng.normal(size=(9, 4)).astype("f4"), rng.normal(size=(9, len(LINES))).astype("f4")
    )
    network = ScaledNetwork(Architecture(hidden=(5,), n_member=2), normalisation)
    return emulator.Emulator(bins, LINES, network, network.first_state(1))


#: How a small model is made, saved and read, by its kind.
MODELS = {
    "ae": (small_autoencoder, CubeModel.save, lambda folder: CubeModel.load(folder, "ae")),
    DESOM: (map_of_spectra, MapModel.save, lambda folder: MapModel.load(folder, DESOM)),
    GALAXY_MAP: (map_of_galaxies, MapModel.save, lambda folder: MapModel.load(folder, GALAXY_MAP)),
    "emulator": (small_emulator, lambda model, to: model.save(to, {}), emulator.load),
}
KINDS = st.sampled_from([*MODELS])
VALUES = st.sampled_from(
    [None, True, 0, -1, 3, 1e400, 2.5, "", "ae", "none", "x" * 50, [], [0], [1, 2], [[1]], {}, {"a": 1}, 1 << 70]
)
ARRAYS = st.sampled_from(["missing", "more", "shape", "type", "text", "empty"])


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> dict[str, Path]:
    """A folder of each kind."""
    folder = tmp_path_factory.mktemp("models")
    for kind, (make, save, _) in MODELS.items():
        save(make(), folder / kind)
    return {kind: folder / kind for kind in MODELS}


@pytest.fixture(scope="module")
def folder(saved, tmp_path_factory) -> Path:
    """A folder to write other models into."""
    return shutil.copytree(saved["ae"], tmp_path_factory.mktemp("other") / "model")


def seal(folder, content: dict, arrays: dict) -> None:
    """Write a folder whose hashes are right, whatever it holds."""
    np.savez(folder / "arrays.npz", **arrays)
    digest = hashlib.sha256((folder / "arrays.npz").read_bytes()).hexdigest()
    content = {key: value for key, value in content.items() if key != "sha256"} | {"arrays": {"arrays.npz": digest}}
    text = json.dumps(content, sort_keys=True)
    content["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "model.json").write_text(json.dumps(content))


def parts(saved) -> tuple[dict, dict]:
    with np.load(saved / "arrays.npz") as file:
        return json.loads((saved / "model.json").read_text()), {name: file[name] for name in file.files}


def holds(values, said) -> bool:
    """Whether values are those of a description; what a description leaves out has its usual value."""
    if isinstance(said, dict) and isinstance(values, dict):
        return all(key in values and holds(values[key], said[key]) for key in said)
    return values == said


def load(folder: Path, kind: str):
    """The model of a folder, if it is one, which is then all that the folder says: saved again, it says the same."""
    _, save, read = MODELS[kind]
    found = outcome(ModelError, read, folder)
    if found is not None:
        save(found, folder.with_name("again"))
        (content, arrays), (again, same) = parts(folder), parts(folder.with_name("again"))
        for name in {*content} - {"sha256", "arrays", *(["training"] if kind == "emulator" else [])}:
            assert holds(again[name], content[name]), name
        assert {*same} == {*arrays}
        for name, values in arrays.items():
            np.testing.assert_array_equal(same[name], values, err_msg=name)
    return found


@pytest.mark.parametrize("kind", MODELS)
def test_a_sealed_folder_is_read(saved, folder, kind):
    """Otherwise the tests below would meet the hashes alone."""
    seal(folder, *parts(saved[kind]))
    assert load(folder, kind) is not None


@fuzzed(25, 9.0)
@given(data=st.data(), kind=KINDS, which=st.sampled_from(["model.json", "arrays.npz"]))
def test_damaged_files(saved, folder, data, kind, which):
    """A file that differs is refused by its hash."""
    for name in ("model.json", "arrays.npz"):
        shutil.copy(saved[kind] / name, folder / name)
    good = (folder / which).read_bytes()
    content = data.draw(damaged([good]))
    (folder / which).write_bytes(content)
    found = outcome(ModelError, MODELS[kind][2], folder)
    if which == "arrays.npz":
        assert (found is None) == (content != good)


@fuzzed(25, 100.0)
@given(data=st.data(), kind=KINDS)
def test_other_descriptions_with_right_hashes(saved, folder, data, kind):
    content, arrays = parts(saved[kind])
    inner = data.draw(st.sampled_from(["", *(key for key in sorted(content) if isinstance(content[key], dict))]))
    place = content[inner] if inner else content
    if not place:
        return
    key = data.draw(st.sampled_from(sorted(place)))
    if data.draw(st.booleans()):
        place[key] = data.draw(VALUES)
    else:
        del place[key]
    seal(folder, content, arrays)
    load(folder, kind)


@fuzzed(25, 70.0)
@given(data=st.data(), kind=KINDS, how=ARRAYS)
def test_other_arrays_with_right_hashes(saved, folder, data, kind, how):
    """Arrays that are not those of the model are refused; none is filled in, cut or converted."""
    content, arrays = parts(saved[kind])
    name = data.draw(st.sampled_from(sorted(arrays)))
    values = arrays.pop(name)
    if how != "missing":
        arrays[name] = {
            "more": values,
            "shape": np.concatenate([np.ravel(values), np.zeros(1, values.dtype)]),
            "type": values.astype(np.float64),
            "text": np.full(values.shape, "x"),
            "empty": np.zeros((0, *values.shape[1:][:-1]), values.dtype),
        }[how]
    if how == "more":
        arrays["further"] = values
    seal(folder, content, arrays)
    found = load(folder, kind)
    # The scale of the input may be of double precision, and a limit of the weights may be missing: it is not needed.
    harmless = how == "type" or (how, name) == ("missing", "node_limit") or (how == "empty" and not values.size)
    assert found is None or harmless


@fuzzed(20, 120.0)
@given(kind=KINDS, seed=st.integers(0, 2**32 - 1))
def test_weights_are_those_of_the_folder(saved, folder, kind, seed):
    content, arrays = parts(saved[kind])
    rng = np.random.default_rng(seed)
    arrays = {name: rng.normal(size=values.shape).astype(values.dtype) for name, values in arrays.items()}
    seal(folder, content, arrays)
    assert load(folder, kind) is not None


def test_pickles_are_refused(saved, folder):
    content, arrays = parts(saved["ae"])
    name = next(iter(arrays))
    seal(folder, content, arrays | {name: np.array([{"a": 1}], dtype=object)})
    with pytest.raises(ModelError, match="is not laid out as this model is"):
        model_folder.load(folder, "ae")
