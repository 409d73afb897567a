"""Readers of the autoencoders of a run: latents, maps, neighbours, active nuclei, and the command for neighbours."""

import numpy as np
import pytest
from attributes import attributes_of
from small_export import random_data
from small_latents import latents_in_groups, names_of, path_of, write_neighbours, write_network
from typer.testing import CliRunner

from mangrove import artefacts
from mangrove.analysis.nearest import nearest
from mangrove.api import open_run
from mangrove.cli import app
from mangrove.data_model import LABELS
from mangrove.errors import ArtefactError
from mangrove.notebook.latent_space import LatentSpaceResults

N = 9
NAMES = names_of(N)["plateifu"]
LATENT, SPLIT = latents_in_groups(N)
LATENT_OF = np.where(np.arange(N)[:, None] == 5, np.nan, LATENT)
UMAP = np.random.default_rng(3).normal(size=(N, 3)).astype(np.float32)
Z = 0.01 * np.arange(1, N + 1)


def write_autoencoder(folder):
    """What a run with the network 'ae' has; galaxy 5 has no latents."""
    write_network(folder, LATENT_OF, UMAP, z=Z, split=SPLIT, active=(3, 1), **names_of(N))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "one"
    write_autoencoder(folder)
    labels = random_data("labels", {"plateifu": N, "row": 0}, plateifu=NAMES, n_baxel_of_galaxy=np.zeros(N, int))
    artefacts.write(folder / LABELS.path, "labels", labels, artefacts.Provenance(), attributes_of("labels"))
    return folder


@pytest.fixture(scope="module")
def run(folder):
    return open_run(folder)


def test_neighbours_come_with_distance_redshift_and_percentile(run):
    apart = np.linalg.norm(LATENT - LATENT[0], axis=1)
    apart[[0, 5]] = np.inf
    expected = np.argsort(apart)[:3]
    found = run.neighbours(NAMES[0])
    assert found["plateifu"].tolist() == NAMES[expected].tolist() and found["rank"].tolist() == [1, 2, 3]
    np.testing.assert_allclose(found["distance"], apart[expected], rtol=1e-5)
    np.testing.assert_allclose(found["z"], Z[expected])
    np.testing.assert_allclose(found["percentile"], 100.0 * expected / N, rtol=1e-6)
    assert found.meta == {"overlap": 0.0, "n_kept": 3}
    assert len(run.neighbours(NAMES[0], n=2)) == 2
    on_map = run.neighbours(NAMES[5], space="umap")
    assert on_map["plateifu"].tolist() == NAMES[nearest(UMAP, 3).index[5]].tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("8001-1909", "ae", "latent"), r"no line cube of '8001-1909'; the nearest names are 8001-1901, 8001-190"),
        ((NAMES[0], "vae", "latent"), "has no autoencoder 'vae'; it has ae"),
        ((NAMES[0], "ae", "sky"), "no space 'sky'; neighbours are known in latent, invariant, umap"),
        ((NAMES[5], "ae", "latent"), "8001-1902 has no neighbours: its line cube has no data in the lines"),
    ],
)
def test_what_has_no_neighbours_is_refused_with_the_reason(run, arguments, message):
    with pytest.raises(ArtefactError, match=message):
        run.neighbours(*arguments)


def test_without_a_map_its_reason_is_given(tmp_path):
    write_autoencoder(tmp_path)
    none = {"umap_neighbour": np.full((N, 3), -1), "umap_distance": np.full((N, 3), np.nan)}
    write_neighbours(path_of(tmp_path, "neighbours"), LATENT, **none)
    data = random_data("latent_embedding", {"plateifu": N}, **names_of(N))
    about = attributes_of("latent_embedding", network="ae", status="empty", reason="9 galaxies are too few")
    artefacts.write(path_of(tmp_path, "latent_embedding"), "latent_embedding", data, artefacts.Provenance(), about)
    with pytest.raises(ArtefactError, match="no neighbours on the map, for there is none: 9 galaxies are too few"):
        LatentSpaceResults(tmp_path).neighbours(NAMES[0], space="umap")


def test_files_of_two_trainings_are_not_taken_together(tmp_path):
    write_autoencoder(tmp_path)
    stored = artefacts.read(path_of(tmp_path, "anomalies"), "anomalies")
    about = attributes_of("anomalies", network="ae", model_hash="another")
    artefacts.write(path_of(tmp_path, "anomalies"), "anomalies", stored.data, artefacts.Provenance(), about)
    with pytest.raises(ArtefactError, match="come from different trainings of 'ae'"):
        LatentSpaceResults(tmp_path).neighbours(NAMES[0])


def test_latents_by_the_name_of_the_galaxy(run):
    found = run.latents("ae")
    np.testing.assert_array_equal(found.value.sel(plateifu=NAMES[3]), LATENT[3])
    assert found.sizes == {"plateifu": N, "latent": LATENT.shape[1]} and found.split.values[4] == "test"
    assert found.flux_scale.attrs["units"].startswith("1e-17")


def test_places_on_the_maps(run):
    found = run.embedding("ae")
    np.testing.assert_array_equal(found["umap_3d"], UMAP)
    assert found["split"].tolist()[:5] == ["train"] * 4 + ["test"]
    np.testing.assert_allclose(found.meta["explained"], [0.8, 0.2])


def test_active_nuclei_with_their_scores_and_groups(run):
    found = run.active_nuclei("ae")
    assert found["plateifu"].tolist() == NAMES[[3, 1]].tolist() and found["agn_bat"].tolist() == [1, 0]
    assert found["bpt_class"].tolist() == ["liner", "none"] and found["log_nii_ha"].unit == "dex"
    assert {"relative", "relative_percentile", "published"} <= set(found.colnames)
    assert found.meta["groups"]["n"].tolist() == [9, 2] and "relative_p95" in found.meta["groups"].colnames


def invoke(*arguments):
    return CliRunner().invoke(app, ["neighbours", *map(str, arguments)])


def test_the_command_prints_the_table(folder, run):
    done = invoke(NAMES[0], folder)
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.output.splitlines()]
    assert ["rank", "plateifu", "mangaid", "distance", "z", "percentile"] in lines
    first = run.neighbours(NAMES[0])[0]
    row = next(line for line in lines if line[:1] == ["1"])
    assert row[1] == first["plateifu"] and row[4:] == [f"{first['z']:.4f}", f"{first['percentile']:.1f}"]
    assert float(row[3]) == pytest.approx(first["distance"], rel=0.01)
    assert "the run keeps 3 neighbours of each galaxy (embedding.n_neighbour)" in done.output
    few = invoke(NAMES[0], folder, "-n", 1, "--space", "umap").output
    assert (
        "umap" in few
        and "keeps" not in few
        and sum(line[:1] == ["2"] for line in map(str.split, few.splitlines())) == 0
    )


def test_a_run_of_line_cubes_alone_can_be_opened(tmp_path):
    write_autoencoder(tmp_path)
    run = open_run(tmp_path)
    assert run.galaxies == NAMES.tolist() and repr(run).endswith("9 galaxies, line cubes alone>")
    assert len(run.neighbours(NAMES[0])) == 3
    with pytest.raises(ArtefactError, match=r"labels\.h5 does not exist"):
        run.labels()


def test_the_command_needs_no_spectra_and_suggests_names(tmp_path):
    write_autoencoder(tmp_path)
    assert invoke(NAMES[1], tmp_path).exit_code == 0
    assert "the nearest names are 8000-1901" in str(invoke("8000-190", tmp_path).exception)
