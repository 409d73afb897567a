# DESOM: the map of spectra, what lies on it, and the map of galaxies by their fingerprints.

DESOM = f"{RESULTS}/desom"
GALAXY_MAP = f"{RESULTS}/galaxy_map"
# As for the emulator: the bits of a training depend on the number of cores that it may use.
DESOM_THREADS = 1 if SIMULATED else 2
# How prototypes move, of either map.
SOM = dict(
    som_update=CONFIG.som.update,
    **(dict(som_step=CONFIG.som.step) if CONFIG.som.update == "batch" else {}),
    som_distance=CONFIG.som.distance,
)

# Spectra without noise are known of the simulated survey without cubes; what made training spectra makes them.
NOISELESS = dict(
    noiseless=WITHOUT_CUBES,
    **(
        dict(
            rest_range=CONFIG.training_spectra.rest_range,
            n_wave=CONFIG.training_spectra.n_wave,
            norm_band=CONFIG.training_spectra.norm_band,
            min_good_fraction=CONFIG.training_spectra.min_good_fraction,
            min_snr=CONFIG.training_spectra.min_snr,
            galactic_extinction=CONFIG.training_spectra.galactic_extinction,
            ebv_scale=CONFIG.preprocessing.ebv_scale,
        )
        if WITHOUT_CUBES
        else {}
    ),
)
# What the map of galaxies takes from the sample sheet; its other columns make nothing old there.
CATALOGUE = digest_of(
    [
        (name, row.morphology, row.sersic_n, row.sersic_ba)
        for name, row in GALAXIES.items()
    ]
)


rule desom_train:
    input:
        training_spectra=rules.training_spectra.output.training_spectra,
    output:
        description=f"{DESOM}/model/model.json",
        arrays=f"{DESOM}/model/arrays.npz",
        metrics=f"{DESOM}/metrics.jsonl",
    log:
        f"{LOGS}/desom_train.log",
    benchmark:
        f"{BENCHMARKS}/desom_train.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: DESOM_THREADS
    resources:
        mem_mb=6000,
        gpu=1,
    params:
        **SOM,
        rows=CONFIG.desom.rows,
        columns=CONFIG.desom.columns,
        latent=CONFIG.desom.latent,
        filters=CONFIG.desom.filters,
        kernel=CONFIG.desom.kernel,
        batch_size=CONFIG.desom.batch_size,
        iterations=CONFIG.desom.iterations,
        cooling_iterations=CONFIG.desom.cooling_iterations,
        temperature_start=CONFIG.desom.temperature_start,
        temperature_end=CONFIG.desom.temperature_end,
        gamma=CONFIG.desom.gamma,
        learning_rate=CONFIG.desom.learning_rate,
        schedule=CONFIG.desom.schedule,
        pretraining=CONFIG.desom.pretraining,
        input_scale=CONFIG.desom.input_scale,
        linear=CONFIG.desom.linear,
        loss_weights=CONFIG.desom.loss_weights,
        input_noise=CONFIG.desom.input_noise,
        latent_scale=CONFIG.desom.latent_scale,
        precision=CONFIG.desom.precision,
        seed=CONFIG.seed,
        code=code("desom_train"),
    message:
        "train the map of spectra"
    script:
        "../workflow/scripts/desom_train.py"


rule desom_assign:
    input:
        training_spectra=rules.training_spectra.output.training_spectra,
        description=rules.desom_train.output.description,
        arrays=rules.desom_train.output.arrays,
    output:
        assignments=f"{DESOM}/assignments.h5",
        map=f"{DESOM}/map.h5",
    log:
        f"{LOGS}/desom_assign.log",
    benchmark:
        f"{BENCHMARKS}/desom_assign.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: DESOM_THREADS
    resources:
        mem_mb=4000,
        gpu=1,
    params:
        code=code("desom_assign"),
    message:
        "assign every baxel to a node"
    script:
        "../workflow/scripts/desom_assign.py"


rule desom_maps:
    input:
        assignments=rules.desom_assign.output.assignments,
        labels=rules.labels.output.labels,
    output:
        node_labels=f"{DESOM}/node_labels.h5",
    log:
        f"{LOGS}/desom_maps.log",
    benchmark:
        f"{BENCHMARKS}/desom_maps.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=4000,
    params:
        min_baxels=CONFIG.desom.min_baxels,
        n_bootstrap=CONFIG.desom.n_bootstrap,
        seed=CONFIG.seed,
        code=code("desom_maps"),
    message:
        "distributions of the labels on each node"
    script:
        "../workflow/scripts/desom_maps.py"


