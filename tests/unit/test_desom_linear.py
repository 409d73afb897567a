"""Principal components beside the network of a map: where training starts, and how many there are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mangrove.models.desom.autoencoders import SpectrumArchitecture
from mangrove.models.desom.grid import SomGrid
from mangrove.models.desom.input_scale import InputScale
from mangrove.models.desom.linear import LinearPath
from mangrove.models.desom.model import DESOM, MapModel
from mangrove.models.desom.network import MapDesign, MapNetwork
from mangrove.models.desom.settings import MapTraining
from mangrove.models.desom.training import first_state, train_map
from mangrove.models.desom.training_set import TrainingSet

N_WAVE, N_TRUE, NOISE = 128, 3, 0.05
DESIGN = MapDesign(SpectrumArchitecture(N_WAVE, (4, 4), 4, 8), SomGrid(3, 3))
SNR = np.where(np.arange(200) % 2, 10, 60).astype(np.float32)


def spectra(n=200, seed=0):
    """Three smooth shapes in random parts, with noise; every second spectrum has five times the noise of the others."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 3, N_WAVE)
    shapes = np.stack([np.sin(x), 0.5 * np.cos(3 * x), 0.3 * np.sin(7 * x)])
    noise = NOISE * np.where(np.arange(n) % 2, 1, 0.2)[:, None] * rng.normal(size=(n, N_WAVE))
    return (1 + rng.normal(size=(n, N_TRUE)) @ shapes + noise).astype(np.float32)


def data():
    split = np.repeat([0, 1], [160, 40])
    return TrainingSet.of_arrays(spectra(), split, np.arange(200).astype(str), snr=SNR, wave=np.arange(N_WAVE) + 4000.0)


def of(flux, held_out, masked=None, weight=None, most=8):
    masked = np.zeros(held_out.shape, bool) if masked is None else masked
    return LinearPath.of(flux, np.ones(len(flux)) if weight is None else weight, held_out, masked, most, 1)


def slow_projection(flux, weight, x, n):
    """On the leading eigenvectors of the weighted covariance, about the weighted mean."""
    mean = np.average(flux, axis=0, weights=weight)
    _, axes = np.linalg.eigh(np.cov(flux.astype(float).T, aweights=weight))
    return mean + (x - mean) @ axes[:, -n:] @ axes[:, -n:].T


def test_as_many_components_as_there_are_shapes_predict_best():
    linear = of(spectra(), spectra(60, 1))
    assert linear.axes.shape == (N_TRUE, N_WAVE)
    assert of(spectra(), spectra(60, 1), most=2).axes.shape == (2, N_WAVE)


def test_masked_values_of_held_out_spectra_have_no_say_as_what_is_predicted():
    others = spectra(60, 1)
    masked = np.zeros(others.shape, bool)
    masked[:, 100:104] = True
    # A fourth shape that no data show: unmasked it asks for another component.
    flux = spectra()
    flux[:, 100:104] += 3 * np.random.default_rng(2).normal(size=(200, 1)).astype(np.float32)
    np.testing.assert_array_equal(of(flux, others, masked).axes, of(flux, np.where(masked, 0.3, others), masked).axes)


def test_training_starts_from_the_weighted_components():
    settings, training = MapTraining(linear="pca", loss_weights="ivar", batch_size=32), data()
    flux, weight = spectra()[:160], SNR[:160].clip(0, 50).astype(float) ** 2
    linear = of(flux, spectra()[160:], weight=weight)
    network = MapNetwork(DESIGN, InputScale.none((N_WAVE,)), linear=linear)
    state = first_state(network, settings.seed, training.flux)
    x = spectra(50, 3)
    z = np.asarray(network.encode(state, jnp.asarray(x)))
    made = np.asarray(network.decode(state, jnp.asarray(z)))
    np.testing.assert_allclose(made, slow_projection(flux, weight, x, N_TRUE), atol=2e-4)
    # Distances of latents are root mean square differences of what they decode to.
    np.testing.assert_array_equal(z[:, N_TRUE:], 0)
    rms = np.sqrt(((made[0] - made[1:]) ** 2).mean(axis=1))
    np.testing.assert_allclose(np.linalg.norm(z[0] - z[1:], axis=1), rms, rtol=1e-3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    settings = MapTraining(
        linear="pca", loss_weights="ivar", batch_size=32, iterations=60, cooling_iterations=60, learning_rate=1e-3
    )
    folder = tmp_path_factory.mktemp("map")
    return train_map(DESOM, DESIGN, settings, data(), folder, {})[0], folder / "model"


def test_the_network_adds_to_the_components_which_stay(trained):
    model, _ = trained
    flux, weight = spectra()[:160], SNR[:160].clip(0, 50).astype(float) ** 2
    wanted = of(flux, spectra()[160:], weight=weight)
    np.testing.assert_allclose(model.network.linear.axes, wanted.axes, atol=1e-5)
    assert (np.asarray(model.state["autoencoder_share"][...]) != 0).all()
    assert np.abs(model.encode(spectra(20, 3))[:, N_TRUE:]).max() > 0


def test_a_model_with_components_comes_back_from_its_folder(trained):
    model, folder = trained
    again, x = MapModel.load(folder, DESOM), spectra(20, 3)
    np.testing.assert_array_equal(again.encode(x), model.encode(x))
    np.testing.assert_array_equal(again.decode(again.prototypes), model.decode(model.prototypes))


def test_without_components_the_state_is_that_of_the_published_network():
    alone = MapNetwork(DESIGN, InputScale.none((N_WAVE,))).first_state(1)
    assert set(alone) == {"autoencoder", "prototypes", "latent_mean", "latent_variance"}
    beside = MapNetwork(DESIGN, InputScale.none((N_WAVE,)), linear=of(spectra(), spectra(60, 1))).first_state(1)
    # Beside components the weights are drawn alike.
    for one, other in zip(*(jax.tree.leaves(state["autoencoder"]) for state in (alone, beside)), strict=True):
        np.testing.assert_array_equal(one, other)
