"""Whether this computer has a GPU for JAX, without the seconds that starting JAX takes."""

import os
from importlib.metadata import entry_points

#: NVIDIA's first GPU, and AMD's interface.
DEVICES = ("/dev/nvidia0", "/dev/kfd")
#: What CUDA_VISIBLE_DEVICES begins with where it hides all: CUDA takes the indices before the first one that does not exist.
HIDDEN = ("", "-1", "NoDevFiles")


def has_gpu() -> bool:
    """Whether there is a GPU and a JAX for it, which neither JAX_PLATFORMS nor CUDA_VISIBLE_DEVICES keeps from it."""
    if (
        os.environ.get("JAX_PLATFORMS") == "cpu"
        or os.environ.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0].strip() in HIDDEN
        or not any(map(os.path.exists, DEVICES))
    ):
        return False
    return len(entry_points(group="jax_plugins")) > 0
