"""The latents as principal components and maps: right, the same again, and valid where there are too few galaxies."""

import logging

import numpy as np
import pytest
from small_latents import MODEL, N_LATENT, latents_in_groups, write_latents

from mangrove import artefacts
from mangrove.analysis.latent_embedding import components_of, neighbours_for, principal_components, refit
from mangrove.analysis.nearest import nearest
from mangrove.codes import Split

PARAMS = {"components": 4, "umap_neighbours": 8, "min_dist": 0.1, "n_seed": 3, "seed": 7}


@pytest.fixture(scope="module")
def embed(script, Params):
    """Run the script on latents and read what it wrote."""

    def run(folder, latent, split, name="embedding.h5", status="ok", reason="", **params):
        write_latents(folder / "latents.h5", latent, split, status=status, reason=reason)
        inputs, outputs = Params(latents=str(folder / "latents.h5")), Params(embedding=str(folder / name))
        script("embedding").main(inputs, outputs, Params(PARAMS | params))
        return artefacts.read(outputs.embedding, "latent_embedding")

    return run


@pytest.fixture(scope="module")
def stored(embed, tmp_path_factory):
    """Of 45 galaxies in three groups, one of them without latents."""
    latent, split = latents_in_groups(45)
    latent[11] = np.nan
    return embed(tmp_path_factory.mktemp("run"), latent, split)


def test_components_are_those_of_the_training_set_alone(stored):
    latent, split = latents_in_groups(45)
    train = latent[(split == Split.TRAIN) & (np.arange(45) != 11)].astype(float)
    values, vectors = np.linalg.eigh(np.cov(train.T))
    np.testing.assert_allclose(stored["mean"], train.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(stored["explained"], values[::-1][:4] / values.sum(), rtol=1e-5)
    np.testing.assert_allclose(np.abs(np.sum(stored["direction"] * vectors.T[::-1][:4], axis=1)), 1.0, atol=1e-5)
    np.testing.assert_allclose(
        stored["principal"][3], (latent[3] - stored["mean"]) @ stored["direction"].T, rtol=1e-4, atol=1e-5
    )
    assert np.isnan(stored["principal"][11]).all() and np.isnan(stored["umap_3d"][11]).all()


def test_galaxies_of_a_group_are_neighbours_on_the_map(stored):
    group = np.arange(45) % 3
    for name, dimensions in (("umap_3d", 3), ("umap_2d", 2)):
        assert stored[name].shape == (45, dimensions)
        found = nearest(stored[name], 5).index
        assert np.mean((group[found] == group[:, None])[found >= 0]) > 0.95, name


def test_seeds_and_how_many_neighbours_their_maps_share(stored):
    assert stored["seed"].tolist() == [7, 8, 9]
    assert stored["seed_overlap"][0] == 1.0
    # Neighbours within a group of 15: by chance 8 / 14 of them are shared.
    assert np.all((stored["seed_overlap"][1:] > 8 / 14) & (stored["seed_overlap"][1:] < 1.0))
    assert stored.attrs["umap_neighbours"] == 8 and stored.attrs["model_hash"] == MODEL


def test_the_stored_map_is_fitted_again_bit_for_bit(stored, caplog):
    known = np.arange(45) != 11
    for dimensions in (3, 2):
        again = refit(stored, dimensions)
        assert np.array_equal(again.embedding_, stored[f"umap_{dimensions}d"][known])
    assert "differs" not in caplog.text


def test_new_latents_are_placed_in_their_group(stored):
    new, _ = latents_in_groups(6, seed=99)
    place = refit(stored).transform(components_of(stored, new))
    apart = np.linalg.norm(place[:, None] - stored["umap_3d"][None], axis=2)
    assert (np.nanargmin(apart, axis=1) % 3).tolist() == [0, 1, 2, 0, 1, 2]


def test_a_map_of_another_version_is_told(stored, caplog):
    other = artefacts.Artefact(
        stored.kind,
        dict(stored.data) | {"umap_3d": stored["umap_3d"] + 1.0},
        stored.attrs | {"umap_version": "0.4"},
        "",
    )
    refit(other)
    assert "differs from the stored one, which umap-learn 0.4 made" in caplog.text


def test_two_runs_give_the_same_file(embed, stored, tmp_path):
    latent, split = latents_in_groups(45)
    latent[11] = np.nan
    again = embed(tmp_path, latent, split)
    assert again.content_hash == stored.content_hash
    assert embed(tmp_path, latent, split, seed=8).content_hash != stored.content_hash


def test_fewer_components_than_asked_for(embed, tmp_path, caplog):
    latent, split = latents_in_groups(12)
    with caplog.at_level(logging.INFO):
        found = embed(tmp_path, latent, split, components=50, umap_neighbours=30)
    assert found["direction"].shape == (N_LATENT, N_LATENT)
    assert f"{N_LATENT} principal components in place of 50: {N_LATENT} latents, 10 galaxies" in caplog.text
    assert found.attrs["umap_neighbours"] == 6 and np.isfinite(found["umap_3d"]).all()
    assert "UMAP with 6 neighbours in place of 30, half of 12 galaxies" in caplog.text


def test_more_latents_than_galaxies():
    train = np.random.default_rng(2).normal(size=(4, 100))
    found = principal_components(train, 50)
    assert found.direction.shape == (3, 100), "four galaxies differ in three directions"
    assert found.explained.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found.of(train) @ found.direction + found.mean, train, atol=1e-5)


@pytest.mark.parametrize(
    ("n", "reason"),
    [
        (0, "0 galaxies of the training set are too few for principal components; 2 are needed"),
        (1, "1 galaxies of the training set are too few for principal components; 2 are needed"),
        (9, "9 galaxies with latents are too few for a map; 10 are needed"),
    ],
)
def test_too_few_galaxies_give_a_valid_artefact_without_a_map(embed, tmp_path, n, reason):
    found = embed(tmp_path, *latents_in_groups(n))
    assert (found.attrs["status"], found.attrs["reason"]) == ("empty", reason)
    assert found["umap_3d"].shape == (n, 3) and np.isnan(found["umap_3d"]).all() and np.isnan(found["umap_2d"]).all()
    assert found.attrs["umap_neighbours"] == 0 and np.isnan(found["seed_overlap"]).all()
    assert found["principal"].shape == (n, 4 if n == 9 else 0)
    with pytest.raises(ValueError, match="there is no map to fit again"):
        refit(found)


def test_latents_that_are_all_equal_make_no_map(embed, tmp_path):
    found = embed(tmp_path, np.ones((20, N_LATENT), np.float32), np.zeros(20, np.int8))
    assert found.attrs["reason"] == "the latents of the 20 galaxies of the training set are all equal"
    assert np.isnan(found["umap_3d"]).all()


def test_without_a_model_its_reason_is_passed_on(embed, tmp_path):
    found = embed(tmp_path, np.zeros((20, 0)), np.zeros(20, np.int8), status="empty", reason="no cube")
    assert (found.attrs["status"], found.attrs["reason"]) == ("empty", "no cube")


def test_neighbours_are_at_most_half_of_the_galaxies():
    assert [neighbours_for(n, 15) for n in (10, 30, 1000)] == [5, 15, 15]
