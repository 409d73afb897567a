"""Fingerprints of the galaxies: their baxels on the nodes of the map of spectra."""

from mangrove import artefacts
from mangrove.analysis.fingerprints import galaxy_fingerprints, why_empty
from mangrove.logs import rule_log

_DATASETS = ["plateifu", "mangaid", "galaxy", "node", "radius_re"]


def main(inputs, outputs, params, log=None, threads=1):
    """Write the artefact ``outputs.fingerprints`` from ``inputs.assignments``."""
    with rule_log(log):
        found, params = artefacts.read(inputs.assignments, "desom_assignments", _DATASETS), dict(params.items())
        data = galaxy_fingerprints(found, params)
        reason = why_empty(found, data)
        attrs = {name: found.attrs[name] for name in ("rows", "columns")}
        attrs |= {name: params[name] for name in ("weighting", "clip_percentile")}
        attrs |= {"status": "empty" if reason else "ok", "reason": reason}
        prov = artefacts.provenance(outputs.fingerprints, params, [inputs.assignments])
        artefacts.write(outputs.fingerprints, "fingerprints", data, prov, attrs)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
