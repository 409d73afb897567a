"""The self-organising map of both networks: distances, the weights of the loss, and the ways its prototypes move."""

import jax
import jax.numpy as jnp


def squared_distances(z: jax.Array, prototypes: jax.Array) -> jax.Array:
    """Squared Euclidean distances, shape (n, n_node), of z, shape (n, n_latent), to prototypes, (n_node, n_latent).

    The product has full precision on every device: where two nodes are near, the best one hangs on it.
    """
    product = jnp.matmul(z, prototypes.T, precision="highest")
    squares = (z**2).sum(axis=1)[:, None] + (prototypes**2).sum(axis=1)[None, :]
    return jnp.maximum(squares - 2.0 * product, 0.0)


def neighbourhood(grid_distance: jax.Array, temperature: jax.Array) -> jax.Array:
    """Weights exp(-D^2 / T^2) of the nodes at grid distances D from the best one, without gradient."""
    return jax.lax.stop_gradient(jnp.exp(-((grid_distance / temperature) ** 2)))


def map_loss(distances: jax.Array, weights: jax.Array) -> jax.Array:
    """The SOM's part of the loss: mean over spectra of sum over nodes of w d, both of shape (n, n_node)."""
    return (weights * distances).sum(axis=1).mean()


def batch_rule(prototypes: jax.Array, z: jax.Array, weights: jax.Array) -> jax.Array:
    """Prototype minus target, shape (n_node, n_latent): Kohonen's batch rule as the gradient of plain gradient descent.

    The target of a node is the weighted mean of the batch's latents. A node whose weights add up to less than a
    node's share of the batch, n / n_node, moves by so much less; one that the batch does not reach stays.

    Parameters
    ----------
    prototypes : Array, shape (n_node, n_latent)
    z : Array, shape (n, n_latent)
    weights : Array, shape (n, n_node)
        See :func:`neighbourhood`.
    """
    total = weights.sum(axis=0)
    target = jnp.matmul(weights.T, z, precision="highest") / (total + _LEAST_WEIGHT)[:, None]
    share = z.shape[0] / prototypes.shape[0]
    return jnp.minimum(1.0, total / share)[:, None] * (prototypes - target)


def encodings_in_turn(prototypes: jax.Array, z: jax.Array, step: jax.Array) -> jax.Array:
    """Prototype minus latent for the nodes whose turn it is at a step, 0 for the others, shape (n_node, n_latent).

    Descent by the whole of it puts prototypes on encodings of random spectra, a batch of nodes at a step and all in
    turn: how the map starts after the steps that train the autoencoder alone.
    """
    n_node = prototypes.shape[0]
    turn = (jnp.arange(n_node) - step * z.shape[0]) % n_node
    chosen = z[jnp.minimum(turn, z.shape[0] - 1)]
    return jnp.where((turn < z.shape[0])[:, None], prototypes - chosen, 0.0)


def descend_along(values: jax.Array, gradient: jax.Array) -> jax.Array:
    """A zero whose gradient in ``values`` is ``gradient``: add it to a loss to move parameters by a rule of their own."""
    term = (jax.lax.stop_gradient(gradient) * values).sum()
    return term - jax.lax.stop_gradient(term)


_LEAST_WEIGHT = 1e-9
