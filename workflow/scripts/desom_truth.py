"""Compare the map of spectra with the truth of the simulated survey."""

from mangrove.logs import rule_log
from mangrove.validation.map_limits import MeasureRow
from mangrove.validation.map_truth import compare_map
from mangrove.validation.tables import log_beyond_limits, write_rows


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.table`` (CSV) from the model, ``inputs.training_spectra``, ``assignments``, ``labels``,
    ``node_labels``, ``extracts`` and ``truths``."""
    with rule_log(log):
        rows = compare_map(inputs, params)
        log_beyond_limits(rows, lambda row: f"{row.measure} ({row.of})")
        write_rows(outputs.table, rows, MeasureRow._fields)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
