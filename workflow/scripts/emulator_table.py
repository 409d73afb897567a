"""The table that the emulator learns from: a prepared table of DESI galaxies, or the run's own baxels."""

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.models.emulator.baxel_table import ContinuumBinning, baxel_table
from mangrove.models.emulator.continuum_features import Bins
from mangrove.models.emulator.line_table import outcome, stored
from mangrove.models.emulator.prepared_table import read_prepared


def main(inputs, outputs, params, log=None, threads=1):
    """Write the artefact ``outputs.table`` from ``inputs.desi``, or from ``inputs.extracts`` and ``inputs.labels``."""
    with rule_log(log):
        if params["source"] == "desi":
            files = [inputs.desi]
            table, split, published = read_prepared(inputs.desi)
            data = stored(table, split.of_rows(len(table.identifier)), published)
        else:
            files = [*inputs.extracts, inputs.labels]
            bins = Bins.equal(*params["bin_range"], params["n_bin"])
            how = ContinuumBinning(bins, params["ebv_scale"], params["sky_half_width"])
            split_by = params["seed"], params["validation_fraction"], params["test_fraction"]
            found = baxel_table(list(inputs.extracts), inputs.labels, how, *split_by)
            table = found.table
            data = stored(table, found.split) | {"plateifu": found.plateifu, "baxel": found.baxel}
        prov = artefacts.provenance(outputs.table, dict(params.items()), files)
        artefacts.write(outputs.table, "emulator_table", data, prov, outcome(table))


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
