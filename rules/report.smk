# Figures and tables of the report (snakemake --report).


rule galaxy_figures:
    input:
        extract=EXTRACT,
        fit=FIT,
    output:
        summary=figure(
            f"{REPORT}/galaxies/{{plateifu}}-galaxy.png",
            "summary",
            "Survey",
            "Single galaxies",
            "all on one page",
            galaxy="{plateifu}",
        ),
        maps=figure(
            f"{REPORT}/galaxies/{{plateifu}}-maps.png",
            "maps",
            "Survey",
            "Single galaxies",
            "maps and kinematics",
            galaxy="{plateifu}",
        ),
        lines=figure(
            f"{REPORT}/galaxies/{{plateifu}}-lines.png",
            "lines",
            "Survey",
            "Single galaxies",
            "emission lines",
            galaxy="{plateifu}",
        ),
        spectra=figure(
            f"{REPORT}/galaxies/{{plateifu}}-spectra.png",
            "spectra",
            "Spectra",
            "Single galaxies",
            "spectra and their fits",
            galaxy="{plateifu}",
        ),
        labels=figure(
            f"{REPORT}/galaxies/{{plateifu}}-labels.png",
            "label_maps",
            "Survey",
            "Single galaxies",
            "labels of the fits",
            galaxy="{plateifu}",
        ),
        profiles=figure(
            f"{REPORT}/galaxies/{{plateifu}}-profiles.png",
            "label_profiles",
            "Survey",
            "Single galaxies",
            "radial profiles of the labels",
            galaxy="{plateifu}",
        ),
    log:
        f"{LOGS}/galaxy_figures/{{plateifu}}.log",
    benchmark:
        f"{BENCHMARKS}/galaxy_figures/{{plateifu}}.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        code=code("galaxy_figures"),
    message:
        "figures of {wildcards.plateifu}"
    script:
        "../workflow/scripts/galaxy_figures.py"


rule survey_figures:
    input:
        # No list of all galaxies: Snakemake hashes every input once per output.
        labels=rules.labels.output.labels,
        training_spectra=rules.training_spectra.output.training_spectra,
        line_cube_set=LINE_CUBE_SET,
    output:
        status=figure(
            f"{REPORT}/status.csv",
            "status",
            "Survey",
            "All galaxies",
            "what became of every galaxy, spaxel, baxel, line",
        ),
        label_flags=figure(
            f"{REPORT}/label-flags.csv",
            "flags",
            "Spectra",
            "Fits",
            "flags of the labels",
        ),
        flags=figure(
            f"{REPORT}/flags.png", "flags", "Spectra", "Fits", "failures and flags"
        ),
        planes=figure(
            f"{REPORT}/planes.png",
            "planes",
            "Survey",
            "All galaxies",
            "age, metallicity, mass-to-light ratio",
        ),
        bpt=figure(f"{REPORT}/bpt.png", "bpt", "Survey", "All galaxies", "BPT diagram"),
        quality=figure(
            f"{REPORT}/quality.png",
            "quality",
            "Spectra",
            "Fits",
            "quality of the fits",
        ),
        training=figure(
            f"{REPORT}/training.png",
            "training",
            "Spectra",
            "Training spectra",
            "training spectra",
        ),
    log:
        f"{LOGS}/survey_figures.log",
    benchmark:
        f"{BENCHMARKS}/survey_figures.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=4000,
    params:
        target_snr=CONFIG.extract.target_snr,
        n_line_cube=len(every_galaxy("", "convlstm")),
        code=code("survey_figures"),
    message:
        "figures of the survey"
    script:
        "../workflow/scripts/survey_figures.py"


rule recovery:
    input:
        extracts=every_galaxy(EXTRACT),
        fits=every_galaxy(FIT),
        truths=TRUTHS,
    output:
        table=figure(
            f"{REPORT}/recovery.csv",
            "recovery",
            "Spectra",
            "Truth",
            "kinematics and lines against the truth",
        ),
        figure=figure(
            f"{REPORT}/recovery.png",
            "recovery",
            "Spectra",
            "Truth",
            "kinematics and lines against the truth",
        ),
    log:
        f"{LOGS}/recovery.log",
    benchmark:
        f"{BENCHMARKS}/recovery.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        code=code("recovery"),
    message:
        "compare the fits with the truth of the simulated survey"
    script:
        "../workflow/scripts/recovery.py"


rule label_recovery:
    input:
        extracts=every_galaxy(EXTRACT),
        truths=TRUTHS,
        labels=str(rules.labels.output.labels),
    output:
        table=figure(
            f"{REPORT}/label-recovery.csv",
            "label_recovery",
            "Spectra",
            "Truth",
            "labels against the truth",
        ),
        figure=figure(
            f"{REPORT}/label-recovery.png",
            "label_recovery",
            "Spectra",
            "Truth",
            "labels against the truth",
        ),
    log:
        f"{LOGS}/label_recovery.log",
    benchmark:
        f"{BENCHMARKS}/label_recovery.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        code=code("label_recovery"),
    message:
        "compare the labels with the truth of the simulated survey"
    script:
        "../workflow/scripts/label_recovery.py"


rule known_populations:
    output:
        table=figure(
            f"{REPORT}/known-populations.csv",
            "known_populations",
            "Spectra",
            "Truth",
            "labels of spectra of known populations",
        ),
    log:
        f"{LOGS}/known_populations.log",
    benchmark:
        f"{BENCHMARKS}/known_populations.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        gpu=FIT_GPU,
    params:
        **FIT_SETTINGS,
        n_spectrum=CONFIG.report.truth_spectra,
        other_library=CONFIG.report.truth_library,
        seed=CONFIG.seed,
        code=code("known_populations"),
    message:
        "fit spectra of known populations"
    script:
        "../workflow/scripts/known_populations.py"


