"""What fails in any test, though its module says nothing about it: warnings, and silent changes of JAX arrays."""

import subprocess
import sys

import pytest

from mangrove import errors

WARN = "import warnings; warnings.warn('odd', RuntimeWarning)"


def test_a_warning_in_a_script_of_the_workflow_is_an_error(script):
    with pytest.raises(RuntimeWarning, match="odd"):
        exec(WARN, vars(script("fit")))


def test_a_warning_in_the_package_is_an_error():
    with pytest.raises(RuntimeWarning, match="odd"):
        exec(WARN, dict(vars(errors)))


def test_types_and_ranks_of_jax_arrays_are_not_promoted():
    import jax.numpy as jnp

    with pytest.raises(ValueError, match="jax_numpy_dtype_promotion=strict"):
        jnp.ones(3, jnp.float32) + jnp.ones(3, jnp.int32)
    with pytest.raises(ValueError, match="jax_numpy_rank_promotion"):
        jnp.ones((2, 3)) + jnp.ones(3)


def test_nor_are_they_in_processes_that_tests_start():
    code = "import jax.numpy as jnp; jnp.ones(3, jnp.float32) + jnp.ones(3, jnp.int32)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode and "jax_numpy_dtype_promotion=strict" in done.stderr
