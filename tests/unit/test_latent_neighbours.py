"""Neighbours of line cubes: three spaces, their agreement, copies and repeats among them, and the same again."""

import numpy as np
import pytest
from attributes import attributes_of
from scipy.spatial.distance import cdist
from sklearn.manifold import trustworthiness
from small_autoencoder import small_autoencoder, small_cubes, write_line_cubes
from small_export import random_data
from small_latents import MODEL, latents_in_groups, names_of, write_latents

from mangrove import artefacts
from mangrove.analysis import cube_copies, latent_neighbours
from mangrove.analysis.cube_copies import chosen_galaxies, copies_among_neighbours, latents_of_copies
from mangrove.analysis.latent_neighbours import map_trustworthiness, neighbour_tables, repeats_among_neighbours
from mangrove.models.convlstm.cubes import Cubes, LineCubes
from mangrove.models.convlstm.flips import dihedral
from mangrove.models.training import model_folder

N = 18


def test_each_space_has_its_own_neighbours_and_overlap_compares_two():
    rng = np.random.default_rng(4)
    spaces = {
        "latent": rng.normal(size=(30, 5)),
        "invariant": rng.normal(size=(30, 5)),
        "umap": rng.normal(size=(30, 3)),
    }
    data, measures = neighbour_tables(*spaces.values(), 4)
    expected = {}
    for name, place in spaces.items():
        apart = cdist(place, place) + np.diag(np.full(30, np.inf))
        expected[name] = np.argsort(apart, axis=1)[:, :4]
        np.testing.assert_array_equal(data[f"{name}_neighbour"], expected[name])
        np.testing.assert_allclose(data[f"{name}_distance"], np.sort(apart, axis=1)[:, :4], rtol=1e-6)
    overlap = [len({*one} & {*other}) / 4 for one, other in zip(expected["latent"], expected["umap"], strict=True)]
    np.testing.assert_allclose(data["overlap"], overlap)
    assert measures["mean_overlap"] == pytest.approx(np.mean(overlap))
    assert measures["trustworthiness"] == pytest.approx(
        trustworthiness(spaces["latent"], spaces["umap"], n_neighbors=4)
    )


def test_a_map_like_the_latents_is_trustworthy_and_one_at_random_is_not():
    latent, _ = latents_in_groups(60)
    at_random = np.random.default_rng(1).normal(size=(60, 3))
    assert map_trustworthiness(latent, latent[:, :3], 5) > 0.9
    assert map_trustworthiness(latent, at_random, 5) == pytest.approx(0.5, abs=0.15)
    latent[7] = np.nan
    assert map_trustworthiness(latent, latent[:, :3], 5) > 0.9, "without the galaxy that has no latents"
    assert np.isnan(map_trustworthiness(latent, np.full((60, 3), np.nan), 5))
    assert np.isnan(map_trustworthiness(latent[:10], at_random[:10], 5)), "two galaxies a neighbour are too few"


def test_large_samples_are_judged_on_a_part(monkeypatch):
    latent, _ = latents_in_groups(60)
    monkeypatch.setattr(latent_neighbours, "N_RANKED", 30)
    expected = trustworthiness(latent[::2], latent[::2, 1:4], n_neighbors=5)
    assert map_trustworthiness(latent, latent[:, 1:4], 5) == pytest.approx(expected)
    every = trustworthiness(latent, latent[:, 1:4], n_neighbors=28)
    assert map_trustworthiness(latent, latent[:, 1:4], 28) == pytest.approx(every, abs=0.05), "57 are needed"
    assert np.isfinite(map_trustworthiness(latent[:31], latent[:31, 1:4], 12)), "a few more than are judged"


def test_repeats_among_the_neighbours():
    mangaid = np.array(["a", "b", "a", "a", "c", "b"])
    neighbour = np.array([[2, 1], [0, 2], [0, 3], [4, 1], [0, 1], [-1, -1]])
    # a: 1 of 2, 2 of 2, 0 of 2; the other observation of b has no latents.
    assert repeats_among_neighbours(mangaid, neighbour) == pytest.approx(0.5)
    assert repeats_among_neighbours(mangaid, neighbour[:, :1]) == pytest.approx(2 / 3), "of one that can be found"
    assert np.isnan(repeats_among_neighbours(np.array(["a", "b"]), np.array([[1], [0]])))


def test_copies_with_latents_of_their_own_are_all_found():
    own = 10.0 * np.arange(5)[:, None, None] + np.random.default_rng(2).normal(0.0, 0.1, (5, 8, 3))
    assert copies_among_neighbours(own) == 1.0
    own[3] = np.nan
    assert copies_among_neighbours(own) == 1.0
    by_copy = 10.0 * np.arange(8)[None, :, None] + np.random.default_rng(2).normal(0.0, 0.1, (40, 8, 3))
    assert copies_among_neighbours(by_copy) == 0.0, "copies are nearest to the same copy of others"
    at_random = np.random.default_rng(2).normal(size=(200, 8, 6))
    assert copies_among_neighbours(at_random) == pytest.approx(7 / 1599, abs=0.004)
    assert np.isnan(copies_among_neighbours(np.full((3, 8, 2), np.nan)))


