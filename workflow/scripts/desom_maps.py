"""Distributions of the labels on each node of the map of spectra."""

from mangrove import artefacts
from mangrove.analysis.node_labels import map_labels
from mangrove.logs import rule_log


def main(inputs, outputs, params, log=None, threads=1):
    """Write the artefact 'node_labels' from ``inputs.assignments`` and ``inputs.labels``."""
    with rule_log(log):
        data, attrs = map_labels(inputs.assignments, inputs.labels, params)
        prov = artefacts.provenance(outputs.node_labels, dict(params.items()), [inputs.assignments, inputs.labels])
        artefacts.write(outputs.node_labels, "node_labels", data, prov, attrs)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
