"""Merge the emission-line cubes of all galaxies that have one."""

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.physics.lines import window_lines
from mangrove.spectra.linecubes.merge import fill, usable


def main(inputs, outputs, params, log=None, threads=1):
    """Merge ``inputs.line_cubes`` into ``outputs.line_cube_set``."""
    with rule_log(log):
        cubes, lines = usable(inputs.line_cubes), window_lines().name
        dims = {"plateifu": len(cubes), "line": len(lines), "window_pixel": params["window_pixels"]}
        dims |= dict.fromkeys(("spaxel_y", "spaxel_x"), params["size"])
        attrs = {"status": "ok" if cubes else "empty", "reason": "" if cubes else "no galaxy has a line cube"}
        prov = artefacts.provenance(outputs.line_cube_set, dict(params.items()), list(inputs.line_cubes))
        with artefacts.writer(outputs.line_cube_set, "line_cube_set", dims, prov, attrs) as out:
            out["line"][...] = lines
            fill(out, cubes, params)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
