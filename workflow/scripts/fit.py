"""Stars and gas of every baxel of one galaxy by pPXF."""

import logging

import numpy as np

from mangrove import artefacts
from mangrove.codes import FitStatus, SpaxelStatus
from mangrove.data_model import PLACE
from mangrove.logs import rule_log
from mangrove.spectra.fit.galaxy import as_columns, prepare_galaxy
from mangrove.spectra.fit.ppxf.pool import fit_galaxy
from mangrove.spectra.fit.settings import FitSettings

SPECTRA = ("wave", "flux", "ivar", "mask", "lsf", "snr")
ABOUT = ("status", "reason", "plateifu", "mangaid", "instrument", "pixel_scale")

logger = logging.getLogger("mangrove.fit")


def main(inputs, outputs, params, log=None, threads=1):
    """Fit the baxels of ``inputs.extract`` and write the artefact 'fit' to ``outputs.fit``."""
    with rule_log(log):
        extract = artefacts.read(inputs.extract, "extract", [*SPECTRA, *PLACE, "spaxel_status"])
        settings = FitSettings.from_params(params)
        galaxy, spectra = prepare_galaxy(
            extract, params["z"], params["ebv"] * params["ebv_scale"], params["templates"], settings, params["seed"]
        )
        fits = fit_galaxy(galaxy, spectra, *(extract[name] for name in ("snr", "x", "y")), threads)
        data = as_columns(fits.results, galaxy, extract["snr"]) | {name: extract[name] for name in PLACE}
        data["guided_by"] = fits.guided_by
        data["spaxel_count"] = np.bincount(extract["spaxel_status"].ravel(), minlength=len(SpaxelStatus))
        counts = np.bincount(data["status"].astype(int), minlength=len(FitStatus))
        logger.info("%s: %s", extract.attrs["plateifu"], {FitStatus(i).word: int(n) for i, n in enumerate(counts) if n})
        attrs = {key: extract.attrs[key] for key in ABOUT} | settings._asdict()
        attrs |= {key: params[key] for key in ("z", "ebv_scale", "templates", "seed")} | {"ebv_galactic": params["ebv"]}
        prov = artefacts.provenance(outputs.fit, dict(params.items()), [inputs.extract])
        artefacts.write(outputs.fit, "fit", data, prov, attrs)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
