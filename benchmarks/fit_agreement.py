"""How well the engines of the fit agree: simulated baxels of S/N 5-60 and the real MaNGA spectra, by both.

    REAL_DATA=FOLDER python benchmarks/fit_agreement.py [--galaxies N] [--baxels N] [--processes N]

A thousand baxels take four core-minutes by pPXF. Ends with 1 where a limit is not kept.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from support.baxels import LIBRARIES, SETTINGS, ReadyBaxels, real_baxels, simulated_baxels
from support.fit_times import fitted
from support.results import print_result

from mangrove.spectra.fit.ppxf.pool import fit_all
from mangrove.validation.engine_agreement import compared, joined, summary

#: Of the simulated baxels, so many galaxies are fitted with E-MILES too.
N_EMILES = 5
#: The real spectra are few: it takes many draws of each to tell their widths.
N_DRAW_OF_REAL = 200


def main() -> int:
    """Print the table of agreement of each sample as JSON lines; 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--galaxies", type=int, default=50)
    parser.add_argument("--baxels", type=int, default=20, help="of each galaxy")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="of the fits by pPXF")
    options = parser.parse_args()
    kept = []
    for library, templates in LIBRARIES.items():
        n_galaxy = options.galaxies if library == "MaStar" else min(options.galaxies, N_EMILES)
        samples = {
            f"simulated, {library}": simulated_baxels(n_galaxy, options.baxels, templates),
            f"real, {library}": real_baxels(templates, SETTINGS._replace(n_draw=N_DRAW_OF_REAL)),
        }
        kept += [report(name, sample, options.processes) for name, sample in samples.items()]
    return int(not all(kept))


def report(name: str, sample: Sequence[ReadyBaxels], n_process: int) -> bool:
    """Print the agreement on a sample; gives whether it keeps the limits."""
    found = fitted(sample)
    reference = [fit_all(one.galaxy, one.spectra, n_process) for one in sample]
    agreement = joined(
        compared(one.galaxy, one.table, one.spectra, a, b) for one, a, b in zip(sample, found, reference, strict=True)
    )
    same = agreement.same_status.mean()
    print_result("fit_agreement", "same status", same, "ratio", sample=name, n=agreement.chi2.size)
    rows = summary(agreement)
    for row in rows:
        more = {"n": row.n, "large": row.large, "largest": row.largest, "limit_large": row.limit_large}
        more = {key: float(f"{value:.3g}") for key, value in more.items() if value == value}
        limit = row.limit_median if row.limit_median == row.limit_median else None
        print_result("fit_agreement", row.quantity, row.median, "1", None, limit, sample=name, holds=row.holds, **more)
    return all(row.holds for row in rows)


if __name__ == "__main__":
    sys.exit(main())
