"""Stars and gas of every baxel of a chunk of galaxies, many spectra at once."""

from mangrove.gpu import has_gpu
from mangrove.logs import rule_log
from mangrove.spectra.fit.batched.chunk import fit_chunk
from mangrove.spectra.fit.batched.kept import tasks_of


def main(inputs, outputs, params, log=None, threads=1):
    """Fit the baxels of ``inputs.extracts`` and write the artefacts 'fit' to ``outputs.fits``, in one order.

    ``params.z`` and ``params.ebv`` hold the values of each galaxy by its name. Galaxies whose artefact is current keep it.
    """
    with rule_log(log):
        fit_chunk(tasks_of(inputs.extracts, outputs.fits, params), n_process=1 if has_gpu() else threads)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
