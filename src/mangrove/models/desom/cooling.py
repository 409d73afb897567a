"""How the temperature, the width of the neighbourhood, falls during a training."""

import jax
import jax.numpy as jnp


def temperature(step: jax.Array, first: float, last: float, n_step: int) -> jax.Array:
    """T = first (last / first)^(i / (n - 1)) at step i of the n steps of cooling, and ``last`` from then on."""
    part = jnp.clip(step.astype(jnp.float32) / max(n_step - 1, 1), 0.0, 1.0)
    return first * (last / first) ** part
