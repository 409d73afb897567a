"""The latents of a run's line cubes."""

import numpy as np
import pytest
from small_autoencoder import LINES, small_autoencoder, small_cubes, write_line_cubes

from mangrove import artefacts
from mangrove.analysis.latents_run import cube_latents
from mangrove.codes import Split
from mangrove.models.convlstm.activity import active_latents
from mangrove.models.convlstm.cubes import Cubes, LineCubes
from mangrove.models.convlstm.flips import N_DIHEDRAL, dihedral
from mangrove.models.training import model_folder

N, EMPTY = 5, 3


def cubes() -> Cubes:
    """Five galaxies; the fourth has no valid value."""
    made = small_cubes(N)
    for values in made:
        values[EMPTY] = 0
    return made


def turned(values: Cubes, k: int) -> Cubes:
    return Cubes(*(dihedral(part, k) for part in values))


@pytest.fixture(scope="module", params=["ae", "vae"])
def model(request):
    """An autoencoder on its first weights."""
    return small_autoencoder(request.param)


def latents_of(model, values: Cubes, folder):
    return cube_latents(model, LineCubes.open(write_line_cubes(folder / "cubes.h5", values), model.lines))


def test_invariant_latents_of_flipped_and_turned_cubes_are_those_of_the_cubes(model, tmp_path):
    given = latents_of(model, cubes(), tmp_path)
    known = np.arange(N) != EMPTY
    scatter = given.value[known].std(axis=0).max()
    for k in (3, 6):
        found = latents_of(model, turned(cubes(), k), tmp_path)
        # Sums of the same numbers in another order, in float32.
        np.testing.assert_allclose(found.invariant, given.invariant, rtol=1e-5, atol=1e-5 * scatter)
        np.testing.assert_allclose(found.flux_scale, given.flux_scale, rtol=1e-5)
        # The plain ones are not: they differ by a thousand times as much.
        assert np.abs(found.value - given.value)[known].max() > 1e-2 * scatter


def test_latents_are_those_of_the_model_and_the_invariant_ones_their_mean_over_flips_and_turns(model, tmp_path):
    found, own = latents_of(model, cubes(), tmp_path), model.encode(cubes())
    np.testing.assert_array_equal(found.value, own.mean)
    np.testing.assert_array_equal(found.flux_scale, own.flux_scale)
    assert (found.log_variance is None) == (model.network == "ae")
    mean = np.mean([model.encode(turned(cubes(), k)).mean for k in range(N_DIHEDRAL)], axis=0)
    np.testing.assert_allclose(found.invariant, mean, rtol=1e-6)
    for values in (found.value, found.invariant, found.flux_scale):
        assert (np.isnan(values).reshape(N, -1).all(axis=1) == (np.arange(N) == EMPTY)).all()


def test_the_flux_scale_is_the_mean_absolute_flux_over_valid_values(model, tmp_path):
    given = cubes()
    expected = [np.abs(flux[valid]).mean() for flux, valid in zip(given.flux, given.valid, strict=True) if valid.any()]
    found = latents_of(model, given, tmp_path).flux_scale
    np.testing.assert_allclose(found[np.isfinite(found)], expected, rtol=1e-5)


@pytest.fixture
def paths(tmp_path, Params):
    """Paths of a run's files; the cubes have a line more than the networks, which see two of them in another order."""
    folder = tmp_path / "model"
    names = {"description": folder / "model.json", "arrays": folder / "arrays.npz"}
    names |= {"line_cube_set": tmp_path / "cubes.h5", "latents": tmp_path / "latents.h5"}
    split = [Split.TRAIN, Split.TRAIN, Split.TEST, Split.TRAIN, Split.VALIDATION]
    write_line_cubes(names["line_cube_set"], cubes(), split)
    return Params({name: str(path) for name, path in names.items()})


@pytest.mark.parametrize("network", ["ae", "vae"])
def test_the_rule_writes_the_latents_of_the_lines_that_the_network_sees(paths, tmp_path, script, Params, network):
    model = small_autoencoder(network, lines=(LINES[2], LINES[0]), n_line=2)
    model.save(tmp_path / "model")
    script("latents").main(paths, paths, Params(network=network, code="x"))
    found = artefacts.read(paths.latents, "latents")
    assert found.ok and found.attrs["network"] == network
    assert found.attrs["model_hash"] == artefacts.input_hash(paths.arrays)
    own = model.encode(Cubes(*(values[:, [2, 0]] for values in cubes())))
    np.testing.assert_allclose(found["value"], own.mean, rtol=1e-6)
    assert ("log_variance" in found.data) == (network == "vae")
    assert (found["active"] == active_latents(network, own.mean[[0, 1, 3]])).all()
    assert found["plateifu"].tolist() == [f"8485-{1901 + i}" for i in range(N)]
    assert found["split"].tolist()[2:] == [Split.TEST, Split.TRAIN, Split.VALIDATION]


def test_without_a_model_there_are_no_latents_and_a_reason(paths, tmp_path, script, Params):
    model_folder.save_empty(tmp_path / "model", "too few galaxies", {})
    script("latents").main(paths, paths, Params(network="ae", code="x"))
    found = artefacts.read(paths.latents, "latents")
    assert (found.ok, found.attrs["reason"]) == (False, "too few galaxies")
    assert found["value"].shape == found["invariant"].shape == (N, 0) and found["active"].size == 0
    assert np.isnan(found["flux_scale"]).all() and len(found["plateifu"]) == N
