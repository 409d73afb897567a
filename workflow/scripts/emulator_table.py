"""The table that the emulator learns from: a prepared table of DESI galaxies, or the run's own baxels."""

import logging

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.models.emulator.baxel_table import ContinuumBinning, baxel_table
from mangrove.models.emulator.continuum_features import Bins
from mangrove.models.emulator.line_table import LineTable, read_desi, split_table, stored

logger = logging.getLogger("mangrove.emulator_table")


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.table`` from ``inputs.desi``, or from ``inputs.extracts`` and ``inputs.labels``."""
    with rule_log(log):
        if params["source"] == "desi":
            files = [inputs.desi]
            table, published = read_desi(inputs.desi)
            data = stored(table, split_table(table).of_rows(len(table.identifier)), published)
        else:
            files = [*inputs.extracts, inputs.labels]
            table, data = from_baxels(inputs, params)
        prov = artefacts.provenance(outputs.table, dict(params.items()), files)
        artefacts.write(outputs.table, "emulator_table", data, prov, outcome(table))
        log_counts(table)


def from_baxels(inputs, params) -> tuple[LineTable, dict]:
    """The table of the run's baxels, and its datasets."""
    how = ContinuumBinning(
        Bins.equal(*params["bin_range"], params["n_bin"]), params["ebv_scale"], params["sky_half_width"]
    )
    fractions = params["validation_fraction"], params["test_fraction"]
    found = baxel_table(list(inputs.extracts), inputs.labels, how, params["seed"], *fractions)
    return found.table, stored(found.table, found.split) | {"plateifu": found.plateifu, "baxel": found.baxel}


def outcome(table: LineTable) -> dict[str, str]:
    """Status and reason of the table."""
    if table.usable.any():
        return {"status": "ok", "reason": ""}
    return {"status": "empty", "reason": "no row has a continuum in every bin"}


def log_counts(table: LineTable) -> None:
    """How much there is, in the log."""
    logger.info("%d rows, %d with a continuum in all %d bins", len(table.ew), table.usable.sum(), table.bins.n_bin)
    for line, n in zip(table.lines, table.measured.sum(axis=0), strict=True):
        logger.info("%s: %d rows", line, n)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
