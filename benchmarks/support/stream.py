"""Spectra of a file put on a map, in a process of their own, whose memory is what the stream needs."""

import multiprocessing
import resource
import sys
import time
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from support.spectra import mixtures, wavelengths

#: Different spectra in the file; they repeat.
_N_DIFFERENT = 4096


class Streamed(NamedTuple):
    """What assigning took: seconds in all, seconds to read the file alone, and the peak of memory, GB."""

    seconds: float
    reading: float
    memory: float


def write_spectra(path: Path, n: int, n_wave: int) -> None:
    """A file with so many spectra, their masks and wavelengths, as the training spectra have them."""
    flux = mixtures(min(n, _N_DIFFERENT), n_wave)
    with h5py.File(path, "w") as f:
        f["wave"] = wavelengths(n_wave)
        for name, dtype in (("flux", "f4"), ("mask", "i1")):
            f.create_dataset(name, (n, n_wave), dtype)
        for start in range(0, n, len(flux)):
            stop = min(start + len(flux), n)
            f["flux"][start:stop] = flux[: stop - start]
            f["mask"][start:stop] = 0


def assigned(path: Path) -> Streamed:
    """Assign all spectra of a file by the published network with random weights."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_assign, (path,))


def _assign(path: Path) -> Streamed:
    from mangrove.analysis.desom_run import BLOCK, stream
    from mangrove.models.desom.autoencoders import SpectrumArchitecture
    from mangrove.models.desom.grid import SomGrid
    from mangrove.models.desom.input_scale import InputScale
    from mangrove.models.desom.model import DESOM, MapModel
    from mangrove.models.desom.network import MapDesign, MapNetwork
    from mangrove.models.desom.training import first_state
    from mangrove.models.training.rows import StreamedRows

    with h5py.File(path) as f:
        wave, n = f["wave"][...], len(f["flux"])
    design = MapDesign(SpectrumArchitecture(len(wave)), SomGrid())
    network = MapNetwork(design, InputScale.none(design.architecture.shape))
    model = MapModel(DESOM, network, first_state(network, 0, mixtures(design.grid.n_node, len(wave))), wave)
    start = time.perf_counter()
    for _ in StreamedRows(path, {"flux": "flux", "mask": "mask"}).ordered(BLOCK, dict):
        pass
    reading = time.perf_counter() - start
    start = time.perf_counter()
    stream(model, path, np.ones(n, bool), BLOCK)
    seconds = time.perf_counter() - start
    unit = 1e9 if sys.platform == "darwin" else 1e6
    return Streamed(seconds, reading, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)
