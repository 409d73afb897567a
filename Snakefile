# mangrove: MaNGA galaxies, from data cubes to maps of their diversity.
#
#   snakemake --cores 8 --configfile configs/NAME.yaml
#
# config.yaml holds the defaults; a file of configs/ holds what differs.
from snakemake.utils import min_version

min_version("9.27")


configfile: "config.yaml"


include: "rules/common.smk"


for part in PARTS:

    include: f"rules/{part}.smk"


report: "workflow/report/workflow.rst"


wildcard_constraints:
    plateifu=GALAXY_NAME,
    network="ae|vae",


localrules:
    all,


rule all:
    default_target: True
    input:
        FINAL,
        KEPT,
        rules.overview.output.page,
        rules.provenance.output.provenance,


onstart:
    # Here, and not while planning, the folder is locked: no other run writes into it.
    artefacts.sweep(RESULTS)
    choose_jobs_when_one_ends()
    bring_back_from_the_future()
    forget_other_chunks()
    forget_finished_fits()
    if len(GALAXIES) >= planning.LARGE:
        print(planned_cost())


onsuccess:
    forget_finished_fits()


onerror:
    forget_finished_fits()
    print(failure_digest())


look_for_stale_results()
bind_values_to_keys()
hash_files_once()
mend_slurm_arrays()
