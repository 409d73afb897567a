"""Training data in the memory of the device: whether they fit, and how they get there."""

from collections.abc import Iterable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

#: Share of an accelerator's memory, and bytes of that of a computer, which the data may take.
_DEVICE_SHARE, _HOST_BYTES = 0.5, 1_000_000_000


def fits(n_byte: int) -> bool:
    """Whether training data of so many bytes can lie in the memory of the device."""
    stats = jax.devices()[0].memory_stats() if jax.default_backend() != "cpu" else None
    return n_byte <= (_DEVICE_SHARE * stats["bytes_limit"] if stats else _HOST_BYTES)


def filled(n: int, blocks: Iterable[Mapping[str, np.ndarray]]) -> dict[str, jax.Array]:
    """Arrays of n rows on the device, filled from blocks of rows in their order: the host holds one block at a time."""
    whole: dict[str, jax.Array] = {}
    start = 0
    for block in blocks:
        for name, values in block.items():
            if name not in whole:
                whole[name] = jnp.zeros((n, *values.shape[1:]), values.dtype)
            whole[name] = _with_block(whole[name], values, start)
        start += len(next(iter(block.values())))
    return whole


@partial(jax.jit, donate_argnums=0)
def _with_block(whole: jax.Array, block: jax.Array, start: jax.Array) -> jax.Array:
    """The same array with a block of rows written, in the memory of the old one."""
    return jax.lax.dynamic_update_slice_in_dim(whole, block, start, 0)
