"""Time per baxel of the batched fit, errors, draws and labels included.

    REAL_DATA=FOLDER python benchmarks/fit_batched.py [--device cpu|gpu] [--emiles FILE] [--batches N ...]

On a CPU beside plain pPXF and the engine by pPXF in the same run, and two cores beside one, on some hundred baxels so
that it takes about ten minutes on two idle cores; on a GPU the time and memory by size of the batches, where the time
goes, a whole job from disk to disk, and the surveys projected, in under ten minutes; beside JAX, NumPy, SciPy and h5py
that needs astropy, dust_extinction, isal, joblib, threadpoolctl and tqdm, and neither pPXF nor pydantic. Ends with 1
where a limit is not kept.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence

import jax
from peers.plain_ppxf import plain_ppxf
from support.baxels import LIBRARIES, ReadyBaxels, labelled, simulated_baxels
from support.fit_times import (
    fitted,
    fitted_and_labelled,
    job_and_computing,
    job_on_cores,
    on_one_core,
    peak_memory,
    seconds_by_step,
)
from support.results import print_result, seconds

from mangrove.spectra.fit.batched import devices
from mangrove.spectra.fit.settings import FitSettings

#: Baxels of DR15 (Teimoorinia et al. 2022), and of the 10,700 cubes of DR17 with as many baxels each.
SURVEYS = {"DR15": 1_170_539, "DR17": 2_675_000}
#: Time over that of the engine by pPXF; of one core over that of two; of a job from disk to disk over the computing.
MOST_OVER_PPXF, LEAST_GAIN, MOST_OVER_COMPUTING = 0.5, 1.8, 1.3
#: On a GPU, ms per baxel.
MOST_MS = {"MaStar": 0.6, "E-MILES": 1.6}
#: Galaxies and baxels of each: on a CPU, in the job from disk to disk, on a GPU.
N_CPU, N_JOB, N_GPU = {"MaStar": (4, 8), "E-MILES": (4, 4)}, {"MaStar": (16, 16), "E-MILES": (8, 16)}, (32, 64)
#: Spectra per batch on a GPU.
BATCHES = (256, 1024)


def main() -> int:
    """Print the results as JSON lines; 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--emiles", default=LIBRARIES["E-MILES"], help="file with the library E-MILES")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES, help="spectra per batch on a GPU")
    options = parser.parse_args()
    libraries = LIBRARIES | {"E-MILES": options.emiles}
    if options.device == "cpu":
        kept = [held for library, templates in libraries.items() for held in on_cpu(library, templates)]
        kept.append(from_disk_to_disk(N_JOB["MaStar"], "MaStar", libraries["MaStar"]))
    else:
        kept = [held for name, templates in libraries.items() for held in on_gpu(name, templates, options.batches)]
    return int(not all(kept))


def on_cpu(library: str, templates: str) -> list[bool]:
    """One core beside pPXF, and two cores beside one."""
    one = on_one_core(*N_CPU[library], templates, (by_ppxf, by_plain_ppxf))
    (ppxf, plain), n = one.peers, N_CPU[library][0] * N_CPU[library][1]
    about = {"library": library, "baxels": n}
    kept = [report("per baxel and core", one.processor, "s", MOST_OVER_PPXF * ppxf, ppxf, **about)]
    report(
        "per baxel and core, beside plain pPXF without errors of populations", one.processor, "s", peer=plain, **about
    )
    report("peak of memory", one.memory, "GB", **about)
    n_galaxy, n_baxel = N_JOB[library]
    alone, shared = (job_on_cores(n, n_galaxy, n_baxel, templates) for n in (1, 2))
    about = {"library": library, "galaxies": n_galaxy, "baxels": n_galaxy * n_baxel}
    kept.append(report("two cores over one", alone / shared, "ratio", LEAST_GAIN, least=True, **about))
    project(library, one.processor, "core hours")
    return kept


def on_gpu(library: str, templates: str, sizes: Sequence[int]) -> list[bool]:
    """Times and memory by size of the batches, the split of the time, a job, and the surveys projected."""
    sample = simulated_baxels(*N_GPU, templates)
    n, kept, best = sum(len(baxels.spectra) for baxels in sample), [], None
    about = {"library": library, "templates": sample[0].galaxy.stars.flux.shape[1], "baxels": n}
    for size in sizes:
        devices.MOST_SPECTRA = size
        compiled = seconds(fitted_and_labelled, sample)
        with seconds_by_step() as steps:
            whole = seconds(fitted, sample)
        labels = statistics.median(seconds(fitted_and_labelled, sample) for _ in range(2)) / n
        memory = jax.devices()[0].memory_stats()["peak_bytes_in_use"] / 1e9
        batch = about | {"batch": size}
        report("per baxel", 1e3 * labels, "ms", **batch)
        report("first call, compilation included", compiled, "s", **batch)
        report("peak of device memory so far", memory, "GB", **batch)
        split = dict(steps) | {"arrays and results on the host": whole - sum(steps.values())}
        for step, spent in split.items():
            report(f"of it: {step}", 1e3 * spent / n, "ms", **batch)
        best = labels if best is None else min(best, labels)
    kept.append(report("per baxel, best size of the batch", 1e3 * best, "ms", MOST_MS[library], **about))
    kept.append(from_disk_to_disk(N_GPU, library, templates))
    report("peak of the computer's memory so far", peak_memory(), "GB", **about)
    project(library, best, "min")
    return kept


def from_disk_to_disk(n: tuple[int, int], library: str, templates: str) -> bool:
    """A job from extracts on disk to fits on disk beside the computing alone."""
    whole, computing = job_and_computing(*n, templates)
    about = {"library": library, "galaxies": n[0], "baxels": n[0] * n[1]}
    return report("from disk to disk", whole, "s", MOST_OVER_COMPUTING * computing, computing, **about)


def project(library: str, per_baxel: float, unit: str) -> None:
    """The time of whole surveys."""
    for survey, n in SURVEYS.items():
        report(
            f"{survey}, {n} baxels", n * per_baxel / {"min": 60.0, "core hours": 3600.0}[unit], unit, library=library
        )


def by_ppxf(sample: Sequence[ReadyBaxels]) -> None:
    """Fits and labels by the engine that is the reference."""
    from mangrove.spectra.fit.ppxf.one_spectrum import fit_spectrum  # pPXF is not needed on a GPU

    for one in sample:
        labelled(one, [fit_spectrum(spectrum, *one.galaxy) for spectrum in one.spectra])


def by_plain_ppxf(sample: Sequence[ReadyBaxels]) -> None:
    """One call of pPXF each, without labels."""
    for one in sample:
        for spectrum in one.spectra:
            plain_ppxf(spectrum, one.galaxy.stars, one.galaxy.lines, FitSettings())


def report(metric: str, value: float, unit: str, limit=None, peer=None, *, least: bool = False, **about) -> bool:
    """Print one result with the device; gives whether it keeps the limit, where there is one."""
    limit = None if limit is None else float(f"{limit:.4g}")
    print_result("fit_batched", metric, value, unit, peer, limit, device=jax.devices()[0].device_kind, **about)
    return limit is None or bool(value >= limit if least else value <= limit)


if __name__ == "__main__":
    sys.exit(main())
