"""Reading a gzip LOGCUBE of 74 x 74 spaxels beside plain astropy, and a whole 'extract' of it: time and peak memory.

python benchmarks/cube_io.py

The cube is simulated in a temporary folder. Ends with an error where a limit is missed.
"""

import gzip
import importlib.util
import io
import multiprocessing
import resource
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from astropy.io import fits
from support.results import print_result, seconds
from threadpoolctl import threadpool_limits

from mangrove.config import Extract
from mangrove.ssp.library import load_mastar
from mangrove.survey.readers.reading import read_cube
from mangrove.survey.simulation.cubes import write_logcube
from mangrove.survey.simulation.design import design_galaxy
from mangrove.survey.simulation.galaxies import SimulatedGalaxy
from mangrove.survey.simulation.simulate import simulate_galaxy

SCRIPT = Path(__file__).resolve().parents[1] / "workflow" / "scripts" / "extract.py"
PLATEIFU, SEED = "9001-12701", 1
HDUS = ("FLUX", "IVAR", "MASK", "LSFPOST", "WAVE")
REPEATS = 3
#: Plain astropy over ours; GB of the largest cube of the survey.
LEAST_GAIN, MOST_MEMORY = 2.0, 1.5
LARGEST_SIDE = 76

report = partial(print_result, "cube_io")


def main() -> int:
    """Print the results as JSON lines; 1 if a limit is missed."""
    galaxy = design_galaxy(PLATEIFU, SEED)
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        path = Path(folder) / "cube.fits.gz"
        # All work in processes of their own: the peak memory of a process counts that of its parent at its start.
        in_process(simulate, galaxy, path)
        report("size of the cube", path.stat().st_size / 1e6, "MB")
        ours, plain, unpacked = (median_seconds(read, path) for read in (read_cube, astropy_read, unpacked_read))
        report("seconds to read FLUX, IVAR, MASK, LSF, WAVE", ours, "s", plain)
        report("the same, beside astropy on content unpacked first", ours, "s", unpacked)
        duration, memory = in_process(extract, galaxy, path)
        report("seconds of a whole extract, 74 x 74", duration, "s")
        report("peak memory of a whole extract, 74 x 74", memory, "GB")
        largest = Path(folder) / "largest.fits"
        in_process(widen, path, largest, LARGEST_SIDE)
        _, memory = in_process(extract, galaxy, largest)
        size = f"{LARGEST_SIDE} x {LARGEST_SIDE}"
        report(f"peak memory of a whole extract, {size}, no spaxel empty", memory, "GB", limit=MOST_MEMORY)
    return int(plain < LEAST_GAIN * ours or memory > MOST_MEMORY)


def simulate(galaxy: SimulatedGalaxy, path: Path) -> None:
    """Write the galaxy's cube as the archive would."""
    write_logcube(path, simulate_galaxy(galaxy, "dr17", load_mastar())[0])


def astropy_read(path: Path) -> list[np.ndarray]:
    """The same HDUs by plain astropy."""
    with fits.open(path) as hdus:
        return [hdus[name].data for name in HDUS]


def unpacked_read(path: Path) -> list[np.ndarray]:
    """The same by astropy from content that the standard library has unpacked into memory first."""
    with gzip.open(path) as packed:
        content = io.BytesIO(packed.read())
    with fits.open(content) as hdus:
        return [hdus[name].data.astype(hdus[name].data.dtype.newbyteorder("=")) for name in HDUS]


def widen(path: Path, target: Path, side: int) -> None:
    """Write the same cube with a larger field, every spaxel of it with data; plain, as packing is slow."""
    with fits.open(path) as hdus:
        for hdu in hdus:
            if hdu.is_image and hdu.data is not None and hdu.data.ndim >= 2:
                pad = side - hdu.data.shape[-1]
                edges = [(0, 0)] * (hdu.data.ndim - 2) + [(pad // 2, pad - pad // 2)] * 2
                hdu.data = np.pad(hdu.data, edges, mode="edge")
        fill(hdus)
        hdus.writeto(target)


def fill(hdus: fits.HDUList) -> None:
    """Give the spaxels outside the hexagon the spectrum of the middle, so that all of them have to be binned."""
    middle = hdus["FLUX"].data.shape[-1] // 2
    outside = hdus["IVAR"].data.max(axis=0) == 0
    for name in ("FLUX", "IVAR", "MASK", "LSFPOST"):
        hdus[name].data[:, outside] = hdus[name].data[:, middle, middle][:, None]


def extract(galaxy: SimulatedGalaxy, path: Path) -> float:
    """Seconds of the rule's script on a cube."""
    spec = importlib.util.spec_from_file_location("extract_script", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    row = {"plateifu": galaxy.plateifu, "mangaid": galaxy.mangaid, "z": galaxy.redshift, "ebv": galaxy.ebv_galactic}
    row |= {"ra": galaxy.ra, "dec": galaxy.dec}
    where = SimpleNamespace(cube=str(path)), SimpleNamespace(extract=str(path.with_suffix(".h5")))
    return seconds(script.main, *where, row | Extract().model_dump(), str(path.with_suffix(".log")))


def median_seconds(read, path: Path) -> float:
    """Median wall time of a reader, each time in a fresh process."""
    return statistics.median(in_process(seconds, read, path)[0] for _ in range(REPEATS))


def in_process(function, *args) -> tuple:
    """What a function returns in a fresh process, and the peak memory of that process, GB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (function, *args))


def _measured(function, *args) -> tuple:
    with threadpool_limits(1):
        result = function(*args)
    unit = 1e9 if sys.platform == "darwin" else 1e6
    # Linux counts kilobytes, macOS bytes.
    return result, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    sys.exit(main())
