"""Merge the baxels of all galaxies into normalised rest-frame spectra, rows in hashed order."""

import logging
from typing import NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.data_model import TRAINING_CUT
from mangrove.logs import rule_log
from mangrove.spectra import rest_frame
from mangrove.spectra.extinction import galactic_transmission
from mangrove.spectra.split import hash_fraction, split_of
from mangrove.wavelengths import log_grid

logger = logging.getLogger("mangrove.training_spectra")


class Candidates(NamedTuple):
    """All baxels before the percentile cuts, one row each."""

    galaxy: np.ndarray
    baxel: np.ndarray
    cut: np.ndarray
    low: np.ndarray
    high: np.ndarray


def main(inputs, outputs, params, log=None, threads=1):
    """Merge the baxels of ``inputs.extracts`` into ``outputs.training_spectra``."""
    with rule_log(log):
        grid = log_grid(*params["rest_range"], params["n_wave"])
        galaxies = [artefacts.read(path, "extract", []).attrs for path in inputs.extracts]
        names = [str(g["plateifu"]) for g in galaxies]
        found = candidates(inputs.extracts, params, grid)
        cut = rest_frame.percentile_cuts(found.low, found.high, found.cut, params["cut_percentile"])
        for code, name in TRAINING_CUT.items():
            logger.info("%d baxels: %s", np.sum(cut == code), name)
        kept = np.flatnonzero(cut == rest_frame.KEPT)
        keys = [hash_fraction(f"{names[found.galaxy[i]]}:{found.baxel[i]}") for i in kept]
        row = np.full(cut.size, -1)
        row[kept[np.argsort(keys)]] = np.arange(kept.size)
        dims = {
            "n_wave": grid.size,
            "n_baxel": kept.size,
            "n_galaxy": len(names),
            "n_candidate": cut.size,
        }
        prov = artefacts.provenance(outputs.training_spectra, dict(params.items()), list(inputs.extracts))
        attrs = {"status": "ok" if kept.size else "empty", "reason": "" if kept.size else "no baxel passes the cuts"}
        with artefacts.writer(outputs.training_spectra, "training_spectra", dims, prov, attrs) as out:
            out["wave"][...] = grid
            out["plateifu"][...], out["mangaid"][...] = names, [str(g["mangaid"]) for g in galaxies]
            if cut.size:
                out["candidate_galaxy"][...], out["candidate_baxel"][...] = found.galaxy, found.baxel
                out["candidate_cut"][...] = cut
            fill(out, inputs.extracts, params, grid, found.galaxy, row)


def candidates(paths, params, grid) -> Candidates:
    """Cuts and extremes of the baxels of all galaxies."""
    parts = []
    for g, path in enumerate(paths):
        spectra, _ = load(path, params)
        low, high = rest_frame.extremes(grid, spectra)
        n = low.size
        parts.append(Candidates(np.full(n, g), np.arange(n), spectra.cut, low, high))
    return Candidates(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def fill(out, paths, params, grid, galaxy, row) -> None:
    """Write the kept spectra, a galaxy at a time, each to its row."""
    for g, path in enumerate(paths):
        rows = row[galaxy == g]
        kept = rows >= 0
        if not kept.any():
            continue
        spectra, extract = load(path, params)
        mangaid, fractions = extract.attrs["mangaid"], (params["validation_fraction"], params["test_fraction"])
        split = split_of(mangaid, params["seed"], *fractions)
        for baxel in np.flatnonzero(kept):
            i = rows[baxel]
            out["flux"][i], out["mask"][i] = spectra.flux[baxel], spectra.mask[baxel]
            out["norm"][i], out["snr"][i] = spectra.norm[baxel], extract["snr"][baxel]
            out["galaxy"][i], out["baxel"][i], out["split"][i] = g, baxel, split


def load(path, params) -> tuple[rest_frame.RestSpectra, artefacts.Artefact]:
    """Rest-frame spectra of a galaxy, and the artefact that they come from."""
    extract = artefacts.read(path, "extract", ["wave", "flux", "mask", "snr"])
    ebv = extract.attrs["ebv_galactic"] * params["ebv_scale"] if params["galactic_extinction"] else 0.0
    flux = extract["flux"] / galactic_transmission(extract["wave"], ebv)
    z = extract.attrs["z"]
    return rest_frame.rest_spectra(extract["wave"], flux, extract["mask"], extract["snr"], z, params), extract


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
