"""Where batches are solved: devices, how many spectra they hold, and programs that are compiled once."""

import hashlib
import logging
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mangrove.spectra.fit.batched import forms
from mangrove.spectra.fit.batched.batch import Batch, BatchLayout, double_precision
from mangrove.spectra.fit.batched.sizes import Sizes
from mangrove.user_cache import user_cache

logger = logging.getLogger(__name__)

#: Spectra of a batch on each accelerator that has the memory, and of the smallest one, than which fewer are no quicker; and on
#: a CPU, where they are solved one by one: many, so that little is done between batches.
MOST_SPECTRA, LEAST_SPECTRA, MOST_ON_CPU = 1024, 16, 64
#: Part of an accelerator's memory that a batch may take; the next one waits in what is left.
_MEMORY_SHARE = 0.8
#: Arrays as large as the columns of a spectrum's model that its fit holds at once.
_COPIES = 5
_AXIS = "spectra"
_COMPILED = "/jax/core/compile/backend_compile_duration"
#: Compilations shorter than this in all, s, are not worth a line in the log.
_LEAST_TOLD = 1.0


#: Sizes of batches that were halved for lack of memory, by layout, number of templates and devices.
_HALVED: dict[tuple[BatchLayout, int, Mesh], Sizes] = {}


class Devices:
    """Devices that share out the spectra of every batch; a CPU where there is no other.

    Parameters
    ----------
    n : int, optional
        How many of them; all if not given.
    """

    def __init__(self, n: int | None = None):
        self.mesh = Mesh(np.array(jax.devices()[:n]), (_AXIS,))

    def __len__(self) -> int:
        return self.mesh.size

    def shared_out(self, rows):
        """Arrays over the spectra of a batch on the devices, each with its part."""
        return self._placed(rows, PartitionSpec(_AXIS))

    def copied(self, arrays):
        """Arrays that every device needs."""
        return self._placed(arrays, PartitionSpec())

    def sizes(self, layout: BatchLayout, n_star: int) -> Sizes:
        """Sizes of batches of spectra with so many templates; on accelerators as their memory allows.

        Where it did not hold them (:meth:`halve`), those that were left, for as long as the process lives.
        """
        return _HALVED.get((layout, n_star, self.mesh)) or self._estimated(layout, n_star)

    def halve(self, layout: BatchLayout, n_star: int) -> tuple[Sizes, Sizes | None]:
        """The sizes of batches for which there was no memory, and half of them; None if there is nothing to halve."""
        sizes = self.sizes(layout, n_star)
        halved = sizes.halved()
        if halved is not None:
            _HALVED[layout, n_star, self.mesh] = halved
        return sizes, halved

    def _estimated(self, layout: BatchLayout, n_star: int) -> Sizes:
        device = self.mesh.devices.flat[0]
        stats = device.memory_stats()
        if device.platform == "cpu" or not stats:
            return Sizes(MOST_ON_CPU * len(self), len(self), MOST_ON_CPU)
        room = max(int(_MEMORY_SHARE * stats["bytes_limit"] // bytes_of_spectrum(layout, n_star)), 1)
        most = min(MOST_SPECTRA, 1 << room.bit_length() - 1)
        return Sizes(most * len(self), len(self), LEAST_SPECTRA)

    def program(self, function: Callable, layout: BatchLayout, **fixed) -> Callable:
        """A function of a batch and arrays over its spectra, compiled for a layout.

        Each device runs it for its own spectra and waits for no other.

        Parameters
        ----------
        function : callable
            Takes a :class:`mangrove.spectra.fit.batched.batch.Batch` and arrays (or tuples of them) whose first axis runs
            over the spectra, as that of all that it returns does.
        fixed
            Other arguments, compiled in.

        Returns
        -------
        callable
            Of the galaxies, the lines, how many spectra each device has without padding, shape (n_device,), and the spectra
            with the other arrays.
        """
        return _program(function, layout, self.mesh, tuple(fixed.items()))

    def _placed(self, arrays, spec: PartitionSpec):
        with double_precision():
            return jax.device_put(arrays, NamedSharding(self.mesh, spec))


@lru_cache(maxsize=64)
def _program(function: Callable, layout: BatchLayout, mesh: Mesh, fixed: tuple) -> Callable:
    def of_arrays(galaxies, lines, count, rows):
        def of_rows(rows):
            spectra, rest = rows
            return function(Batch(layout, galaxies, lines, spectra), *rest, **dict(fixed))

        return of_rows(rows) if forms.together() else _one_by_one(of_rows, count[0], rows)

    shared, rows = PartitionSpec(), PartitionSpec(_AXIS)
    sharded = jax.shard_map(
        of_arrays, mesh=mesh, in_specs=(shared, shared, rows, rows), out_specs=rows, check_vma=False
    )
    on_cpu = mesh.devices.flat[0].platform == "cpu"
    compiled = jax.jit(sharded, compiler_options=_options_on_cpu() if on_cpu else None)

    def run(*arrays):
        with double_precision():
            return compiled(*arrays)

    return run


@cache
def _options_on_cpu() -> dict[str, bool]:
    """What XLA is told on a CPU."""
    # A process has one core. Programs that share threads gain nothing, and may wait for each other for ever: transforms
    # take threads of the pool that runs them.
    options = {"xla_cpu_multi_thread_eigen": False}
    # Without these emitters, compilation takes a fifth less time and 40 % less memory; the programs are as quick.
    quicker = {"xla_cpu_use_fusion_emitters": False}
    # A version of JAX without them does not know the word.
    try:
        jax.jit(jnp.negative, compiler_options=quicker).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return options
    return options | quicker


def _one_by_one(function: Callable, count, rows):
    """The same for the first ``count`` rows in turn, 0 for the others.

    On a CPU that is as quick, takes less memory, costs nothing for padding, and rounds alike in any batch.
    """

    def at(i):
        return function(jax.tree.map(lambda values: jax.lax.dynamic_slice_in_dim(values, i, 1), rows))

    def write(i, found):
        return jax.tree.map(lambda whole, one: jax.lax.dynamic_update_slice_in_dim(whole, one, i, 0), found, at(i))

    n = len(jax.tree.leaves(rows)[0])
    nothing = jax.tree.map(lambda one: jnp.zeros((n, *one.shape[1:]), one.dtype), jax.eval_shape(at, count))
    return jax.lax.fori_loop(jnp.zeros_like(count), count, write, nothing)


def most_spectra() -> int:
    """Spectra of a batch on all devices, if they have the memory."""
    return (MOST_SPECTRA if forms.together() else MOST_ON_CPU) * jax.device_count()


def bytes_of_spectrum(layout: BatchLayout, n_star: int) -> int:
    """Memory that the fit of one spectrum with so many templates takes."""
    n_other = 3 + 2 * len(layout.components) + layout.degree
    n_column = n_star + len(layout.gas_line) + n_other
    return _COPIES * n_column * layout.n_fft * np.dtype(float).itemsize


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the computer, has no memory left."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)


def keep_compiled() -> None:
    """Let JAX keep what it compiles in the user's cache, unless another place is set (JAX_COMPILATION_CACHE_DIR)."""
    if jax.config.jax_compilation_cache_dir:
        return
    jax.config.update("jax_compilation_cache_dir", str(user_cache() / "mangrove" / f"jax-{_machine()}"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def _machine() -> str:
    """What programs for a CPU are compiled for: nodes of a cluster may share a home and differ in instructions."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
        flags = next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), "")
    except OSError:
        flags = platform.processor()
    return f"{platform.machine()}-{hashlib.sha256(flags.encode()).hexdigest()[:8]}"


@contextmanager
def compilations_told(what: str) -> Iterator[None]:
    """Context that tells the log how long compilations in it took."""
    before = _seconds()[0]
    yield
    seconds = _seconds()[0] - before
    if seconds > _LEAST_TOLD:
        logger.info("compiled for %s in %.0f s", what, seconds)


@cache
def _seconds() -> list[float]:
    """Seconds of all compilations from now on, kept up to date."""
    total = [0.0]

    def count(event: str, duration: float, **_) -> None:
        if event == _COMPILED:
            total[0] += duration

    jax.monitoring.register_event_duration_secs_listener(count)
    return total
