"""The convolutional LSTM: its convolutions in all forms against plain formulae, its cell against a loop, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mangrove.models.convlstm import cell, convolution, joint
from mangrove.models.convlstm.cell import ConvLstm, hoisted_outputs
from mangrove.models.convlstm.joint import joint_outputs

CONVOLUTIONS = (
    convolution.convolve,
    convolution.recurrent_convolve,
    convolution.plain_convolve,
    convolution.patch_convolve,
    convolution.lean_convolve,
)
N, N_SLICE, SIDE, N_IN, N_OUT = 2, 4, 6, 3, 2


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def numpy_convolve(x, kernel):
    """The sum over shifted images, one tap after the other, in float64."""
    width, _, _, n_out = kernel.shape
    reach, (_, rows, columns, _) = width // 2, x.shape
    padded = np.pad(x.astype(float), ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    total = np.zeros((*x.shape[:3], n_out))
    for i in range(width):
        for j in range(width):
            total += padded[:, i : i + rows, j : j + columns] @ kernel[i, j]
    return total


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_lstm(x, kernel, recurrent, bias):
    """The equations, slice by slice, in float64."""
    h = c = np.zeros((*x.shape[:1], *x.shape[2:4], recurrent.shape[2]))
    outputs = []
    for slice_ in np.swapaxes(x, 0, 1):
        i, f, u, o = np.split(numpy_convolve(slice_, kernel) + numpy_convolve(h, recurrent) + bias, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(u)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, axis=1)


@pytest.fixture(scope="module")
def lstm():
    return ConvLstm(N_IN, N_OUT, 3, rngs=nnx.Rngs(1))


@pytest.fixture(scope="module")
def cubes():
    return draw(N, N_SLICE, SIDE, SIDE, N_IN)


def weights(lstm):
    return tuple(np.asarray(param[...]) for param in (lstm.kernel, lstm.recurrent, lstm.bias))


@pytest.mark.parametrize("width", [1, 3, 5])
@pytest.mark.parametrize("convolve", CONVOLUTIONS)
def test_convolutions_equal_the_formula(convolve, width):
    x, kernel = draw(N, 4, 5, N_IN), draw(width, width, N_IN, N_OUT, seed=1)
    np.testing.assert_allclose(convolve(x, jnp.asarray(kernel)), numpy_convolve(x, kernel), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n_out", [N_OUT, 2 * N_IN])
@pytest.mark.parametrize("width", [3, 5])
@pytest.mark.parametrize("form", [convolution.patch_convolve, convolution.lean_convolve])
def test_gradients_equal_those_of_the_plain_form(form, width, n_out, monkeypatch):
    """With fewer outputs than inputs and with more, one image at a time."""
    monkeypatch.setattr(convolution, "_PLACES", 4 * 5)
    x, kernel, other = draw(N, 4, 5, N_IN), draw(width, width, N_IN, n_out, seed=1), draw(N, 4, 5, n_out, seed=2)
    plain, ours = (
        jax.grad(lambda x, kernel, form=form: (form(x, kernel) * other).sum(), argnums=(0, 1))(x, kernel)
        for form in (convolution.plain_convolve, form)
    )
    for a, b in zip(plain, ours, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_pool_takes_the_largest_of_every_four_places():
    x = draw(3, 4, 6, 2)
    expected = x.reshape(3, 2, 2, 3, 2, 2).max(axis=(2, 4))
    np.testing.assert_array_equal(convolution.pool(jnp.asarray(x)), expected)


def test_forms_are_chosen_by_backend(monkeypatch):
    assert convolution.forms().in_scan is convolution.patch_convolve
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert convolution.forms().in_scan is convolution.plain_convolve
    assert convolution.forms().hoisted


def test_outputs_equal_a_loop_over_the_equations(lstm, cubes):
    np.testing.assert_allclose(lstm(jnp.asarray(cubes)), numpy_lstm(cubes, *weights(lstm)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("unroll", "places"), [(1, 2 * SIDE**2), (3, SIDE**2)])
def test_both_forms_have_equal_outputs_and_finite_equal_gradients(lstm, cubes, monkeypatch, unroll, places):
    """With all cubes at a time and one after the other, with and without slices unrolled."""
    monkeypatch.setattr(joint, "_PLACES", places)
    monkeypatch.setattr(cell, "forms", lambda: convolution.forms()._replace(unroll=unroll))
    kernel, recurrent, bias = weights(lstm)
    inputs = (cubes, kernel, recurrent, bias.reshape(1, 1, 1, -1))
    other = draw(N, N_SLICE, SIDE, SIDE, N_OUT, seed=3)
    (loss, first), (other_loss, second) = (
        jax.value_and_grad(lambda *given, form=form: (form(*given) * other).sum(), argnums=(0, 1, 2, 3))(*inputs)
        for form in (hoisted_outputs, joint_outputs)
    )
    np.testing.assert_allclose(loss, other_loss, rtol=1e-5)
    for a, b in zip(first, second, strict=True):
        assert np.isfinite(a).all() and np.abs(a).max() > 0
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_shares_of_two_devices_have_the_gradients_of_one(lstm, cubes, monkeypatch):
    other = draw(N, N_SLICE, SIDE, SIDE, N_OUT, seed=3)
    kernel, recurrent, bias = weights(lstm)

    def gradients():
        def loss(*given):
            return (joint_outputs(*given, bias.reshape(1, 1, 1, -1)) * other).sum()

        return jax.grad(loss, argnums=(0, 1, 2))(cubes, kernel, recurrent)

    one = gradients()
    monkeypatch.setattr(jax, "device_count", lambda: 2)
    for a, b in zip(one, gradients(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_slice_depends_on_those_before_it_and_on_no_later_one(lstm, cubes):
    changed = cubes.copy()
    changed[:, 2] += 1.0
    before, after = (np.asarray(lstm(jnp.asarray(x))) for x in (cubes, changed))
    np.testing.assert_array_equal(before[:, :2], after[:, :2])
    assert (np.abs(before[:, 2:] - after[:, 2:]).max(axis=(0, 2, 3, 4)) > 1e-3).all()
    backwards = np.asarray(lstm(jnp.asarray(cubes[:, ::-1].copy())))
    assert np.abs(backwards[:, ::-1] - before).max() > 1e-2


def test_first_weights_are_those_of_keras(lstm):
    kernel, recurrent, bias = weights(lstm)
    np.testing.assert_array_equal(bias, np.repeat([0, 1, 0, 0], N_OUT))
    limit = np.sqrt(6 / (9 * N_IN + 9 * 4 * N_OUT))
    assert 0.8 * limit < np.abs(kernel).max() <= limit
    columns = recurrent.reshape(-1, 4 * N_OUT)
    np.testing.assert_allclose(columns.T @ columns, np.eye(4 * N_OUT), atol=1e-5)


def test_precision_is_that_of_the_input(lstm, cubes):
    narrow = lstm(jnp.asarray(cubes, jnp.bfloat16))
    assert narrow.dtype == jnp.bfloat16
    np.testing.assert_allclose(narrow.astype(jnp.float32), lstm(jnp.asarray(cubes)), atol=0.03)