# What a run is for; the digest waits for it.
FINAL = []
if GALAXIES:
    FINAL += [LINE_CUBE_SET]
if WITH_BAXELS:
    FINAL += [
        rules.training_spectra.output.training_spectra,
        rules.survey_figures.output.status,
        *expand(rules.galaxy_figures.output.maps, plateifu=EXAMPLES),
    ]
if SIMULATED and WITH_BAXELS:
    FINAL += [
        rules.recovery.output.table,
        rules.label_recovery.output.table,
        rules.known_populations.output.table,
    ]
MAPS = WITH_BAXELS and CONFIG.desom.enabled
if MAPS:
    FINAL += [
        rules.desom_figures.output.labels,
        rules.desom_quality.output.table,
        rules.galaxy_map_figures.output.images,
    ]
if MAPS and SIMULATED:
    FINAL += [rules.desom_truth.output.table]
# Networks of line cubes, where any galaxy is of their sample.
NETWORKS = (
    CONFIG.autoencoder.networks
    if CONFIG.autoencoder.enabled and any(row.convlstm for row in GALAXIES.values())
    else []
)
FINAL += expand(rules.autoencoder_figures.output.scores, network=NETWORKS)
if LINE_CUBES_ONLY:
    FINAL += expand(rules.autoencoder_truth_figures.output.strength, network=NETWORKS)
if CONFIG.survey.source == "simulated":
    FINAL += expand(rules.planted_anomalies.output.table, network=NETWORKS)
if CONFIG.emulator.enabled:
    FINAL += [
        rules.emulator_figures.output.umap,
        rules.emulator_quality.output.table,
    ]
if CONFIG.emulator.enabled and SIMULATED and not DESI:
    FINAL += [rules.emulator_truth.output.table]

# Artefacts and models that nothing else asks for once all that was made of them is there: what is missing is made again.
KEPT = []
if WITH_BAXELS:
    KEPT += [
        *every_galaxy(EXTRACT),
        *every_galaxy(FIT),
        *every_galaxy(rules.line_cube.output.line_cube, "convlstm"),
        *rules.labels.output,
    ]
if MAPS:
    KEPT += [
        *rules.desom_train.output,
        *rules.desom_assign.output,
        *rules.desom_maps.output,
        *rules.desom_quality.output,
        *rules.template_labels.output,
        *rules.fingerprints.output,
        *rules.galaxy_map_train.output,
        *rules.galaxy_map_assign.output,
    ]
if NETWORKS:
    KEPT += rules.augmentation.output
for one in (
    rules.autoencoder_train,
    rules.latents,
    rules.anomalies,
    rules.embedding,
    rules.neighbours,
    rules.agn,
):
    KEPT += expand(one.output, network=NETWORKS)
if CONFIG.emulator.enabled:
    KEPT += [
        *rules.emulator_table.output,
        *rules.emulator_train.output,
        *rules.emulator_learning_curve.output,
        *rules.emulator_quality.output,
        *rules.emulator_embedding.output,
    ]


rule digest:
    input:
        FINAL,
    output:
        timings=figure(
            f"{REPORT}/timings.csv",
            "timings",
            "Run health",
            "Cost and failures",
            "time and memory per rule",
        ),
        failures=figure(
            f"{REPORT}/failures.csv",
            "failures",
            "Run health",
            "Cost and failures",
            "failures in the logs",
        ),
    log:
        f"{LOGS}/digest.log",
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        logs=LOGS,
        benchmarks=BENCHMARKS,
        code=code("digest"),
    message:
        "timings and failures of the run"
    script:
        "../workflow/scripts/digest.py"


rule overview:
    input:
        extracts=expand(EXTRACT, plateifu=EXAMPLES),
        fits=expand(FIT, plateifu=EXAMPLES),
        status=rules.survey_figures.output.status if WITH_BAXELS else [],
        labels=rules.labels.output.labels if WITH_BAXELS else [],
        quality=rules.emulator_quality.output.table if CONFIG.emulator.enabled else [],
        map_quality=rules.desom_quality.output.quality if MAPS else [],
        galaxy_map=rules.galaxy_map_assign.output.map if MAPS else [],
        anomalies=expand(rules.anomalies.output.anomalies, network=NETWORKS),
        neighbours=expand(rules.neighbours.output.neighbours, network=NETWORKS),
        agn=expand(rules.agn.output.agn, network=NETWORKS),
        timings=rules.digest.output.timings,
        failures=rules.digest.output.failures,
    output:
        # The report opens on it: workflow/report/workflow.rst.
        page=f"{REPORT}/overview.html",
        picture=figure(
            f"{REPORT}/overview.png",
            "overview",
            "Run health",
            "First page",
            "some of the galaxies",
        ),
        numbers=figure(
            f"{REPORT}/overview.csv",
            "overview",
            "Run health",
            "First page",
            "the run in numbers",
        ),
    log:
        f"{LOGS}/overview.log",
    benchmark:
        f"{BENCHMARKS}/overview.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        code=code("overview"),
    message:
        "first page of the report"
    script:
        "../workflow/scripts/overview.py"


rule provenance:
    input:
        FINAL,
    output:
        provenance=f"{RESULTS}/provenance.json",
    log:
        f"{LOGS}/provenance.log",
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        # The whole of it, as this rule is what records it.
        config=CONFIG.model_dump(),
        code=code("provenance"),
    message:
        "record versions, machine and configuration"
    script:
        "../workflow/scripts/provenance.py"
