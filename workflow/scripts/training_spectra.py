"""Merge the baxels of all galaxies into normalised rest-frame spectra, rows in hashed order."""

import logging

import numpy as np

from mangrove import artefacts
from mangrove.codes import TrainingCut
from mangrove.logs import rule_log
from mangrove.physics.wavelengths import log_grid
from mangrove.spectra.training import rest_frame
from mangrove.spectra.training.merge import candidates, fill, rows_in_hashed_order

logger = logging.getLogger("mangrove.training_spectra")


def main(inputs, outputs, params, log=None, threads=1):
    """Merge the baxels of ``inputs.extracts`` into ``outputs.training_spectra``."""
    with rule_log(log):
        grid = log_grid(*params["rest_range"], params["n_wave"])
        galaxies = [artefacts.read(path, "extract", []).attrs for path in inputs.extracts]
        names = [str(g["plateifu"]) for g in galaxies]
        found = candidates(inputs.extracts, params, grid)
        cut = rest_frame.percentile_cuts(found.low, found.high, found.cut, params["cut_percentile"])
        for code in TrainingCut:
            logger.info("%d baxels: %s", np.sum(cut == code), code.word)
        row = rows_in_hashed_order(found, cut, names)
        n_kept = int(np.sum(row >= 0))
        dims = {"wave": grid.size, "row": n_kept, "plateifu": len(names), "candidate": cut.size}
        prov = artefacts.provenance(outputs.training_spectra, dict(params.items()), list(inputs.extracts))
        attrs = {"status": "ok" if n_kept else "empty", "reason": "" if n_kept else "no baxel passes the cuts"}
        attrs["norm_band"] = params["norm_band"]
        with artefacts.writer(outputs.training_spectra, "training_spectra", dims, prov, attrs) as out:
            out["wave"][...] = grid
            if names:
                out["plateifu"][...], out["mangaid"][...] = names, [str(g["mangaid"]) for g in galaxies]
            if cut.size:
                out["candidate_galaxy"][...], out["candidate_baxel"][...] = found.galaxy, found.baxel
                out["candidate_cut"][...] = cut
            fill(out, inputs.extracts, params, grid, found.galaxy, row)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