rule desom_quality:
    input:
        training_spectra=rules.training_spectra.output.training_spectra,
        description=rules.desom_train.output.description,
        arrays=rules.desom_train.output.arrays,
        assignments=rules.desom_assign.output.assignments,
        labels=rules.labels.output.labels,
        node_labels=rules.desom_maps.output.node_labels,
    output:
        quality=f"{DESOM}/quality.h5",
        table=figure(
            f"{REPORT}/desom/quality.csv",
            "desom_quality",
            "Spectral map",
            "Labels",
            "labels of test galaxies",
        ),
        map=figure(
            f"{REPORT}/desom/map.csv",
            "desom_map",
            "Spectral map",
            "Quality",
            "quality of the map",
        ),
    log:
        f"{LOGS}/desom_quality.log",
    benchmark:
        f"{BENCHMARKS}/desom_quality.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: DESOM_THREADS
    resources:
        mem_mb=6000,
        gpu=CARD,
    params:
        seed=CONFIG.seed,
        code=code("desom_quality"),
    message:
        "judge the map of spectra"
    script:
        "../workflow/scripts/desom_quality.py"


rule template_labels:
    input:
        map=rules.desom_assign.output.map,
    output:
        template_labels=f"{DESOM}/template_labels.h5",
    log:
        f"{LOGS}/template_labels.log",
    benchmark:
        f"{BENCHMARKS}/template_labels.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        gpu=FIT_GPU,
    params:
        **FIT_SETTINGS,
        templates=CONFIG.fit.templates,
        library=library_hash(CONFIG.fit.templates),
        seed=CONFIG.seed,
        code=code("template_labels"),
    message:
        "fit the template of each node"
    script:
        "../workflow/scripts/template_labels.py"


rule fingerprints:
    input:
        assignments=rules.desom_assign.output.assignments,
    output:
        fingerprints=f"{DESOM}/fingerprints.h5",
    log:
        f"{LOGS}/fingerprints.log",
    benchmark:
        f"{BENCHMARKS}/fingerprints.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        weighting=CONFIG.galaxy_map.weighting,
        clip_percentile=CONFIG.galaxy_map.clip_percentile,
        validation_fraction=CONFIG.split.validation_fraction,
        test_fraction=CONFIG.split.test_fraction,
        seed=CONFIG.split_seed,
        code=code("fingerprints"),
    message:
        "fingerprints of the galaxies"
    script:
        "../workflow/scripts/fingerprints.py"


rule galaxy_map_train:
    input:
        fingerprints=rules.fingerprints.output.fingerprints,
    output:
        description=f"{GALAXY_MAP}/model/model.json",
        arrays=f"{GALAXY_MAP}/model/arrays.npz",
        metrics=f"{GALAXY_MAP}/metrics.jsonl",
    log:
        f"{LOGS}/galaxy_map_train.log",
    benchmark:
        f"{BENCHMARKS}/galaxy_map_train.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: DESOM_THREADS
    resources:
        mem_mb=4000,
        gpu=1,
    params:
        **SOM,
        rows=CONFIG.galaxy_map.rows,
        columns=CONFIG.galaxy_map.columns,
        latent=CONFIG.galaxy_map.latent,
        filters=CONFIG.galaxy_map.filters,
        kernel=CONFIG.galaxy_map.kernel,
        batch_size=CONFIG.galaxy_map.batch_size,
        iterations=CONFIG.galaxy_map.iterations,
        cooling_iterations=CONFIG.galaxy_map.cooling_iterations,
        temperature_start=CONFIG.galaxy_map.temperature_start,
        temperature_end=CONFIG.galaxy_map.temperature_end,
        gamma=CONFIG.galaxy_map.gamma,
        learning_rate=CONFIG.galaxy_map.learning_rate,
        seed=CONFIG.seed,
        code=code("galaxy_map_train"),
    message:
        "train the map of galaxies"
    script:
        "../workflow/scripts/galaxy_map_train.py"


rule galaxy_map_assign:
    input:
        fingerprints=rules.fingerprints.output.fingerprints,
        description=rules.galaxy_map_train.output.description,
        arrays=rules.galaxy_map_train.output.arrays,
        # Hubble types and Sersic fits: params.catalogue says when they are others.
        sheet=ancient(str(CONFIG.sheet)),
    output:
        assignments=f"{GALAXY_MAP}/assignments.h5",
        map=f"{GALAXY_MAP}/map.h5",
    log:
        f"{LOGS}/galaxy_map_assign.log",
    benchmark:
        f"{BENCHMARKS}/galaxy_map_assign.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        gpu=CARD,
    params:
        own_files=CONFIG.survey.source == "files",
        catalogue=CATALOGUE,
        code=code("galaxy_map_assign"),
    message:
        "assign every galaxy to a node"
    script:
        "../workflow/scripts/galaxy_map_assign.py"


