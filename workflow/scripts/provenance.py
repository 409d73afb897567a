"""Versions, machine, date and configuration of the run."""

import json

from mangrove.logs import rule_log
from mangrove.report.run import provenance_record
from mangrove.whole_files import write_whole_text


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.provenance`` (JSON)."""
    with rule_log(log):
        record = provenance_record(params["config"])
        write_whole_text(outputs.provenance, json.dumps(record, indent=2) + "\n")


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
