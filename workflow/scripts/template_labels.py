"""Labels from fits of the co-added template of each node of the map of spectra."""

from mangrove import artefacts
from mangrove.analysis.template_fits import fit_templates
from mangrove.logs import rule_log


def main(inputs, outputs, params, log=None, threads=1):
    """Fit the templates of ``inputs.map`` and write the artefact 'template_labels'."""
    with rule_log(log):
        data, attrs = fit_templates(inputs.map, params, threads)
        prov = artefacts.provenance(outputs.template_labels, dict(params.items()), [inputs.map])
        artefacts.write(outputs.template_labels, "template_labels", data, prov, attrs)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