rule desom_figures:
    input:
        training_spectra=rules.training_spectra.output.training_spectra,
        labels=rules.labels.output.labels,
        metrics=rules.desom_train.output.metrics,
        assignments=rules.desom_assign.output.assignments,
        map=rules.desom_assign.output.map,
        node_labels=rules.desom_maps.output.node_labels,
        quality=rules.desom_quality.output.quality,
        template_labels=rules.template_labels.output.template_labels,
        fingerprints=rules.fingerprints.output.fingerprints,
    output:
        **{
            name: figure(
                f"{REPORT}/desom/{name}.png",
                f"desom_{name}",
                "Spectral map",
                part,
                title,
            )
            for name, (part, title) in {
                "prototypes": ("Nodes", "decoded prototypes"),
                "templates": ("Nodes", "co-added templates"),
                "occupation": ("Nodes", "occupation"),
                "pairs": ("Nodes", "two pairs of nodes"),
                "samples": ("Nodes", "spectra and their nodes"),
                "fingerprint": ("Nodes", "fingerprint of a galaxy"),
                "labels": ("Labels", "labels on the map"),
                "train_test": ("Labels", "labels of training and test galaxies"),
                "calibration": ("Labels", "calibration of the distributions"),
                "template_labels": ("Labels", "fits of the templates"),
                "reconstruction": ("Quality", "reconstruction"),
                "training": ("Quality", "training"),
            }.items()
        },
    log:
        f"{LOGS}/desom_figures.log",
    benchmark:
        f"{BENCHMARKS}/desom_figures.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        gpu=CARD,
    params:
        gamma=CONFIG.desom.gamma,
        temperature_start=CONFIG.desom.temperature_start,
        temperature_end=CONFIG.desom.temperature_end,
        cooling_iterations=CONFIG.desom.cooling_iterations,
        pretraining=CONFIG.desom.pretraining,
        code=code("desom_figures"),
    message:
        "figures of the map of spectra"
    script:
        "../workflow/scripts/desom_figures.py"


rule galaxy_map_figures:
    input:
        metrics=rules.galaxy_map_train.output.metrics,
        fingerprints=rules.fingerprints.output.fingerprints,
        assignments=rules.galaxy_map_assign.output.assignments,
        map=rules.galaxy_map_assign.output.map,
        # For the images of some galaxies; Snakemake hashes every input once per output.
        extracts=every_galaxy(EXTRACT, "desom"),
    output:
        **{
            name: figure(
                f"{REPORT}/galaxy_map/{name}.png",
                f"galaxy_map_{name}",
                "Galaxy map",
                part,
                title,
            )
            for name, (part, title) in {
                "images": ("Nodes", "images of the galaxies on the map"),
                "prototypes": ("Nodes", "decoded fingerprints"),
                "catalogue": ("Nodes", "morphology, Sersic fits, patches"),
                "nodes": ("Nodes", "galaxies of three nodes"),
                "occupation": ("Quality", "occupation and repeat observations"),
                "training": ("Quality", "training"),
            }.items()
        },
        repeats=figure(
            f"{REPORT}/galaxy_map/repeats.csv",
            "galaxy_map_repeats",
            "Galaxy map",
            "Quality",
            "repeat observations",
        ),
    log:
        f"{LOGS}/galaxy_map_figures.log",
    benchmark:
        f"{BENCHMARKS}/galaxy_map_figures.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        gpu=CARD,
    params:
        gamma=CONFIG.galaxy_map.gamma,
        temperature_start=CONFIG.galaxy_map.temperature_start,
        temperature_end=CONFIG.galaxy_map.temperature_end,
        cooling_iterations=CONFIG.galaxy_map.cooling_iterations,
        code=code("galaxy_map_figures"),
    message:
        "figures of the map of galaxies"
    script:
        "../workflow/scripts/galaxy_map_figures.py"


rule desom_truth:
    input:
        training_spectra=rules.training_spectra.output.training_spectra,
        description=rules.desom_train.output.description,
        arrays=rules.desom_train.output.arrays,
        assignments=rules.desom_assign.output.assignments,
        labels=rules.labels.output.labels,
        node_labels=rules.desom_maps.output.node_labels,
        extracts=every_galaxy(EXTRACT, "desom"),
        truths=TRUTHS,
    output:
        table=figure(
            f"{REPORT}/desom/truth.csv",
            "desom_truth",
            "Spectral map",
            "Truth",
            "labels of the map of spectra",
        ),
    log:
        f"{LOGS}/desom_truth.log",
    benchmark:
        f"{BENCHMARKS}/desom_truth.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: DESOM_THREADS
    resources:
        mem_mb=6000,
        gpu=CARD,
    params:
        **NOISELESS,
        seed=CONFIG.seed,
        code=code("desom_truth"),
    message:
        "compare the map of spectra with the truth of the simulated survey"
    script:
        "../workflow/scripts/desom_truth.py"
