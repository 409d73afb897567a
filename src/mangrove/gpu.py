"""Whether this computer has a GPU for JAX, without the seconds that starting JAX takes."""

import os
from importlib.metadata import entry_points

#: NVIDIA's first GPU, and AMD's interface.
DEVICES = ("/dev/nvidia0", "/dev/kfd")


def has_gpu() -> bool:
    """Whether there is a GPU and a JAX for it, which no ``JAX_PLATFORMS=cpu`` keeps from it."""
    if os.environ.get("JAX_PLATFORMS") == "cpu" or not any(map(os.path.exists, DEVICES)):
        return False
    return len(entry_points(group="jax_plugins")) > 0
