# Autoencoders of the emission-line cubes: training, latents, anomalies, embedding, neighbours, active nuclei.

AUTOENCODER = f"{RESULTS}/autoencoder"
NETWORK = f"{AUTOENCODER}/{{network}}"
# As for the emulator: the bits of a training depend on the number of cores that it may use.
AUTOENCODER_THREADS = 1 if SIMULATED else 2
# What the table of active nuclei takes from the sample sheet; its other columns make nothing old there.
ACTIVE = digest_of(
    [
        (name, *(getattr(row, flag) for flag in AGN_FLAGS), row.radio_class)
        for name, row in GALAXIES.items()
    ]
)


rule augmentation:
    input:
        line_cube_set=LINE_CUBE_SET,
    output:
        augmentation=f"{AUTOENCODER}/augmentation.h5",
    log:
        f"{LOGS}/augmentation.log",
    benchmark:
        f"{BENCHMARKS}/augmentation.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        copies=CONFIG.augmentation.copies,
        max_shift=CONFIG.augmentation.max_shift,
        noise_scale=CONFIG.augmentation.noise_scale,
        seed=CONFIG.seed,
        code=code("augmentation"),
    message:
        "draw the copies of the line cubes"
    script:
        "../workflow/scripts/augmentation.py"


rule autoencoder_train:
    input:
        line_cube_set=LINE_CUBE_SET,
        augmentation=rules.augmentation.output.augmentation,
    output:
        description=f"{NETWORK}/model/model.json",
        arrays=f"{NETWORK}/model/arrays.npz",
        metrics=f"{NETWORK}/metrics.jsonl",
    log:
        f"{LOGS}/autoencoder_train/{{network}}.log",
    benchmark:
        f"{BENCHMARKS}/autoencoder_train/{{network}}.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: AUTOENCODER_THREADS
    resources:
        mem_mb=8000,
        gpu=1,
    params:
        network="{network}",
        lines=CONFIG.autoencoder.lines,
        latent=CONFIG.autoencoder.latent,
        input_filters=CONFIG.autoencoder.input_filters,
        filters=CONFIG.autoencoder.filters,
        kernel=CONFIG.autoencoder.kernel,
        dense=CONFIG.autoencoder.dense,
        decoder=CONFIG.autoencoder.decoder,
        slice_code=CONFIG.autoencoder.slice_code,
        flux=CONFIG.autoencoder.flux,
        norm=CONFIG.autoencoder.norm,
        linear=CONFIG.autoencoder.linear,
        loss=CONFIG.autoencoder.loss,
        optimiser=CONFIG.autoencoder.optimiser,
        learning_rate=CONFIG.autoencoder.learning_rate,
        epochs=CONFIG.autoencoder.epochs,
        batch_size=CONFIG.autoencoder.batch_size,
        keep_best=CONFIG.autoencoder.keep_best,
        rematerialise=CONFIG.autoencoder.rematerialise,
        precision=CONFIG.autoencoder.precision,
        kl=divergence,
        seed=CONFIG.seed,
        code=code("autoencoder_train"),
    message:
        "train the autoencoder of line cubes ({wildcards.network})"
    script:
        "../workflow/scripts/autoencoder_train.py"


rule latents:
    input:
        line_cube_set=LINE_CUBE_SET,
        description=rules.autoencoder_train.output.description,
        arrays=rules.autoencoder_train.output.arrays,
    output:
        latents=f"{NETWORK}/latents.h5",
    log:
        f"{LOGS}/latents/{{network}}.log",
    benchmark:
        f"{BENCHMARKS}/latents/{{network}}.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: AUTOENCODER_THREADS
    resources:
        mem_mb=4000,
        gpu=1,
    params:
        network="{network}",
        code=code("latents"),
    message:
        "latents of the line cubes ({wildcards.network})"
    script:
        "../workflow/scripts/latents.py"


rule anomalies:
    input:
        line_cube_set=LINE_CUBE_SET,
        description=rules.autoencoder_train.output.description,
        arrays=rules.autoencoder_train.output.arrays,
    output:
        anomalies=f"{NETWORK}/anomalies.h5",
    log:
        f"{LOGS}/anomalies/{{network}}.log",
    benchmark:
        f"{BENCHMARKS}/anomalies/{{network}}.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: AUTOENCODER_THREADS
    resources:
        mem_mb=4000,
        gpu=1,
    params:
        network="{network}",
        n_reconstruction=CONFIG.embedding.n_reconstruction,
        code=code("anomalies"),
    message:
        "anomaly scores ({wildcards.network})"
    script:
        "../workflow/scripts/anomalies.py"


rule embedding:
    input:
        latents=rules.latents.output.latents,
    output:
        embedding=f"{NETWORK}/embedding.h5",
    log:
        f"{LOGS}/embedding/{{network}}.log",
    benchmark:
        f"{BENCHMARKS}/embedding/{{network}}.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=4000,
    params:
        components=CONFIG.embedding.components,
        umap_neighbours=CONFIG.embedding.umap_neighbours,
        min_dist=CONFIG.embedding.min_dist,
        n_seed=CONFIG.embedding.n_seed,
        seed=CONFIG.seed,
        code=code("embedding"),
    message:
        "components and UMAP of the latents ({wildcards.network})"
    script:
        "../workflow/scripts/embedding.py"


