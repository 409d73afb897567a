"""The first page of the report: a picture and the run's numbers."""

from pathlib import Path

import pandas as pd

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.report import first_page, overview
from mangrove.report.drawing import save_png
from mangrove.validation.tables import write_rows
from mangrove.whole_files import write_whole_text


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.picture`` from some of ``inputs.extracts`` and ``inputs.fits``, ``outputs.numbers`` (CSV), ``outputs.page``.

    Besides, it tells of ``inputs.timings`` and ``inputs.failures``, and of ``inputs.labels``, ``inputs.status``,
    ``inputs.quality`` (of the emulator), ``inputs.map_quality``, ``inputs.galaxy_map``, and of the autoencoders (lists,
    one for each) ``inputs.anomalies``, ``inputs.neighbours`` and ``inputs.agn``, where the run has them.
    """
    with rule_log(log):
        sizes = [artefacts.read(path, "extract", ["bin_id", "snr"]).data for path in inputs.extracts]
        shown = overview.chosen([one["bin_id"].size for one in sizes], [len(one["snr"]) for one in sizes])
        galaxies = [overview.view_of(inputs.extracts[i], inputs.fits[i]) for i in shown]
        save_png(overview.overview_figure(galaxies), outputs.picture)
        status, quality = (pd.read_csv(table) if table else None for table in (inputs.status, inputs.quality))
        maps = overview.map_numbers(inputs.map_quality, inputs.galaxy_map) if inputs.map_quality else []
        maps += overview.autoencoder_numbers(inputs.anomalies, inputs.neighbours, inputs.agn)
        numbers = overview.run_numbers(status, quality, maps)
        times = overview.step_times(pd.read_csv(inputs.timings))
        write_rows(outputs.numbers, numbers + times, overview.NumberRow._fields)
        table = artefacts.read(inputs.labels, "labels", first_page.OUTCOME_DATASETS) if inputs.labels else None
        outcomes = None if table is None else first_page.outcome_rows(table)
        told = first_page.FirstPage(numbers, outcomes, pd.read_csv(inputs.failures), times)
        write_whole_text(outputs.page, first_page.page(Path(outputs.picture), told))


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
