"""Model folders of any content: the model that was saved, or a ModelError; no pickles, no other networks."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from fuzzing import damaged, fuzzed, outcome
from hypothesis import given
from hypothesis import strategies as st
from small_autoencoder import LINES, small_autoencoder

from mangrove.errors import ModelError
from mangrove.models.convlstm.model import CubeModel
from mangrove.models.training import model_folder

VALUES = st.sampled_from(
    [None, True, 0, -1, 3, 1e400, 2.5, "", "ae", "none", "x" * 50, [], [0], [1, 2], [[1]], {}, {"a": 1}, 1 << 70]
)
ARRAYS = st.sampled_from(["missing", "more", "shape", "type", "text", "empty"])


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "model"
    small_autoencoder().save(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "model")


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


def test_a_sealed_folder_is_read(saved, folder):
    """Otherwise the tests below would meet the hashes alone."""
    seal(folder, *parts(saved))
    assert list(CubeModel.load(folder, "ae").lines) == list(LINES)


@fuzzed(25)
@given(data=st.data(), which=st.sampled_from(["model.json", "arrays.npz"]))
def test_damaged_files(saved, folder, data, which):
    """A file that differs is refused by its hash."""
    good = (saved / which).read_bytes()
    content = data.draw(damaged([good]))
    (folder / which).write_bytes(content)
    found = outcome(ModelError, CubeModel.load, folder, "ae")
    (folder / which).write_bytes(good)
    if which == "arrays.npz":
        assert (found is None) == (content != good)


@fuzzed(15)
@given(data=st.data())
def test_other_descriptions_with_right_hashes(saved, folder, data):
    content, arrays = parts(saved)
    inner = data.draw(st.sampled_from(["design", ""]))
    place = content[inner] if inner else content
    key = data.draw(st.sampled_from(sorted(place)))
    if data.draw(st.booleans()):
        place[key] = data.draw(VALUES)
    else:
        del place[key]
    seal(folder, content, arrays)
    outcome(ModelError, CubeModel.load, folder, "ae")


@fuzzed(12)
@given(data=st.data(), how=ARRAYS)
def test_other_arrays_with_right_hashes(saved, folder, data, how):
    """Weights that are not those of the network are refused; none is filled in, cut or converted."""
    content, arrays = parts(saved)
    name = data.draw(st.sampled_from(sorted(arrays)))
    values = arrays.pop(name)
    if how != "missing":
        arrays[name] = {
            "more": values,
            "shape": np.concatenate([np.ravel(values), np.zeros(1, values.dtype)]),
            "type": values.astype(np.float64),
            "text": np.full(values.shape, "x"),
            "empty": np.zeros(0, values.dtype),
        }[how]
    if how == "more":
        arrays["further"] = values
    seal(folder, content, arrays)
    assert outcome(ModelError, CubeModel.load, folder, "ae") is None


def test_pickles_are_refused(saved, folder):
    content, arrays = parts(saved)
    name = next(iter(arrays))
    seal(folder, content, arrays | {name: np.array([{"a": 1}], dtype=object)})
    with pytest.raises(ModelError, match="is not laid out as this model is"):
        model_folder.load(folder, "ae")
