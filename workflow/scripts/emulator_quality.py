"""How good the emulator is on the test rows, beside the baselines."""

from pathlib import Path

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.validation.emulator_judgement import judge_run
from mangrove.validation.tables import write_rows


def main(inputs, outputs, params, log=None, threads=1):
    """Judge the model (folder of ``inputs.description``) by ``inputs.table``.

    Writes the artefact ``outputs.quality`` and the tables (CSV) ``outputs.table`` and ``outputs.baselines``.
    """
    with rule_log(log):
        found = judge_run(Path(inputs.description).parent, inputs.table, params["seed"])
        files = [inputs.table, inputs.description, inputs.arrays]
        prov = artefacts.provenance(outputs.quality, dict(params.items()), files)
        status = {"status": "empty" if found.reason else "ok", "reason": found.reason}
        artefacts.write(outputs.quality, "emulator_quality", found.data, prov, status)
        write_rows(outputs.table, found.lines, ["nothing trained"])
        write_rows(outputs.baselines, found.baselines, ["nothing trained"])


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
