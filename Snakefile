# mangrove: MaNGA galaxies, from data cubes to maps of their diversity.
#
#   snakemake --cores 8 --configfile configs/NAME.yaml
#
# config.yaml holds the defaults; a file of configs/ holds what differs.
from snakemake.utils import min_version

min_version("9.27")


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/survey.smk"
include: "rules/spectra.smk"
include: "rules/emulator.smk"
include: "rules/report.smk"


report: "workflow/report/workflow.rst"


wildcard_constraints:
    plateifu=GALAXY_NAME,


localrules:
    all,


rule all:
    default_target: True
    input:
        FINAL,
        rules.digest.output.timings,
        rules.provenance.output.provenance,
        [
            rules.training_spectra.output.training_spectra,
            rules.line_cube_set.output.line_cube_set,
            rules.labels.output.labels,
        ]
        if GALAXIES
        else [],
        [
            rules.recovery.output.table,
            rules.label_recovery.output.table,
            rules.label_truth.output.table,
        ]
        if SIMULATED
        else [],
        expand(rules.galaxy_figures.output.maps, plateifu=EXAMPLES),


onstart:
    if len(GALAXIES) >= planning.LARGE:
        print(planned_cost())


onerror:
    print(failure_digest())


bind_values_to_keys()
