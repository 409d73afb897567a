"""The autoencoders of line cubes on their first weights: what each form can do, principal components, losses, folders."""

import json
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_autoencoder import LINES, N_LINE, N_PIXEL, SIDE, small_autoencoder, small_cubes, small_design

from mangrove.errors import ModelError, TrainingError
from mangrove.models.convlstm import cell
from mangrove.models.convlstm import network as network_module
from mangrove.models.convlstm.convolution import forms
from mangrove.models.convlstm.cubes import Cubes
from mangrove.models.convlstm.loss import divergence, reconstruction_error
from mangrove.models.convlstm.model import CubeModel
from mangrove.models.convlstm.network import CubeNetwork

PUBLISHED = {"decoder": "published", "flux": "native", "norm": "layer"}
N = 5
AXES = (1, 2, 3, 4)


def scaled(cubes: Cubes, factor) -> Cubes:
    factor = np.reshape(np.asarray(factor, np.float32), (-1, 1, 1, 1, 1))
    return Cubes(cubes.flux * factor, cubes.ivar / factor**2, cubes.valid)


@pytest.fixture(scope="module")
def cubes():
    return small_cubes(N)


@pytest.fixture(scope="module")
def models():
    """One of each form: the default without principal components, and the published one, of both networks."""
    forms = {"ours": {}, "published": PUBLISHED}
    return {
        (network, name): small_autoencoder(network, **forms[name]) for network, name in product(("ae", "vae"), forms)
    }


def spread_over_wavelength(reconstruction):
    return reconstruction.reshape(N, -1, SIDE, SIDE).std(axis=1).max()


def test_the_published_decoder_gives_one_image_for_all_wavelengths_and_the_coded_one_does_not(models, cubes):
    published = models["ae", "published"].reconstruct(cubes)
    assert published.std(axis=(3, 4)).min() > 1e-3
    assert spread_over_wavelength(published) < 1e-6 * np.abs(published).max()
    coded = models["ae", "ours"].reconstruct(cubes)
    assert spread_over_wavelength(coded) > 0.1 * np.abs(coded).max()


def test_twice_the_cube_gives_other_latents_and_twice_the_output(models, cubes):
    model = models["ae", "ours"]
    once, twice = model.encode(cubes), model.encode(scaled(cubes, 2.0))
    np.testing.assert_allclose(twice.flux_scale, 2 * once.flux_scale, rtol=1e-6)
    # The shape of a cube is the same: the latents differ by the logarithm of the scale alone.
    kernel = np.asarray(model.state["to_latent"]["kernel"][...])
    np.testing.assert_allclose(twice.mean - once.mean, np.tile(np.log(2) * kernel[-1], (N, 1)), atol=1e-5)
    assert np.abs(kernel[-1]).max() > 0.1
    one, two = (model.decode(once.mean, scale) for scale in (once.flux_scale, twice.flux_scale))
    np.testing.assert_allclose(two, 2 * one, rtol=1e-5)


def test_layer_normalisation_of_native_fluxes_hides_the_flux_of_a_galaxy(models, cubes):
    """What the published network cannot know: of which brightness a bright galaxy is."""
    model = models["ae", "published"]
    bright, brighter = (model.encode(scaled(cubes, 1e4 * factor)).mean for factor in (1.0, 2.0))
    assert np.abs(brighter - bright).max() < 0.02 * np.abs(bright).max()


def test_both_networks_of_a_seed_are_the_same_but_for_the_bottleneck(models, cubes):
    """At zero variance the variational network is the autoencoder."""
    for form in ("ours", "published"):
        plain, variational = models["ae", form], models["vae", form]
        ours, theirs = plain.encode(cubes), variational.encode(cubes)
        assert ours.log_variance is None and theirs.log_variance.shape == (N, 4)
        np.testing.assert_array_equal(ours.mean, theirs.mean)
        np.testing.assert_array_equal(plain.reconstruct(cubes), variational.reconstruct(cubes))


@pytest.mark.parametrize("form", ["ours", "published"])
def test_what_is_not_valid_changes_nothing(models, cubes, form):
    model, rng = models["vae", form], np.random.default_rng(3)
    other = cubes._replace(flux=np.where(cubes.valid, cubes.flux, rng.normal(size=cubes.flux.shape).astype("f4")))
    np.testing.assert_array_equal(model.encode(cubes).mean, model.encode(other).mean)
    np.testing.assert_array_equal(model.reconstruct(cubes), model.reconstruct(other))


def test_a_missing_line_and_masked_channels_do_no_harm_and_a_cube_without_data_has_no_latents(models, cubes):
    valid = cubes.valid.copy()
    valid[0, 1] = False
    valid[1, :, 2] = False
    valid[2] = False
    masked = Cubes(*(np.where(valid, values, values.dtype.type(0)) for values in cubes))
    found = models["vae", "ours"].encode(masked)
    assert np.isfinite(found.mean[[0, 1, 3, 4]]).all() and np.isnan(found.mean[2]).all()
    assert np.isnan(found.log_variance[2]).all() and np.isnan(found.flux_scale[2])
    alone = np.abs(cubes.flux[0])[valid[0]].mean()
    np.testing.assert_allclose(found.flux_scale[0], alone, rtol=1e-5)
    assert np.isfinite(models["vae", "ours"].reconstruct(masked)[[0, 1, 3, 4]]).all()


def test_asinh_is_undone(cubes):
    model = small_autoencoder(flux="asinh")
    found, network = model.encode(cubes), CubeNetwork(model.design)
    units = np.asarray(network.decode_units(model.state, jnp.asarray(found.mean)))
    wanted = np.sinh(units) * found.flux_scale[:, None, None, None, None]
    np.testing.assert_allclose(model.reconstruct(cubes), wanted, rtol=1e-4, atol=1e-6)


