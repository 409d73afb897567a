"""Merge the emission-line cubes of all galaxies that have one."""

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.physics.lines import window_lines
from mangrove.survey.split import split_of


def main(inputs, outputs, params, log=None, threads=1):
    """Merge ``inputs.line_cubes`` into ``outputs.line_cube_set``."""
    with rule_log(log):
        usable = [path for path in inputs.line_cubes if artefacts.read(path, "line_cube", []).ok]
        fractions = params["validation_fraction"], params["test_fraction"]
        lines = window_lines().name
        dims = {"plateifu": len(usable), "line": len(lines), "window_pixel": params["window_pixels"]}
        dims |= dict.fromkeys(("spaxel_y", "spaxel_x"), params["size"])
        attrs = {"status": "ok" if usable else "empty", "reason": "" if usable else "no galaxy has a line cube"}
        prov = artefacts.provenance(outputs.line_cube_set, dict(params.items()), list(inputs.line_cubes))
        with artefacts.writer(outputs.line_cube_set, "line_cube_set", dims, prov, attrs) as out:
            out["line"][...] = lines
            for i, path in enumerate(usable):
                cube = artefacts.read(path, "line_cube", ["flux", "ivar", "valid"])
                for name in ("flux", "ivar", "valid"):
                    out[name][i] = cube[name]
                out["plateifu"][i], out["mangaid"][i] = cube.attrs["plateifu"], cube.attrs["mangaid"]
                out["z"][i] = cube.attrs["z"]
                out["split"][i] = split_of(cube.attrs["mangaid"], params["seed"], *fractions)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
