"""The two forms of the programs: spectra one by one, or many together."""

import jax


def together() -> bool:
    """Whether spectra are computed together, as accelerators want it: on a CPU one after the other is quickest."""
    return jax.default_backend() != "cpu"
