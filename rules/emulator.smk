# The emulator: emission lines from the shape of the stellar continuum.

DESI = CONFIG.emulator.source == "desi"
MODEL = f"{RESULTS}/emulator/model"
# The bits of a training depend on the number of cores that it may use: two wherever there is real work, so that a
# table gives the same model on every workstation; one on a simulated survey, whose small tables gain nothing by more.
EMULATOR_THREADS = 1 if SIMULATED else 2
# What makes the table of a run's own baxels. A prepared table has its bins, its corrections and its split already.
BAXELS = dict(
    bin_range=CONFIG.emulator.bin_range,
    n_bin=CONFIG.emulator.n_bin,
    ebv_scale=CONFIG.preprocessing.ebv_scale,
    sky_half_width=CONFIG.preprocessing.sky_half_width,
    validation_fraction=CONFIG.split.validation_fraction,
    test_fraction=CONFIG.split.test_fraction,
    seed=CONFIG.split_seed,
)
# Baxels have no luminosity.
LUMINOSITY = dict(luminosity=CONFIG.emulator.luminosity) if DESI else {}
# The published networks have a shape of their own.
SHAPE = dict(hidden=CONFIG.emulator.hidden, n_component=CONFIG.emulator.n_component)
# How a network is trained.
TRAINING = dict(
    architecture=CONFIG.emulator.architecture,
    **(SHAPE if CONFIG.emulator.architecture == "shared" else {}),
    **LUMINOSITY,
    batch_size=CONFIG.emulator.batch_size,
    epochs=CONFIG.emulator.epochs,
    learning_rate=CONFIG.emulator.learning_rate,
    weight_decay=CONFIG.emulator.weight_decay,
    patience=CONFIG.emulator.patience,
    keep_best=CONFIG.emulator.keep_best,
    seed=CONFIG.seed,
)


rule emulator_table:
    input:
        desi=CONFIG.emulator.desi_file if DESI else [],
        extracts=[] if DESI else every_galaxy(EXTRACT),
        labels=[] if DESI else str(rules.labels.output.labels),
    output:
        table=f"{RESULTS}/emulator/table.h5",
    log:
        f"{LOGS}/emulator_table.log",
    benchmark:
        f"{BENCHMARKS}/emulator_table.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=4000,
    params:
        **({} if DESI else BAXELS),
        source=CONFIG.emulator.source,
        code=code("emulator_table"),
    message:
        "table of continua and lines"
    script:
        "../workflow/scripts/emulator_table.py"


rule emulator_train:
    input:
        table=rules.emulator_table.output.table,
    output:
        description=f"{MODEL}/model.json",
        arrays=f"{MODEL}/arrays.npz",
        metrics=f"{RESULTS}/emulator/metrics.jsonl",
    log:
        f"{LOGS}/emulator_train.log",
    benchmark:
        f"{BENCHMARKS}/emulator_train.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: EMULATOR_THREADS
    resources:
        mem_mb=4000,
        gpu=1,
    params:
        **TRAINING,
        members=CONFIG.emulator.members,
        code=code("emulator_train"),
    message:
        "train the emulator of emission lines"
    script:
        "../workflow/scripts/emulator_train.py"


rule emulator_quality:
    input:
        table=rules.emulator_table.output.table,
        description=rules.emulator_train.output.description,
        arrays=rules.emulator_train.output.arrays,
    output:
        quality=f"{RESULTS}/emulator/quality.h5",
        table=figure(
            f"{REPORT}/emulator/quality.csv",
            "emulator_quality",
            "Emulator",
            "Quality",
            "quality by line",
        ),
        baselines=figure(
            f"{REPORT}/emulator/baselines.csv",
            "emulator_baselines",
            "Emulator",
            "Quality",
            "simpler methods on the same rows",
        ),
    log:
        f"{LOGS}/emulator_quality.log",
    benchmark:
        f"{BENCHMARKS}/emulator_quality.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: EMULATOR_THREADS
    resources:
        mem_mb=6000,
        gpu=1,
    params:
        seed=CONFIG.seed,
        code=code("emulator_quality"),
    message:
        "judge the emulator"
    script:
        "../workflow/scripts/emulator_quality.py"


rule emulator_learning_curve:
    input:
        table=rules.emulator_table.output.table,
    output:
        curve=f"{RESULTS}/emulator/learning_curve.h5",
        table=figure(
            f"{REPORT}/emulator/learning.csv",
            "emulator_learning",
            "Emulator",
            "Training",
            "learning curve",
        ),
    log:
        f"{LOGS}/emulator_learning_curve.log",
    benchmark:
        f"{BENCHMARKS}/emulator_learning_curve.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: EMULATOR_THREADS
    resources:
        mem_mb=4000,
        gpu=1,
    params:
        **(TRAINING if CONFIG.emulator.learning_curve else {}),
        learning_curve=CONFIG.emulator.learning_curve,
        code=code("emulator_learning_curve"),
    message:
        "train on parts of the table"
    script:
        "../workflow/scripts/emulator_learning_curve.py"


rule emulator_embedding:
    input:
        table=rules.emulator_table.output.table,
    output:
        embedding=f"{RESULTS}/emulator/embedding.h5",
    log:
        f"{LOGS}/emulator_embedding.log",
    benchmark:
        f"{BENCHMARKS}/emulator_embedding.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        gpu=CARD,
    params:
        **LUMINOSITY,
        seed=CONFIG.seed,
        code=code("emulator_embedding"),
    message:
        "map of the emulator's inputs"
    script:
        "../workflow/scripts/emulator_embedding.py"


rule emulator_figures:
    input:
        table=rules.emulator_table.output.table,
        description=rules.emulator_train.output.description,
        arrays=rules.emulator_train.output.arrays,
        metrics=rules.emulator_train.output.metrics,
        quality=rules.emulator_quality.output.quality,
        learning=rules.emulator_learning_curve.output.curve,
        embedding=rules.emulator_embedding.output.embedding,
    output:
        **{
            name: figure(
                f"{REPORT}/emulator/{name}.png",
                f"emulator_{name}",
                "Emulator",
                part,
                title,
            )
            for name, (part, title) in {
                "predicted": ("Predictions", "predicted against observed"),
                "histograms": ("Predictions", "distributions of the lines"),
                "bpt": ("Predictions", "BPT diagram"),
                "spectrum": ("Predictions", "one spectrum and its lines"),
                "umap": ("Predictions", "lines on the map of the inputs (UMAP)"),
                "calibration": ("Quality", "calibration and bias"),
                "learning": ("Training", "training"),
            }.items()
        },
    log:
        f"{LOGS}/emulator_figures.log",
    benchmark:
        f"{BENCHMARKS}/emulator_figures.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        gpu=CARD,
    params:
        seed=CONFIG.seed,
        keep_best=CONFIG.emulator.keep_best,
        code=code("emulator_figures"),
    message:
        "figures of the emulator"
    script:
        "../workflow/scripts/emulator_figures.py"


rule emulator_truth:
    input:
        table=rules.emulator_table.output.table,
        quality=rules.emulator_quality.output.quality,
        extracts=every_galaxy(EXTRACT),
        truths=TRUTHS,
    output:
        table=figure(
            f"{REPORT}/emulator/truth.csv",
            "emulator_truth",
            "Emulator",
            "Truth",
            "lines of the emulator",
        ),
    log:
        f"{LOGS}/emulator_truth.log",
    benchmark:
        f"{BENCHMARKS}/emulator_truth.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        code=code("emulator_truth"),
    message:
        "compare the emulator with the truth of the simulated survey"
    script:
        "../workflow/scripts/emulator_truth.py"
