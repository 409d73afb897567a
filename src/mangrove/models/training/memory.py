"""Whether training data can lie in the memory of the device."""

import jax

#: Share of an accelerator's memory, and bytes of that of a computer, which the data may take.
_DEVICE_SHARE, _HOST_BYTES = 0.5, 1_000_000_000


def fits(n_byte: int) -> bool:
    """Whether training data of so many bytes can lie in the memory of the device."""
    stats = jax.devices()[0].memory_stats() if jax.default_backend() != "cpu" else None
    return n_byte <= (_DEVICE_SHARE * stats["bytes_limit"] if stats else _HOST_BYTES)