rule neighbours:
    input:
        line_cube_set=LINE_CUBE_SET,
        description=rules.autoencoder_train.output.description,
        arrays=rules.autoencoder_train.output.arrays,
        latents=rules.latents.output.latents,
        embedding=rules.embedding.output.embedding,
    output:
        neighbours=f"{NETWORK}/neighbours.h5",
    log:
        f"{LOGS}/neighbours/{{network}}.log",
    benchmark:
        f"{BENCHMARKS}/neighbours/{{network}}.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: AUTOENCODER_THREADS
    resources:
        mem_mb=4000,
        gpu=CARD,
    params:
        network="{network}",
        n_neighbour=CONFIG.embedding.n_neighbour,
        seed=CONFIG.seed,
        code=code("neighbours"),
    message:
        "nearest galaxies ({wildcards.network})"
    script:
        "../workflow/scripts/neighbours.py"


rule agn:
    input:
        anomalies=rules.anomalies.output.anomalies,
        neighbours=rules.neighbours.output.neighbours,
        labels=rules.labels.output.labels if WITH_BAXELS else [],
        # Flags of active nuclei: params.active says when they are others.
        sheet=ancient(str(CONFIG.sheet)),
    output:
        agn=f"{NETWORK}/agn.h5",
    log:
        f"{LOGS}/agn/{{network}}.log",
    benchmark:
        f"{BENCHMARKS}/agn/{{network}}.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        own_files=CONFIG.survey.source == "files",
        active=ACTIVE,
        code=code("agn"),
    message:
        "active nuclei ({wildcards.network})"
    script:
        "../workflow/scripts/agn.py"


rule autoencoder_figures:
    input:
        line_cube_set=LINE_CUBE_SET,
        metrics=rules.autoencoder_train.output.metrics,
        latents=rules.latents.output.latents,
        anomalies=rules.anomalies.output.anomalies,
        embedding=rules.embedding.output.embedding,
        neighbours=rules.neighbours.output.neighbours,
        agn=rules.agn.output.agn,
        labels=rules.labels.output.labels if WITH_BAXELS else [],
    output:
        **{
            name: figure(
                f"{REPORT}/autoencoder/{{network}}/{name}.png",
                f"autoencoder_{name}",
                "Anomalies",
                part,
                title,
                network="{network}",
            )
            for name, (part, title) in {
                "galaxies": (
                    "Anomalous galaxies",
                    "active nuclei and others in pictures",
                ),
                "scores": ("Anomalous galaxies", "anomaly scores"),
                "brightness": ("Anomalous galaxies", "scores against brightness"),
                "embedding": ("Galaxies alike", "map of the latents (UMAP)"),
                "neighbours": ("Galaxies alike", "nearest neighbours"),
                "components": (
                    "Galaxies alike",
                    "order of the latents and of their map",
                ),
                "reconstruction": ("Networks", "line cubes and their reconstructions"),
                "training": ("Networks", "training"),
            }.items()
        },
        anomalous=figure(
            f"{REPORT}/autoencoder/{{network}}/anomalous.csv",
            "autoencoder_anomalous",
            "Anomalies",
            "Anomalous galaxies",
            "most anomalous galaxies",
            network="{network}",
        ),
        active=figure(
            f"{REPORT}/autoencoder/{{network}}/active.csv",
            "autoencoder_active",
            "Anomalies",
            "Anomalous galaxies",
            "active nuclei",
            network="{network}",
        ),
    log:
        f"{LOGS}/autoencoder_figures/{{network}}.log",
    benchmark:
        f"{BENCHMARKS}/autoencoder_figures/{{network}}.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=4000,
    params:
        keep_best=CONFIG.autoencoder.keep_best,
        # The images of some galaxies, known once they are ranked. Labels and line cubes are made of all extracts, so
        # these are inputs already; a list of them would be hashed, file by file, once per output.
        extracts=str(Path(EXTRACT).parent) if WITH_BAXELS else "",
        code=code("autoencoder_figures"),
    message:
        "figures of the autoencoder ({wildcards.network})"
    script:
        "../workflow/scripts/autoencoder_figures.py"


rule planted_anomalies:
    input:
        anomalies=rules.anomalies.output.anomalies,
    output:
        table=figure(
            f"{REPORT}/autoencoder/planted_{{network}}.csv",
            "planted_anomalies",
            "Anomalies",
            "Truth",
            "planted anomalies",
            network="{network}",
        ),
    log:
        f"{LOGS}/planted_anomalies/{{network}}.log",
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        seed=CONFIG.seed,
        code=code("planted_anomalies"),
    message:
        "anomaly scores of the planted anomalies ({wildcards.network})"
    script:
        "../workflow/scripts/planted_anomalies.py"
