"""Judge an autoencoder by anomalies planted in galaxies that it has not seen."""

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.validation.line_cube_judgement import judge_network
from mangrove.validation.line_cube_limits import ScoreRow, TruthRow, measure_rows, score_rows
from mangrove.validation.tables import log_beyond_limits, write_rows


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.truth`` and, as tables, ``outputs.scores`` and ``outputs.measures``, from ``inputs.line_cube_set``,
    the model, ``inputs.components``, ``inputs.held_out`` and its truth."""
    with rule_log(log):
        data, attrs = judge_network(inputs, params)
        files = [inputs.line_cube_set, inputs.description, inputs.arrays, inputs.components]
        files += [inputs.held_out, inputs.held_out_truth]
        prov = artefacts.provenance(outputs.truth, dict(params.items()), files)
        artefacts.write(outputs.truth, "autoencoder_truth", data, prov, attrs)
        scores, measures = score_rows(data), measure_rows(data, attrs)
        log_beyond_limits(scores, lambda row: f"{row.score} of {row.model}: {row.anomaly}")
        log_beyond_limits(measures, lambda row: f"{row.measure} ({row.of})")
        write_rows(outputs.scores, scores, ScoreRow._fields)
        write_rows(outputs.measures, measures, TruthRow._fields)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
