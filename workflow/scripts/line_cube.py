"""The emission-line cube of one galaxy, cropped around its centre."""

import numpy as np

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.spectra.linecubes.crop import crop


def main(inputs, outputs, params, log=None, threads=1):
    """Crop the line windows of ``inputs.extract``; write the artefact 'line_cube' to ``outputs.line_cube``."""
    with rule_log(log):
        extract = artefacts.read(inputs.extract, "extract", ["line", "window_wave", "window_flux", "window_ivar"])
        x, y = extract.attrs["x_centre"], extract.attrs["y_centre"]
        flux, ivar = (crop(extract[f"window_{name}"], x, y, params["size"]) for name in ("flux", "ivar"))
        data = {
            "flux": flux,
            "ivar": ivar,
            "valid": (ivar > 0).astype(np.int8),
            "window_wave": extract["window_wave"],
            "line": extract["line"],
        }
        attrs = {key: extract.attrs[key] for key in ("plateifu", "mangaid", "z")}
        attrs["status"], attrs["reason"] = outcome(data["valid"])
        prov = artefacts.provenance(outputs.line_cube, dict(params.items()), [inputs.extract])
        artefacts.write(outputs.line_cube, "line_cube", data, prov, attrs)


def outcome(valid) -> tuple[str, str]:
    """Status and reason of a line cube."""
    return ("ok", "") if valid.any() else ("all_masked", "no spaxel near the centre has data at any of the lines")


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
