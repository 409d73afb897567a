"""Versions, machine, date and configuration of the run."""

import json
from pathlib import Path

from mangrove.logs import rule_log
from mangrove.report.run import provenance_record


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.provenance`` (JSON)."""
    with rule_log(log):
        record = provenance_record(params["config"])
        Path(outputs.provenance).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