def test_at_most_so_many_galaxies_are_chosen_by_the_seed(monkeypatch):
    monkeypatch.setattr(cube_copies, "MOST_GALAXIES", 20)
    chosen = chosen_galaxies(100, 3)
    assert len(set(chosen.tolist())) == 20 and (np.diff(chosen) > 0).all()
    assert chosen_galaxies(100, 3).tolist() == chosen.tolist() != chosen_galaxies(100, 4).tolist()
    assert chosen_galaxies(5, 3).tolist() == [0, 1, 2, 3, 4]


def test_the_copies_that_are_encoded_are_the_eight_of_each_cube(tmp_path):
    """With means over quarters of the image as latents; 20 galaxies take two blocks."""
    cubes = small_cubes(20)
    opened = LineCubes.open(write_line_cubes(tmp_path / "cubes.h5", cubes))

    def quarters(some: Cubes) -> np.ndarray:
        halves = [some.flux[..., :4, :], some.flux[..., 4:, :]]
        return np.stack([part.mean(axis=(1, 2, 3, 4)) for half in halves for part in (half[..., :4], half[..., 4:])], 1)

    found = latents_of_copies(quarters, opened, np.arange(1, 20))
    assert found.shape == (19, 8, 4)
    for k in range(8):
        turned = Cubes(*(dihedral(values[[18]], k) for values in cubes))
        np.testing.assert_allclose(found[17, k], quarters(turned)[0], rtol=1e-5)
    np.testing.assert_allclose(np.sort(found, axis=2), np.sort(found[:, :1], axis=2).repeat(8, 1), rtol=1e-5)


@pytest.fixture(scope="module")
def run(tmp_path_factory, script, Params):
    """Latents of an untrained network, and a function that runs the script on them."""
    folder = tmp_path_factory.mktemp("run")
    model, cubes = small_autoencoder(), small_cubes(N)
    model.save(folder / "model")
    latent = model.encode(cubes).mean
    _, split = latents_in_groups(N)
    write_line_cubes(folder / "cubes.h5", cubes, names=names_of(N)["plateifu"])
    write_latents(folder / "latents.h5", latent, split)
    given = names_of(N) | {"umap_3d": latent[:, :3]}
    data = random_data("latent_embedding", {"plateifu": N, "axis_3d": 3}, **given)
    about = attributes_of("latent_embedding", network="ae", model_hash=MODEL)
    artefacts.write(folder / "embedding.h5", "latent_embedding", data, artefacts.Provenance(), about)

    def call(name="neighbours.h5", model="model", **params):
        inputs = {"line_cube_set": folder / "cubes.h5", "latents": folder / "latents.h5"}
        inputs |= {"embedding": folder / "embedding.h5", "description": folder / model / "model.json"}
        inputs |= {"arrays": folder / model / "arrays.npz"}
        outputs = Params(neighbours=str(folder / name))
        params = Params({"network": "ae", "n_neighbour": 4, "seed": 1} | params)
        script("neighbours").main(Params({k: str(path) for k, path in inputs.items()}), outputs, params)
        return artefacts.read(outputs.neighbours, "neighbours")

    call.folder, call.latent = folder, latent
    return call


def test_the_neighbours_of_a_run(run):
    found = run()
    apart = cdist(run.latent, run.latent) + np.diag(np.full(N, np.inf))
    np.testing.assert_array_equal(found["latent_neighbour"], np.argsort(apart, axis=1)[:, :4])
    assert found["plateifu"].tolist() == names_of(N)["plateifu"].tolist()
    assert found.attrs["network"] == "ae" and found.attrs["model_hash"] == MODEL
    assert 0.0 < found.attrs["copies_among_neighbours"] <= 1.0
    # The last galaxy is the first observed again (small_latents.names_of), here of another cube.
    first, last = found["latent_neighbour"][[0, N - 1]]
    expected = (float(N - 1 in first) + float(0 in last)) / 2
    assert found.attrs["repeats_among_neighbours"] == pytest.approx(expected)


def test_two_runs_give_the_same_neighbours(run):
    assert run("again.h5").content_hash == run().content_hash


def test_more_neighbours_than_galaxies_are_padded(run):
    found = run("many.h5", n_neighbour=30)
    assert found["latent_neighbour"].shape == (N, 30)
    assert (found["latent_neighbour"][:, : N - 1] >= 0).all() and (found["latent_neighbour"][:, N - 1 :] == -1).all()
    assert np.isnan(found["umap_distance"][:, N - 1 :]).all() and np.isnan(found.attrs["trustworthiness"])
    np.testing.assert_allclose(found["overlap"], 1.0)


def test_without_a_model_no_copies_are_compared(run):
    model_folder.save_empty(run.folder / "none", "too few galaxies", {})
    assert np.isnan(run("none.h5", model="none").attrs["copies_among_neighbours"])
