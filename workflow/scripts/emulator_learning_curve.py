"""How good single networks of the emulator become with growing parts of the training rows."""

from pathlib import Path

from mangrove.logs import rule_log
from mangrove.models.training.resumable import remove
from mangrove.validation.emulator_curve import write_curve
from mangrove.validation.emulator_learning import run_learning_curve
from mangrove.validation.tables import write_rows


def main(inputs, outputs, params, log=None, threads=1):
    """Train on parts of ``inputs.table``; write the artefact ``outputs.curve`` and the table (CSV) ``outputs.table``."""
    with rule_log(log):
        place, params = Path(outputs.curve).parent / "learning_checkpoints", dict(params.items())
        curve = run_learning_curve(inputs.table, params, place)
        write_rows(outputs.table, curve.points, [curve.reason])
        write_curve(outputs.curve, curve, params, [inputs.table])
        remove(place)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
