"""In which precision the spectra of a batch are fitted."""

import jax
import jax.numpy as jnp

#: All in double precision; all but the small linear problems in single precision; or so at first, and then to the end in
#: double precision.
DOUBLE, SINGLE, MIXED = "double", "single", "mixed"
_NARROWER = {"float64": jnp.float32, "complex128": jnp.complex64}


def in_single(values):
    """A tree of arrays in single precision."""
    return jax.tree.map(_single, values)


def _single(values) -> jax.Array:
    values = jnp.asarray(values)
    return values.astype(_NARROWER.get(values.dtype.name, values.dtype))
