"""Anomaly scores of the galaxies that the simulated survey made unusual."""

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.validation.planted_galaxies import PlantedRow, planted_rows
from mangrove.validation.tables import write_rows


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.table`` (CSV) from ``inputs.anomalies``."""
    with rule_log(log):
        found = artefacts.read(inputs.anomalies, "anomalies", ["plateifu", "score", "value", "percentile"])
        write_rows(outputs.table, planted_rows(found, params["seed"]), PlantedRow._fields)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