def test_more_cubes_than_a_block_are_as_each_alone(models):
    many, model = small_cubes(19), models["ae", "ours"]
    whole = model.encode(many).mean
    one = model.encode(Cubes(*(values[17:18] for values in many))).mean
    np.testing.assert_allclose(whole[17], one[0], rtol=1e-4, atol=1e-5)
    assert model.encode(Cubes(*(values[:0] for values in many))).mean.shape == (0, 4)


def test_rematerialised_activations_give_the_same_gradients(cubes, monkeypatch):
    """In the form of the accelerators: on a CPU nothing but outputs is kept, and the option does nothing."""
    for module in (cell, network_module):
        monkeypatch.setattr(module, "forms", lambda: forms()._replace(hoisted=True))

    def gradients(rematerialise):
        network = CubeNetwork(small_design(rematerialise=rematerialise))

        def loss(state):
            encoded = network.encode(state, jnp.asarray(cubes.flux), jnp.asarray(cubes.valid))
            return (network.decode(state, encoded.mean, encoded.flux_scale) ** 2).mean()

        state = network.first_state(1)
        assert ("remat" in str(jax.make_jaxpr(jax.grad(loss))(state))) == rematerialise
        return jax.tree.leaves(jax.jit(jax.grad(loss))(state))

    for ours, theirs in zip(gradients(True), gradients(False), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_layers_in_bfloat16_give_nearly_the_latents_of_float32(models, cubes):
    model = models["ae", "ours"]
    network = CubeNetwork(model.design, "bfloat16")
    found = jax.jit(network.encode)(model.state, jnp.asarray(cubes.flux), jnp.asarray(cubes.valid)).mean
    assert found.dtype == jnp.float32
    wanted = model.encode(cubes).mean
    np.testing.assert_allclose(found, wanted, atol=0.05 * np.abs(wanted).max())


def test_divergence_is_the_formula_averaged_over_latents():
    rng = np.random.default_rng(0)
    mean, log_variance = rng.normal(size=(2, 3, 7))
    variance = np.exp(log_variance)
    wanted = np.array(
        [
            np.mean([0.5 * (m**2 + v - np.log(v) - 1) for m, v in zip(*row, strict=True)])
            for row in zip(mean, variance, strict=True)
        ]
    )
    given = (jnp.asarray(values, jnp.float32) for values in (mean, log_variance))
    np.testing.assert_allclose(divergence(*given), wanted, rtol=1e-5)
    nothing = jnp.zeros((1, 4), jnp.float32)
    assert float(divergence(nothing, nothing)[0]) == 0


@pytest.mark.parametrize(("kind", "power"), [("mse", 2), ("mae", 1)])
def test_reconstruction_error_is_the_mean_over_valid_values(kind, power):
    rng = np.random.default_rng(1)
    residual, valid = rng.normal(size=(3, 2, 2, 3, 3)).astype(np.float32), rng.uniform(size=(3, 2, 2, 3, 3)) < 0.6
    valid[2] = False
    found = reconstruction_error(kind, jnp.asarray(residual), jnp.asarray(valid))
    wanted = [np.mean(np.abs(residual[i][valid[i]]) ** power) for i in range(2)]
    np.testing.assert_allclose(found, [*wanted, 0.0], rtol=1e-5)


def test_images_that_cannot_be_halved_are_refused():
    with pytest.raises(TrainingError, match=r"8 x 8 spaxels cannot be halved 4 times.*autoencoder\.filters"):
        small_design(filters=(1, 1, 1, 1))


@pytest.mark.parametrize("network", ["ae", "vae"])
def test_a_folder_gives_the_model_back(models, cubes, tmp_path, network):
    model = models[network, "ours"]
    model.save(tmp_path / "model", {"data": "a"})
    again = CubeModel.load(tmp_path / "model", network, LINES)
    assert (again.network, again.lines, again.design) == (network, LINES, model.design)
    assert again.description["training"] == {"data": "a"}
    np.testing.assert_array_equal(again.encode(cubes).mean, model.encode(cubes).mean)
    np.testing.assert_array_equal(again.reconstruct(cubes), model.reconstruct(cubes))


def test_a_folder_of_another_network_lines_or_content_is_refused(models, cubes, tmp_path):
    folder = tmp_path / "model"
    models["ae", "ours"].save(folder)
    with pytest.raises(ModelError, match=r"of kind ae, .* vae, .* is needed"):
        CubeModel.load(folder, "vae")
    with pytest.raises(
        ModelError, match="of the lines Hbeta_4863, OIII_5008, Halpha_6565, the cubes are of Hbeta_4863"
    ):
        CubeModel.load(folder, "ae", LINES[:1])
    with pytest.raises(ModelError, match=r"shape \(3, 4, 8, 8\).*shape \(2, 4, 8, 8\)"):
        models["ae", "ours"].encode(Cubes(*(values[:, :2] for values in cubes)))
    content = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(content | {"lines": ["x"] * N_LINE}))
    with pytest.raises(ModelError, match="altered after training"):
        CubeModel.load(folder, "ae")
    (folder / "arrays.npz").unlink()
    with pytest.raises(ModelError, match=r"arrays\.npz is missing"):
        CubeModel.load(folder, "ae")


def test_shapes_are_those_of_the_cubes(models, cubes):
    for model in models.values():
        found = model.encode(cubes)
        assert found.mean.shape == (N, 4) and found.flux_scale.shape == (N,)
        np.testing.assert_allclose(
            found.flux_scale, np.abs(cubes.flux).sum(axis=AXES) / cubes.valid.sum(axis=AXES), rtol=1e-5
        )
        assert model.decode(found.mean, found.flux_scale).shape == (N, N_LINE, N_PIXEL, SIDE, SIDE)
