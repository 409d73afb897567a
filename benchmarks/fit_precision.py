"""What single precision gives the batched fit: speed, and agreement with double precision.

    python benchmarks/fit_precision.py [--device cpu|gpu] [--galaxies N] [--baxels N]

Of simulated baxels with the embedded templates, fitted in three ways: in double precision; in single precision, where the
problems of some hundred unknowns alone are solved in double precision; and in single precision first and then to the end in
double precision. On a GPU that takes 2,048 baxels, beside JAX, NumPy, SciPy and h5py the packages astropy, dust_extinction,
isal, joblib, threadpoolctl and tqdm, and neither pPXF nor pydantic. Ends with 1 where the refined fit misses the limits
that engines keep.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence

import jax
from support.baxels import LIBRARIES, ReadyBaxels, simulated_baxels
from support.fit_times import fitted, seconds_by_step
from support.results import print_result, seconds

from mangrove.spectra.fit.batched import devices
from mangrove.spectra.fit.batched.precision import DOUBLE, MIXED, SINGLE
from mangrove.spectra.fit.results import FitResult
from mangrove.validation.engine_agreement import compared, joined, summary

#: Galaxies, baxels of each, spectra of a batch, timed turns: as many as two minutes allow.
SIZES = {"cpu": (4, 16, None, 1), "gpu": (32, 64, 1024, 2)}
#: The agreement is computed on a CPU, one by one: of so many galaxies.
MOST_COMPARED = 8


def main() -> int:
    """Print the results as JSON lines; 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=tuple(SIZES), default="cpu")
    parser.add_argument("--galaxies", type=int)
    parser.add_argument("--baxels", type=int, help="of each galaxy")
    parser.add_argument("--templates", default=LIBRARIES["MaStar"], help="file of a library")
    options = parser.parse_args()
    n_galaxy, n_baxel, batch, turns = SIZES[options.device]
    devices.MOST_SPECTRA = batch or devices.MOST_SPECTRA
    sample = simulated_baxels(options.galaxies or n_galaxy, options.baxels or n_baxel, options.templates)
    results = {precision: timed(precision, sample, turns) for precision in (DOUBLE, SINGLE, MIXED)}
    kept = {name: agreement(name, sample, results[name], results[DOUBLE]) for name in (SINGLE, MIXED)}
    return int(not kept[MIXED])


def timed(precision: str, sample: Sequence[ReadyBaxels], turns: int) -> list[list[FitResult]]:
    """The results of a precision; its times are printed."""
    n = sum(len(one.spectra) for one in sample)
    report("first call, compilation included", seconds(fitted, sample, precision), "s", precision)
    walls, processor = [], time.process_time()
    with seconds_by_step() as steps:
        for _ in range(turns):
            start = time.perf_counter()
            results = fitted(sample, precision)
            walls.append(time.perf_counter() - start)
    processor = time.process_time() - processor
    report("per baxel, errors and draws included", 1e3 * statistics.median(walls) / n, "ms", precision, baxels=n)
    report("processor time per baxel", 1e3 * processor / turns / n, "ms", precision, baxels=n)
    report("solution, per baxel", 1e3 * steps["solve"] / turns / n, "ms", precision, baxels=n)
    stats = jax.devices()[0].memory_stats()
    if stats:
        report("peak of device memory so far", stats["peak_bytes_in_use"] / 1e9, "GB", precision)
    return results


def agreement(precision: str, sample: Sequence[ReadyBaxels], found, reference) -> bool:
    """Print how well results agree with those in double precision; gives whether all limits of two engines hold."""
    rows = list(zip(sample, found, reference, strict=True))[:MOST_COMPARED]
    agreed = joined(compared(one.galaxy, one.table, one.spectra, a, b) for one, a, b in rows)
    report("same status", agreed.same_status.mean(), "ratio", precision, n=agreed.chi2.size)
    table = summary(agreed)
    for row in table:
        more = {"n": row.n, "large": row.large, "largest": row.largest}
        more = {key: float(f"{value:.3g}") for key, value in more.items() if value == value}
        report(row.quantity, row.median, "1", precision, holds=row.holds, **more)
    return all(row.holds for row in table)


def report(metric: str, value: float, unit: str, precision: str, **about) -> None:
    """Print one result with precision and device."""
    print_result(
        "fit_precision", metric, value, unit, precision=precision, device=jax.devices()[0].device_kind, **about
    )


if __name__ == "__main__":
    sys.exit(main())
