"""The copies of each line cube that the autoencoders are trained on."""

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.models.convlstm.copies import draw_copies


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.augmentation`` for the galaxies of ``inputs.line_cube_set``."""
    with rule_log(log):
        cubes = artefacts.read(inputs.line_cube_set, "line_cube_set", ["plateifu", "mangaid", "split"])
        drawn = [params[name] for name in ("copies", "max_shift", "noise_scale", "seed")]
        table = {**cubes.data, **draw_copies(cubes["plateifu"], *drawn)._asdict()}
        attrs = {name: cubes.attrs[name] for name in ("status", "reason")}
        attrs |= {"seed": params["seed"], "noise_scale": params["noise_scale"]}
        prov = artefacts.provenance(outputs.augmentation, dict(params.items()), [inputs.line_cube_set])
        artefacts.write(outputs.augmentation, "augmentation", table, prov, attrs)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
