"""The self-organising map: distances on the grid, weights, temperature, and the ways prototypes move."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mangrove.models.desom.cooling import temperature
from mangrove.models.desom.grid import PUBLISHED, SomGrid
from mangrove.models.desom.som import (
    batch_rule,
    descend_along,
    encodings_in_turn,
    map_loss,
    neighbourhood,
    squared_distances,
)

RNG = np.random.default_rng(1)
PROTOTYPES = RNG.normal(size=(6, 3)).astype(np.float32)
LATENTS = RNG.normal(size=(20, 3)).astype(np.float32)
WEIGHTS = RNG.uniform(0, 0.2, (20, 6)).astype(np.float32)


def manhattan(a, b, columns):
    return abs(a // columns - b // columns) + abs(a % columns - b % columns)


def published(a, b, columns):
    """As the code of DESOM has it."""
    return abs(a - b) // columns + abs(a % columns - b % columns)


@pytest.mark.parametrize(("rows", "columns"), [(15, 15), (3, 7)])
def test_the_distance_is_the_number_of_rows_and_columns_between_two_nodes(rows, columns):
    grid = SomGrid(rows, columns)
    nodes = range(rows * columns)
    wanted = [[manhattan(a, b, columns) for b in nodes] for a in nodes]
    np.testing.assert_array_equal(grid.distances(), wanted)
    np.testing.assert_array_equal(grid.positions(), [[k // columns, k % columns] for k in nodes])


def test_the_published_distance_has_the_published_fault():
    grid = SomGrid(15, 15, PUBLISHED)
    found, right = grid.distances(), SomGrid(15, 15).distances()
    np.testing.assert_array_equal(found, [[published(a, b, 15) for b in range(225)] for a in range(225)])
    assert set(np.unique(right - found)) == {0, 1}
    assert np.mean(found != right) == pytest.approx(0.436, abs=5e-4)
    # Row 0, column 1 and row 1, column 0.
    assert found[1, 15] == 1 and right[1, 15] == 2
    weights = [float(neighbourhood(d[1, 15], 0.7)) for d in (found, right)]
    np.testing.assert_allclose(weights, [0.13, 0.0003], rtol=0.06)


def test_squared_distances_are_those_of_every_pair():
    wanted = [[((z - p) ** 2).sum() for p in PROTOTYPES] for z in LATENTS]
    np.testing.assert_allclose(squared_distances(LATENTS, PROTOTYPES), wanted, rtol=1e-5)
    near = squared_distances(1e3 + LATENTS, 1e3 + LATENTS)
    assert np.asarray(near).min() >= 0


def test_the_temperature_falls_as_published():
    steps = np.array([0, 1, 777, 49_999, 50_000, 64_999])
    found = [float(temperature(jnp.int32(i), 15.0, 0.7, 50_000)) for i in steps]
    wanted = np.where(steps < 50_000, 15 * (0.7 / 15) ** (steps / 49_999), 0.7)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_no_gradient_goes_through_the_weights():
    grid = jnp.asarray(SomGrid(2, 3).distances())

    def loss(z, frozen):
        distances = squared_distances(z, PROTOTYPES)
        best = distances.argmin(axis=1)
        weights = neighbourhood(grid[best], 1.5) if frozen is None else frozen
        return map_loss(distances, weights)

    best = np.asarray(squared_distances(LATENTS, PROTOTYPES)).argmin(axis=1)
    constant = jnp.exp(-((grid[best] / 1.5) ** 2))
    z = jnp.asarray(LATENTS)
    np.testing.assert_allclose(jax.grad(loss)(z, None), jax.grad(loss)(z, constant), rtol=1e-6)
    assert float(jax.grad(lambda t: neighbourhood(grid, t).sum())(1.5)) == 0


def test_the_batch_rule_is_that_of_kohonen():
    """Slowly: every node goes to the weighted mean of the latents, by less where it has less than its share of weight."""
    wanted = np.zeros_like(PROTOTYPES)
    weights = WEIGHTS.copy()
    weights[:, 5] *= 100
    for k, prototype in enumerate(PROTOTYPES):
        total = weights[:, k].sum()
        mean = sum(w * z for w, z in zip(weights[:, k], LATENTS, strict=True)) / total
        wanted[k] = min(1.0, total / (20 / 6)) * (prototype - mean)
    found = batch_rule(jnp.asarray(PROTOTYPES), jnp.asarray(LATENTS), jnp.asarray(weights))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_a_node_that_the_batch_does_not_reach_stays():
    weights = WEIGHTS.copy()
    weights[:, 2] = 0
    assert not np.asarray(batch_rule(jnp.asarray(PROTOTYPES), jnp.asarray(LATENTS), jnp.asarray(weights)))[2].any()


def test_a_rule_enters_a_loss_as_a_gradient_and_leaves_its_value():
    rule = jnp.asarray(RNG.normal(size=(6, 3)).astype(np.float32))
    value, gradient = jax.value_and_grad(lambda p: 3.0 + descend_along(p, rule))(jnp.asarray(PROTOTYPES))
    assert float(value) == 3
    np.testing.assert_array_equal(gradient, rule)


@pytest.mark.parametrize("batch", [2, 4, 20])
def test_prototypes_start_on_encodings_of_spectra(batch):
    prototypes, seen = jnp.asarray(PROTOTYPES), []
    for step in range(3):
        z = jnp.asarray(RNG.normal(size=(batch, 3)).astype(np.float32))
        prototypes = prototypes - encodings_in_turn(prototypes, z, jnp.int32(step))
        seen.append(np.asarray(z))
    distance = np.abs(np.asarray(prototypes)[:, None] - np.concatenate(seen)).max(axis=-1)
    assert (distance.min(axis=1) < 1e-6).all()
    assert len(set(distance.argmin(axis=1))) == 6
