"""Trained maps: assignment, the model folder, and what is refused."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from mangrove.errors import ModelError
from mangrove.models.desom.assignment import assign
from mangrove.models.desom.autoencoders import FingerprintArchitecture, SpectrumArchitecture
from mangrove.models.desom.grid import SomGrid
from mangrove.models.desom.input_scale import InputScale
from mangrove.models.desom.model import DESOM, GALAXY_MAP, MapModel
from mangrove.models.desom.network import MapDesign, MapNetwork
from mangrove.models.training import model_folder

RNG = np.random.default_rng(4)
WAVE = np.geomspace(3650, 8950, 32)
FLUX = (1 + 0.3 * RNG.normal(size=(150, 32))).astype(np.float32)
MASK = (RNG.uniform(size=FLUX.shape) < 0.2).astype(np.int8)


def spectrum_map():
    design = MapDesign(SpectrumArchitecture(32, (4, 4), 6, 5), SomGrid(3, 4, "published"), "whiten")
    network = MapNetwork(design, InputScale.of("standard", FLUX, MASK != 0))
    state = network.first_state(1)
    z = network.encode(state, network.scale.forward(jnp.asarray(FLUX)))
    state["prototypes"][...], state["latent_variance"][...] = z[:12], z.var(axis=0)
    return MapModel(DESOM, network, state, WAVE, training={"data": "a"})


def galaxy_map():
    design = MapDesign(FingerprintArchitecture(4, 5, filters=2, latent=3), SomGrid(2, 2))
    network = MapNetwork(design, InputScale.none((4, 5)))
    return MapModel(GALAXY_MAP, network, network.first_state(1), node_limit=np.arange(20, dtype=np.float32))


@pytest.fixture(scope="module")
def model():
    return spectrum_map()


def test_spectra_are_assigned_to_the_nearest_prototypes(model):
    found = assign(model, FLUX, MASK)
    place, nodes = model.som_space(model.encode(FLUX)), model.som_space(model.prototypes)
    distance = np.sqrt(((place[:, None] - nodes) ** 2).sum(axis=-1))
    order = distance.argsort(axis=1)
    np.testing.assert_array_equal(found.node, order[:, 0])
    np.testing.assert_array_equal(found.second_node, order[:, 1])
    np.testing.assert_allclose(found.distance, np.sort(distance, axis=1)[:, 0], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.second_distance, np.sort(distance, axis=1)[:, 1], rtol=1e-3)
    assert found.node.dtype == found.second_node.dtype == np.int32
    # The spectra that the prototypes encode lie on them.
    np.testing.assert_array_equal(found.node[:12], np.arange(12))
    np.testing.assert_allclose(found.distance[:12], 0, atol=1e-5)


def test_the_mse_is_that_of_the_flux_and_masked_values_do_not_count(model):
    residual = model.decode(model.encode(FLUX)) - FLUX
    wanted = [(row[mask == 0] ** 2).mean() for row, mask in zip(residual, MASK, strict=True)]
    np.testing.assert_allclose(assign(model, FLUX, MASK).mse, wanted, rtol=1e-4)
    np.testing.assert_allclose(assign(model, FLUX).mse, (residual**2).mean(axis=1), rtol=1e-4)


def test_an_assignment_does_not_depend_on_the_other_spectra(model):
    alone, all_ = assign(model, FLUX[140:141], MASK[140:141]), assign(model, FLUX, MASK)
    np.testing.assert_allclose([part[0] for part in alone], [part[140] for part in all_], rtol=1e-4)
    assert [len(part) for part in assign(model, FLUX[:0])] == [0] * 5


@pytest.mark.parametrize("make", [spectrum_map, galaxy_map])
def test_a_model_comes_back_from_its_folder(tmp_path, make):
    model = make()
    model.save(tmp_path / "model", {"seed": 3})
    again = MapModel.load(tmp_path / "model", model.kind)
    x = RNG.uniform(size=(5, *model.network.design.architecture.shape)).astype(np.float32)
    for first, second in zip(assign(model, x), assign(again, x), strict=True):
        np.testing.assert_array_equal(first, second)
    assert again.grid == model.grid and again.network.design == model.network.design
    assert again.description["training"] == {**model.description["training"], "seed": 3}
    for name in ("wave", "node_limit"):
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name))


def test_wrong_folders_are_refused(tmp_path, model):
    folder = tmp_path / "model"
    with pytest.raises(ModelError, match="missing"):
        MapModel.load(folder, DESOM)
    model.save(folder)
    with pytest.raises(ModelError, match=r"kind desom.*galaxy_map, format"):
        MapModel.load(folder, GALAXY_MAP)
    content = json.loads((folder / "model.json").read_text())
    content["grid"]["rows"] = 4
    (folder / "model.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="altered"):
        MapModel.load(folder, DESOM)
    (folder / "arrays.npz").unlink()
    with pytest.raises(ModelError, match=r"arrays\.npz is missing"):
        MapModel.load(folder, DESOM)
    model_folder.save_empty(folder, "no spectrum passed", {})
    with pytest.raises(ModelError, match="holds no model: no spectrum passed"):
        MapModel.load(folder, DESOM)


@pytest.mark.parametrize("wave", [WAVE[:-1], WAVE * 1.001, np.linspace(3650, 8950, 32)])
def test_spectra_on_other_wavelengths_are_refused(tmp_path, model, wave):
    model.save(tmp_path / "model")
    MapModel.load(tmp_path / "model", DESOM, WAVE)
    with pytest.raises(
        ModelError, match=f"32 wavelengths from 3650.00 to 8950.00 Angstrom, the spectra have {len(wave)}"
    ):
        MapModel.load(tmp_path / "model", DESOM, wave)


@pytest.mark.parametrize(
    ("changed", "more", "said"),
    [
        ({"input_scale": "cubed"}, {}, "input_scale is 'cubed'; known are flux, asinh, standard, balanced"),
        ({"latent_scale": "rotated"}, {}, "latent_scale is 'rotated'"),
        ({"grid": {"rows": 3, "columns": 4, "distance": "euclid"}}, {}, "distance of the grid is 'euclid'"),
        ({}, {"further": np.zeros(3)}, "the arrays further do not fit"),
        ({}, {"input_mean": np.zeros(31, np.float32)}, "the arrays input_mean do not fit"),
    ],
)
def test_what_a_map_cannot_compute_with_is_refused(model, tmp_path, changed, more, said):
    model.save(tmp_path / "good")
    arrays = model_folder.load(tmp_path / "good", DESOM).arrays
    model_folder.save(tmp_path / "other", DESOM, {**model.description, **changed}, arrays | more)
    with pytest.raises(ModelError, match=said):
        MapModel.load(tmp_path / "other", DESOM)
