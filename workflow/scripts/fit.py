"""Stars and gas of every baxel of one galaxy by pPXF."""

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.spectra.fit.artefact import read_ready, write_fits
from mangrove.spectra.fit.ppxf.pool import fit_galaxy


def main(inputs, outputs, params, log=None, threads=1):
    """Fit the baxels of ``inputs.extract`` and write the artefact 'fit' to ``outputs.fit``."""
    with rule_log(log):
        ready = read_ready(inputs.extract, params)
        place = (ready.extract[name] for name in ("snr", "x", "y"))
        fits = fit_galaxy(ready.galaxy, ready.spectra, *place, threads)
        prov = artefacts.provenance(outputs.fit, dict(params.items()), [inputs.extract])
        write_fits(outputs.fit, ready, fits, prov)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
