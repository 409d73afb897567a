"""Models of a batch against those of single spectra."""

import batched_spectra
import jax
import numpy as np
import pytest

from mangrove.spectra.fit.batched import model
from mangrove.spectra.fit.batched.arrays import galaxies_of, layout_of, lines_of, spectra_of
from mangrove.spectra.fit.batched.batch import Solutions, double_precision
from mangrove.spectra.fit.model import gas_in_range, total_emission
from mangrove.spectra.fit.shape import continuum_shape
from mangrove.spectra.fit.spectrum import moving_gas, on_data, shaped_stellar_continuum
from mangrove.spectra.fit.templates import with_components

COMPONENTS = (0, 1, 2)


@pytest.fixture(scope="module")
def given():
    """A batch, and a place in its space of parameters that has nothing special about it."""
    batch = batched_spectra.batch((1, 0, 1), components=COMPONENTS, polynomial_degree=3)
    rng = np.random.default_rng(1)
    n, n_star, n_gas = 3, batch.galaxies.transform.shape[1], len(batch.layout.gas_line)
    kinematics = np.array([[130.0, 150.0], [-90.0, 80.0], [30.0, 250.0], [40.0, 900.0]]) + rng.normal(size=(n, 4, 2))
    theta = np.column_stack([rng.uniform(0.1, 0.9, n), 0.05 * rng.normal(size=(n, 3))])
    weights, gas = rng.uniform(0, 1, (n, n_star)), rng.uniform(0, 1, (n, n_gas))
    gas *= batch.spectra.use[:, list(batch.layout.gas_line)]
    nothing = np.zeros(n)
    return batch, Solutions(kinematics, theta, weights, gas, nothing, nothing, nothing > 0)


@pytest.fixture(scope="module")
def modelled(given):
    batch, s = given
    layout, galaxies, lines, spectra = batch

    @jax.jit
    def all_of_it(galaxies, lines, spectra, s):
        transforms = model.gas_transforms(layout, galaxies, lines, spectra)
        return {
            "stars": model.star_columns(layout, galaxies, spectra, s.kinematics),
            "gas": model.gas_columns(layout, galaxies, spectra, transforms, s.kinematics),
            "shape": model.shape(galaxies, spectra, s.theta),
            "continuum": model.stellar_continuum(layout, galaxies, spectra, s.weights, s.kinematics, s.theta),
            "emission": model.emission(layout, galaxies, spectra, transforms, s.gas, s.kinematics),
            "jacobian": model.jacobian(layout, galaxies, spectra, transforms, s),
        }

    with double_precision():
        return jax.tree.map(np.asarray, all_of_it(galaxies, lines, spectra, s))


def alone(given, i):
    """The stars, spectrum and gas of one spectrum of the batch."""
    batch, _ = given
    galaxy = batched_spectra.galaxies(polynomial_degree=3)[batch.spectra.galaxy[i]]
    spectrum = batched_spectra.spectrum(int(batch.spectra.galaxy[i]), seed=i)
    gas = with_components(gas_in_range(spectrum, galaxy.stars, galaxy.lines), galaxy.lines, COMPONENTS[1:])
    columns = list(zip(batch.layout.gas_component, batch.layout.gas_line, strict=True))
    place = [columns.index(pair) for pair in zip(gas.component, gas.free, strict=True)]
    return galaxy.stars, spectrum, gas, np.array(place)


@pytest.mark.parametrize("i", range(3))
def test_columns_are_those_of_single_spectra(given, modelled, i):
    batch, s = given
    stars, spectrum, gas, place = alone(given, i)
    n, scale = spectrum.wave.size, batch.galaxies.scale[batch.spectra.galaxy[i]]
    expected = on_data(stars.flux, spectrum, stars, *s.kinematics[i, 0]).T / scale
    np.testing.assert_allclose(modelled["stars"][i, :, :n], expected, atol=1e-9 * expected.max())
    lines = moving_gas(gas, spectrum, stars, s.kinematics[i, 1:]).T
    np.testing.assert_allclose(modelled["gas"][i, place, :n], lines, atol=1e-9)
    unused = np.delete(modelled["gas"][i], place, axis=0)
    assert np.all(np.abs(unused) < 1e-12)
    np.testing.assert_allclose(modelled["shape"][i, :n], continuum_shape(s.theta[i], spectrum.wave), rtol=1e-12)


@pytest.mark.parametrize("i", range(3))
def test_models_are_those_of_single_spectra(given, modelled, i):
    batch, s = given
    stars, spectrum, gas, place = alone(given, i)
    n, scale = spectrum.wave.size, batch.galaxies.scale[batch.spectra.galaxy[i]]
    mixture = stars.flux @ s.weights[i] / scale
    expected = shaped_stellar_continuum(mixture, s.theta[i], spectrum, stars, *s.kinematics[i, 0])
    np.testing.assert_allclose(modelled["continuum"][i, :n], expected, rtol=1e-9)
    expected = total_emission(gas, s.gas[i, place], spectrum, stars, s.kinematics[i, 1:])
    np.testing.assert_allclose(modelled["emission"][i, :n], expected, atol=1e-9)


def test_lines_of_a_coarse_instrument_are_whole():
    """Those of 15 pixels reach beyond what holds usual ones."""
    galaxy, spectrum = batched_spectra.galaxies()[0], batched_spectra.spectrum(0)
    coarse = spectrum._replace(lsf_sigma=15.0 * spectrum.log_step * spectrum.wave)
    layout, kinematics = layout_of([galaxy], [coarse]), np.array([[[0.0, 150.0], [30.0, 60.0]]])
    given = galaxies_of(layout, [galaxy], [coarse]), spectra_of(layout, [galaxy], [0], [coarse], [None])
    with double_precision():
        transforms = model.gas_transforms(layout, given[0], lines_of(layout, galaxy.lines), given[1])
        columns = np.asarray(model.gas_columns(layout, *given, transforms, kinematics))[0]
    gas = gas_in_range(coarse, galaxy.stars, galaxy.lines)
    place = [layout.gas_line.index(line) for line in gas.free]
    expected = moving_gas(gas, coarse, galaxy.stars, kinematics[0, 1:]).T
    np.testing.assert_allclose(columns[place, : coarse.wave.size], expected, atol=1e-6 * expected.max())


def test_jacobian_is_the_derivative(given, modelled):
    batch, s = given
    layout, galaxies, lines, spectra = batch

    @jax.jit
    def whole(kinematics, theta):
        transforms = model.gas_transforms(layout, galaxies, lines, spectra)
        continuum = model.stellar_continuum(layout, galaxies, spectra, s.weights, kinematics, theta)
        return continuum + model.emission(layout, galaxies, spectra, transforms, s.gas, kinematics)

    def ends(index, step):
        """The model on either side along one of the parameters."""
        flat = np.concatenate([s.kinematics.reshape(3, -1), s.theta], axis=1)
        is_variance = index < 8 and index % 2 == 1
        for sign in (1.0, -1.0):
            moved = flat.copy()
            moved[:, index] = (
                np.sqrt(flat[:, index] ** 2 + sign * step) if is_variance else flat[:, index] + sign * step
            )
            with double_precision():
                yield np.asarray(whole(moved[:, :8].reshape(3, 4, 2), moved[:, 8:]))

    for index in range(12):
        step = 30.0 if index < 8 and index % 2 else 0.1 if index < 8 else 1e-4
        up, down = ends(index, step)
        expected = (up - down) / (2.0 * step)
        np.testing.assert_allclose(
            modelled["jacobian"][:, index], expected, atol=3e-5 * np.abs(expected).max(), err_msg=str(index)
        )
