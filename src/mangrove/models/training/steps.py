"""Optimisation steps: what one changes, and many of them as one compiled call."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

Params = Any
#: ``loss(params, batch, key, step)`` gives the mean loss of a batch and further scalars to record. The key is new at
#: every step; ``step`` counts from 0 (for weights and temperatures that change).
Loss = Callable[[Params, Mapping[str, jax.Array], jax.Array, jax.Array], tuple[jax.Array, Mapping[str, jax.Array]]]


class State(NamedTuple):
    """What a step changes, and the best parameters so far; all arrays.

    Attributes
    ----------
    params, best : tree of arrays
    opt_state : tree of arrays
    step : int32 scalar
    key : uint32 array
        ``jax.random.key_data`` of the run's key.
    """

    params: Params
    best: Params
    opt_state: Any
    step: jax.Array
    key: jax.Array


def first_state(params: Params, optimiser: optax.GradientTransformation, seed: int) -> State:
    """The state before the first step."""
    key = jax.random.key_data(jax.random.key(seed))
    return State(params, params, optimiser.init(params), jnp.zeros((), jnp.int32), key)


@lru_cache(maxsize=4)
def compiled(loss: Loss, optimiser: optax.GradientTransformation):
    """The compiled steps and loss; kept, as a second run of the same loss need not be compiled again."""
    return jax.jit(_many_steps(loss, optimiser)), jax.jit(loss)


def _many_steps(loss: Loss, optimiser: optax.GradientTransformation):
    """A function (state, arrays, index of shape (n_step, batch)) -> (state, what each step recorded)."""
    gradient = jax.value_and_grad(loss, has_aux=True)

    def run(state: State, arrays: Mapping[str, jax.Array], index: jax.Array):
        def one(state: State, rows: jax.Array):
            key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.step)
            batch = {name: values[rows] for name, values in arrays.items()}
            (value, recorded), grads = gradient(state.params, batch, key, state.step)
            # optax itself does not keep to strict promotion, which callers may ask for.
            with jax.numpy_dtype_promotion("standard"):
                updates, opt_state = optimiser.update(grads, state.opt_state, state.params)
                params = optax.apply_updates(state.params, updates)
            state = state._replace(params=params, opt_state=opt_state, step=state.step + 1)
            return state, {"loss": value, **recorded}

        return jax.lax.scan(one, state, index)

    return run
