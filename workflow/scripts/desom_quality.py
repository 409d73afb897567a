"""How good the map of spectra is, on test galaxies, beside the baselines."""

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.validation.map_judgement import judge_map
from mangrove.validation.tables import write_rows


def main(inputs, outputs, params, log=None, threads=1):
    """Judge the model (folder of ``inputs.description``) by ``inputs.training_spectra``, ``assignments``, ``labels``
    and ``node_labels``.

    Writes the artefact ``outputs.quality`` and the tables (CSV) ``outputs.table`` and ``outputs.map``.
    """
    with rule_log(log):
        found = judge_map(inputs, params["seed"])
        names = ("training_spectra", "description", "arrays", "assignments", "labels", "node_labels")
        files = [getattr(inputs, name) for name in names]
        prov = artefacts.provenance(outputs.quality, dict(params.items()), files)
        artefacts.write(outputs.quality, "desom_quality", found.data, prov, found.attrs)
        write_rows(outputs.table, found.labels, ["nothing trained"])
        write_rows(outputs.map, found.measures, ["nothing trained"])


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
