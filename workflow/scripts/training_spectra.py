"""Merge the baxels of all galaxies into normalised rest-frame spectra, those that pass the cuts first."""

import logging
from pathlib import Path

import numpy as np

from mangrove import artefacts
from mangrove.codes import TrainingCut
from mangrove.data_model_attributes import TRAINING_SPECTRA
from mangrove.logs import rule_log
from mangrove.physics.wavelengths import log_grid
from mangrove.spectra.training.merge import candidates, fill, mean_lsf, rows_in_hashed_order
from mangrove.spectra.training.rest_frame import percentile_cuts
from mangrove.spectra.training.sorted_spectra import SortedSpectra

logger = logging.getLogger("mangrove.training_spectra")


def main(inputs, outputs, params, log=None, threads=1):
    """Merge the baxels of ``inputs.extracts`` into ``outputs.training_spectra``."""
    grid, target = log_grid(*params["rest_range"], params["n_wave"]), Path(outputs.training_spectra)
    with rule_log(log), SortedSpectra(target.parent, grid.size) as spectra:
        galaxies = [artefacts.read(path, "extract", []).attrs for path in inputs.extracts]
        found = candidates(inputs.extracts, params, grid, spectra)
        cut = percentile_cuts(found.low, found.high, found.cut, params["cut_percentile"])
        for code in TrainingCut:
            logger.info("%d baxels: %s", np.sum(cut == code), code.word)
        row = rows_in_hashed_order(found, cut)
        dims = {"wave": grid.size, "row": int(np.sum(row >= 0)), "plateifu": len(galaxies), "candidate": cut.size}
        prov = artefacts.provenance(target, dict(params.items()), list(inputs.extracts))
        outcome = ("ok", "") if np.any(cut == TrainingCut.KEPT) else ("empty", "no baxel passes the cuts")
        attrs = {name: params[name] for name in TRAINING_SPECTRA} | dict(
            zip(("status", "reason"), outcome, strict=True)
        )
        with artefacts.writer(target, "training_spectra", dims, prov, attrs) as out:
            out["wave"][...], out["lsf"][...] = grid, mean_lsf(inputs.extracts, found, cut, grid)
            if galaxies:
                for name in ("plateifu", "mangaid"):
                    out[name][...] = [str(g[name]) for g in galaxies]
            fill(out, found, cut, row, spectra)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
