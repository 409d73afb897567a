"""Cores of a CPU as devices that share out the batches of a training."""

import math

import jax


def share_cores(n_core: int, batch_size: int) -> None:
    """Let JAX take the cores of a CPU for devices of their own, as many as divide a batch evenly.

    The scan of a recurrent network runs on one core otherwise. Without effect on accelerators, and once JAX has started.
    """
    try:
        jax.config.update("jax_num_cpu_devices", math.gcd(n_core, batch_size))
    except RuntimeError:
        return
