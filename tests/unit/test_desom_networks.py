"""The autoencoders: convolutions in all forms, sizes, precision, what the network sees of a spectrum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mangrove.models.desom.autoencoders import (
    FingerprintArchitecture,
    FingerprintAutoencoder,
    SpectrumArchitecture,
    SpectrumAutoencoder,
)
from mangrove.models.desom.convolution import (
    convolve,
    in_blocks,
    merged_upsample_convolve,
    plain_convolve_pool,
    plain_upsample_convolve,
    pool,
    short_convolve_pool,
    short_upsample_convolve,
)
from mangrove.models.desom.grid import SomGrid
from mangrove.models.desom.input_scale import InputScale
from mangrove.models.desom.network import MapDesign, MapNetwork

RNG = np.random.default_rng(2)
SMALL = SpectrumArchitecture(32, (4, 6), 6, 5)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def slow_convolution(x, kernel):
    """With zeros beyond the ends, one more to the right where the number of taps is even (Keras' 'same')."""
    n_tap = len(kernel)
    padded = np.pad(x, ((0, 0), ((n_tap - 1) // 2, n_tap // 2), (0, 0)))
    return sum(padded[:, t : t + x.shape[1]] @ kernel[t] for t in range(n_tap))


@pytest.mark.parametrize("n_tap", [1, 2, 5, 6])
def test_convolutions_are_those_of_the_definition(n_tap):
    x, kernel = normal(2, 12, 3), normal(n_tap, 3, 4)
    np.testing.assert_allclose(convolve(x, kernel), slow_convolution(x, kernel), rtol=1e-4, atol=1e-5)


#: Taps and lengths whose outputs are computed four, two and one at a time.
SIZES = [(2, 24), (3, 22), (6, 24), (6, 21), (7, 24), (12, 24)]


@pytest.mark.parametrize(("n_tap", "length"), SIZES)
def test_upsampling_in_all_forms_is_that_of_the_definition(n_tap, length):
    x, kernel = jnp.asarray(normal(2, length, 3)), jnp.asarray(normal(n_tap, 3, 4))
    slow = slow_convolution(np.repeat(x, 2, axis=1), kernel)
    gradients = []
    for form in (plain_upsample_convolve, merged_upsample_convolve, short_upsample_convolve):
        np.testing.assert_allclose(form(x, kernel), slow, rtol=1e-4, atol=2e-5 * np.abs(slow).max())
        gradients.append(jax.grad(lambda k, form=form: (form(x, k) ** 2).sum())(kernel))
    for found in gradients[1:]:
        np.testing.assert_allclose(found, gradients[0], rtol=1e-4, atol=1e-4 * np.abs(gradients[0]).max())


@pytest.mark.parametrize("n_in", [1, 3])
@pytest.mark.parametrize(("n_tap", "length"), [(1, 24), *SIZES])
def test_a_convolution_in_all_forms_is_pooled_like_that_of_the_definition(n_tap, n_in, length):
    x, kernel = normal(2, 2 * length, n_in), normal(n_tap, n_in, 4)
    slow = slow_convolution(x, kernel)
    for form in (plain_convolve_pool, short_convolve_pool):
        found = form(jnp.asarray(x), jnp.asarray(kernel))
        wanted = np.maximum(slow[:, ::2], slow[:, 1::2])
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=2e-5 * np.abs(slow).max())


@pytest.mark.parametrize("n", [1, 5, 6, 8])
def test_blocks_give_the_function_of_all_and_its_gradient(n):
    x, weights = jnp.asarray(normal(n, 3)), jnp.asarray(normal(3, 2))
    np.testing.assert_allclose(in_blocks(lambda x: jnp.tanh(x @ weights), x), np.tanh(x @ weights), rtol=1e-5)
    found, wanted = (
        jax.grad(lambda w, form=form: (form(lambda x: jnp.tanh(x @ w), x) ** 2).sum())(weights)
        for form in (in_blocks, lambda function, x: function(x))
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_a_wide_network_on_a_cpu_gives_what_the_plain_forms_give(monkeypatch):
    """And its gradient: 16 filters are computed by fewer products, a few spectra at a time."""
    architecture, x = SpectrumArchitecture(64, (16, 16), 6, 5), jnp.asarray(normal(6, 64))

    def found():
        network = MapNetwork(MapDesign(architecture, SomGrid(2, 2)), InputScale.none((64,)))

        def loss(state):
            return ((network.decode(state, network.encode(state, x)) - x) ** 2).mean()

        return jax.jit(jax.value_and_grad(loss))(network.first_state(1))

    short = found()
    monkeypatch.setattr("mangrove.models.desom.convolution._WIDE", 17)
    plain = found()
    for one, other in zip(jax.tree.leaves(short), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4 * (np.abs(other).max() + 1e-6))


def test_the_pool_keeps_the_larger_of_two_places():
    x = normal(2, 8, 3)
    np.testing.assert_array_equal(pool(x), np.maximum(x[:, ::2], x[:, 1::2]))


def test_sizes_are_as_published_by_default():
    shapes = nnx.eval_shape(lambda: SpectrumAutoencoder(SpectrumArchitecture(), "float32", nnx.Rngs(0)))
    kernels = {
        "to_latent": (284 * 64, 256),
        "from_latent": (256, 284 * 64),
        "out": (1, 64, 1),
    }
    for name, shape in kernels.items():
        assert getattr(shapes, name).kernel.shape == shape
    assert [layer.kernel.shape for layer in shapes.down] == [(6, 1, 64)] + [(6, 64, 64)] * 3
    assert [layer.kernel.shape for layer in shapes.up] == [(6, 64, 64)] * 4
    two = nnx.eval_shape(lambda: FingerprintAutoencoder(FingerprintArchitecture(), "float32", nnx.Rngs(0)))
    assert two.down.kernel.shape == (3, 3, 1, 16)
    assert two.to_latent.kernel.shape == (15 * 15 * 16, 128)
    assert two.out.kernel.shape == (1, 1, 16, 1)


def test_the_network_computes_what_its_layers_say():
    """The published order of convolution, LeakyReLU and pool, and its way back, by NumPy."""
    model = SpectrumAutoencoder(SMALL, "float32", nnx.Rngs(3))
    x, leaky = normal(3, 32), lambda y: np.where(y > 0, y, 0.1 * y)
    layer = lambda m: (np.asarray(m.kernel[...]), np.asarray(m.bias[...]))  # noqa: E731
    y = x[..., None]
    for kernel, bias in map(layer, model.down):
        y = leaky(slow_convolution(y, kernel) + bias)
        y = np.maximum(y[:, ::2], y[:, 1::2])
    kernel, bias = layer(model.to_latent)
    z = leaky(y.reshape(3, -1) @ kernel + bias)
    np.testing.assert_allclose(model.encode(jnp.asarray(x)), z, rtol=1e-4, atol=1e-5)
    kernel, bias = layer(model.from_latent)
    y = leaky(z @ kernel + bias).reshape(3, 8, 6)
    for kernel, bias in map(layer, model.up):
        y = leaky(slow_convolution(np.repeat(y, 2, axis=1), kernel) + bias)
    kernel, bias = layer(model.out)
    np.testing.assert_allclose(model.decode(jnp.asarray(z)), (y @ kernel[0] + bias)[..., 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("module", "architecture"),
    [(SpectrumAutoencoder, SMALL), (FingerprintAutoencoder, FingerprintArchitecture(4, 5, filters=3, latent=7))],
)
def test_bfloat16_computes_nearly_the_same_from_the_same_parameters(module, architecture):
    x = jnp.asarray(normal(3, *architecture.shape))
    exact, coarse = (module(architecture, precision, nnx.Rngs(1)) for precision in ("float32", "bfloat16"))
    for model in (exact, coarse):
        assert {leaf.dtype for leaf in jax.tree.leaves(nnx.state(model))} == {jnp.dtype("float32")}
    z = exact.encode(x)
    assert coarse.encode(x).dtype == z.dtype == jnp.float32
    np.testing.assert_allclose(coarse.encode(x), z, atol=0.05 * float(jnp.abs(z).max()))
    np.testing.assert_allclose(coarse.decode(z), exact.decode(z), atol=0.05 * float(jnp.abs(exact.decode(z)).max()))
    assert exact.decode(z).shape == x.shape


@pytest.mark.parametrize("kind", ["flux", "asinh", "standard", "balanced"])
def test_what_the_network_sees_leads_back_to_the_flux(kind):
    flux = np.abs(normal(40, 6)) * np.array([1, 1, 1, 1, 1, 30], np.float32)
    scale = InputScale.of(kind, flux, np.zeros(flux.shape, bool))
    seen = scale.forward(jnp.asarray(flux))
    np.testing.assert_allclose(scale.backward(seen), flux, rtol=1e-4, atol=1e-4)
    if kind == "flux":
        np.testing.assert_array_equal(seen, flux)
    else:
        assert float(jnp.abs(seen.mean(axis=0)).max()) < 0.5 and 0.3 < float(seen.std()) < 1.5


def test_the_standard_scale_is_linear_up_to_a_few_deviations_and_bends_strong_lines():
    flux = (1 + 0.1 * normal(4000, 2)).astype(np.float32)
    scale = InputScale.of("standard", flux, np.zeros(flux.shape, bool))
    seen = np.asarray(scale.forward(jnp.asarray([[1.05, 1.0], [11.0, 1.0]], jnp.float32)))
    assert seen[0, 0] == pytest.approx(0.5, rel=0.1)
    assert 3 < seen[1, 0] < 20


def test_the_balanced_scale_takes_half_of_the_difference_of_the_scatters_away():
    flux = normal(4000, 2) * np.array([1, 16], np.float32)
    seen = np.asarray(InputScale.of("balanced", flux, np.zeros(flux.shape, bool)).forward(jnp.asarray(flux)))
    assert seen[:, 1].std() / seen[:, 0].std() == pytest.approx(4, rel=0.05)


def test_masked_values_do_not_enter_the_standard_scale():
    flux, masked = normal(100, 4), np.zeros((100, 4), bool)
    masked[::2, 1] = True
    odd = np.where(masked, 1e6, flux)
    np.testing.assert_allclose(
        InputScale.of("standard", odd, masked).mean[1], flux[1::2, 1].mean(), rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("kind", ["asinh", "standard", "balanced"])
def test_a_bin_that_is_masked_in_every_row_is_on_the_scale_of_its_neighbours(kind):
    flux = (2 + 0.1 * normal(500, 5)).astype(np.float32)
    masked = np.zeros(flux.shape, bool)
    masked[:, [2, 4]] = True
    scale = InputScale.of(kind, np.where(masked, 0, flux), masked)
    assert scale.mean[2] == pytest.approx(scale.mean[[1, 3]].mean()) and scale.mean[4] == scale.mean[3]
    np.testing.assert_allclose(scale.std[[2, 4]], [scale.std[[1, 3]].mean(), scale.std[3]], rtol=0.02)
    assert np.abs(scale.forward(jnp.full((1, 5), 2.0))).max() < 0.5


@pytest.mark.parametrize("kind", ["none", "layer", "whiten"])
def test_the_latents_that_the_map_compares(kind):
    network = MapNetwork(MapDesign(SMALL, SomGrid(2, 2), kind), InputScale.none((32,)))
    state, z = network.first_state(0), normal(50, 5) * np.arange(1, 6, dtype=np.float32) + 3
    state["latent_mean"][...], state["latent_variance"][...] = jnp.asarray(z.mean(0)), jnp.asarray(z.var(0))
    found = np.asarray(network.som_space(state, jnp.asarray(z)))
    axis = {"layer": 1, "whiten": 0}.get(kind)
    if axis is None:
        np.testing.assert_array_equal(found, z)
    else:
        np.testing.assert_allclose(found.mean(axis=axis), 0, atol=1e-4)
        # A latent of little scatter is not blown up to that of the others: a hundredth of their mean variance is added.
        variance = z.var(axis=0)
        wanted = np.sqrt(variance / (variance + 0.01 * variance.mean())) if kind == "whiten" else 1
        np.testing.assert_allclose(found.std(axis=axis), wanted, rtol=1e-3)
