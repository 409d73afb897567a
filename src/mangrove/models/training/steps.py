"""Optimisation steps: what one changes, and several of them as one host call, in the form that suits the device."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mangrove.models.training.rows import taken

Params = Any
#: ``loss(params, batch, key, step)`` gives the mean loss of a batch and further scalars to record. The key is new at
#: every step; ``step`` counts from 0 (for weights and temperatures that change).
Loss = Callable[[Params, Mapping[str, jax.Array], jax.Array, jax.Array], tuple[jax.Array, Mapping[str, jax.Array]]]
#: Scalars by name: of one step each, or of several, with a leading axis.
Recorded = Sequence[Mapping[str, jax.Array]]

#: Whether loss and new parameters of a step are finite, among what is recorded.
FINITE = "finite"
_AXIS = "data"


class State(NamedTuple):
    """What a step changes; all arrays. A host call takes the memory of the state that it is given.

    Attributes
    ----------
    params : tree of arrays
    opt_state : tree of arrays
    step : int32 scalar
    key : uint32 array
        ``jax.random.key_data`` of the run's key.
    """

    params: Params
    opt_state: Any
    step: jax.Array
    key: jax.Array


class Compiled(NamedTuple):
    """A loss and its optimisation steps, compiled.

    Attributes
    ----------
    steps : callable
        ``steps(state, arrays, index, mesh)``, with arrays of shape (n, ...) and rows of them, an ndarray of int32 of
        shape (n_step, batch), gives the new state and what the steps recorded; it does not wait for the device. The
        state that goes in cannot be used afterwards.
    evaluate : callable
        The loss.
    """

    steps: Callable[[State, Mapping[str, jax.Array], np.ndarray, Mesh], tuple[State, Recorded]]
    evaluate: Loss


def first_state(params: Params, optimiser: optax.GradientTransformation, seed: int) -> State:
    """The state before the first step, in memory of its own."""
    key = jax.random.key_data(jax.random.key(seed))
    return copied(State(params, optimiser.init(params), jnp.zeros((), jnp.int32), key))


def mesh_of(devices: Sequence[jax.Device]) -> Mesh:
    """Devices that share out a batch."""
    return Mesh(np.array(devices), (_AXIS,))


def scans(devices: Sequence[jax.Device]) -> bool:
    """Whether the steps of a host call are best one compiled scan on these devices.

    Not on a CPU: a convolution inside a scan runs there at a twentieth of its speed, and a step costs little to start.
    """
    return devices[0].platform != "cpu"


@lru_cache(maxsize=4)
def compiled(loss: Loss, optimiser: optax.GradientTransformation, scan: bool) -> Compiled:
    """The steps of a host call as one scan, or one by one; kept, so that a second run of the same loss compiles nothing."""
    step = _step(loss, optimiser)
    return Compiled(_scanned(step) if scan else _one_by_one(step), jax.jit(loss))


@jax.jit
def copied(tree: Any) -> Any:
    """A tree of arrays in memory of its own, no two of them in the same."""
    return jax.tree.map(jnp.copy, tree)


def fetched(recorded: Recorded) -> dict[str, np.ndarray]:
    """What the steps of a host call recorded, once they are done: float64 of shape (n_step,) by name."""
    values = jax.device_get(recorded)
    return {name: np.hstack([one[name] for one in values]).astype(np.float64) for name in values[0]}


def _step(loss: Loss, optimiser: optax.GradientTransformation):
    """A function (state, batch) -> (state, recorded)."""
    gradient = jax.value_and_grad(loss, has_aux=True)

    def step(state: State, batch: Mapping[str, jax.Array]) -> tuple[State, dict[str, jax.Array]]:
        key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.step)
        (value, recorded), grads = gradient(state.params, batch, key, state.step)
        # optax itself does not keep to strict promotion, which callers may ask for.
        with jax.numpy_dtype_promotion("standard"):
            updates, opt_state = optimiser.update(grads, state.opt_state, state.params)
            params = optax.apply_updates(state.params, updates)
        finite = jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves((value, params))]).all()
        return State(params, opt_state, state.step + 1, state.key), {"loss": value, FINITE: finite, **recorded}

    return step


def _batch(arrays: Mapping[str, jax.Array], rows: jax.Array) -> dict[str, jax.Array]:
    return {name: taken(values, rows) for name, values in arrays.items()}


def _scanned(step):
    @partial(jax.jit, donate_argnums=0)
    def scan(state: State, arrays: Mapping[str, jax.Array], index: jax.Array):
        return jax.lax.scan(lambda state, rows: step(state, _batch(arrays, rows)), state, index)

    def steps(state: State, arrays: Mapping[str, jax.Array], index: np.ndarray, mesh: Mesh):
        placed = jax.device_put(index, NamedSharding(mesh, PartitionSpec(None, _AXIS)))
        state, recorded = scan(state, arrays, placed)
        return state, [recorded]

    return steps


def _one_by_one(step):
    # The batch is taken apart from the step: a last chunk of fewer rows does not compile the step again.
    take = jax.jit(_batch)

    @lru_cache(maxsize=1)
    def over_leaves(structure: jax.tree_util.PyTreeDef):
        # Taking a state of flax apart and putting it together costs as much as the step of a small network.
        def one(leaves: list[jax.Array], batch: Mapping[str, jax.Array]):
            state, recorded = step(jax.tree.unflatten(structure, leaves), batch)
            return jax.tree.leaves(state), recorded

        return jax.jit(one, donate_argnums=0)

    def steps(state: State, arrays: Mapping[str, jax.Array], index: np.ndarray, mesh: Mesh):
        leaves, structure = jax.tree.flatten(state)
        one, recorded = over_leaves(structure), []
        for rows in jax.device_put(list(index), NamedSharding(mesh, PartitionSpec(_AXIS))):
            leaves, values = one(leaves, take(arrays, rows))
            recorded.append(values)
        return jax.tree.unflatten(structure, leaves), recorded

    return steps
