"""The first page of the report: a picture and the run's numbers."""

from pathlib import Path

import pandas as pd

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.report import overview
from mangrove.report.drawing import save_png
from mangrove.validation.tables import write_rows


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.picture`` from some of ``inputs.extracts`` and ``inputs.fits``, ``outputs.numbers`` (CSV), ``outputs.page``.

    The numbers are of ``inputs.timings``, and of ``inputs.status``, ``inputs.quality`` (of the emulator),
    ``inputs.map_quality``, ``inputs.galaxy_map``, and of the autoencoders (lists, one for each) ``inputs.anomalies``,
    ``inputs.neighbours`` and ``inputs.agn``, where the run has them.
    """
    with rule_log(log):
        sizes = [artefacts.read(path, "extract", ["bin_id", "snr"]).data for path in inputs.extracts]
        shown = overview.chosen([one["bin_id"].size for one in sizes], [len(one["snr"]) for one in sizes])
        galaxies = [overview.view_of(inputs.extracts[i], inputs.fits[i]) for i in shown]
        save_png(overview.overview_figure(galaxies), outputs.picture)
        status, quality = (pd.read_csv(table) if table else None for table in (inputs.status, inputs.quality))
        maps = overview.map_numbers(inputs.map_quality, inputs.galaxy_map) if inputs.map_quality else []
        maps += overview.autoencoder_numbers(inputs.anomalies, inputs.neighbours, inputs.agn)
        rows = overview.run_numbers(pd.read_csv(inputs.timings), status, quality, maps)
        write_rows(outputs.numbers, rows, overview.NumberRow._fields)
        Path(outputs.page).write_text(overview.page(Path(outputs.picture), rows), encoding="utf-8")


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
