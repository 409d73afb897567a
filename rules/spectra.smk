# From fits to labels, from baxels to training spectra.


rule labels:
    input:
        fits=every_galaxy(FIT),
    output:
        labels=f"{RESULTS}/spectra/labels.h5",
    log:
        f"{LOGS}/labels.log",
    benchmark:
        f"{BENCHMARKS}/labels.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=4000,
    params:
        library=library_hash(CONFIG.fit.templates),
        code=code("labels"),
    message:
        "label the baxels"
    script:
        "../workflow/scripts/labels.py"


rule training_spectra:
    input:
        extracts=every_galaxy(EXTRACT, "desom"),
    output:
        training_spectra=f"{RESULTS}/spectra/training_spectra.h5",
    log:
        f"{LOGS}/training_spectra.log",
    benchmark:
        f"{BENCHMARKS}/training_spectra.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        rest_range=CONFIG.training_spectra.rest_range,
        n_wave=CONFIG.training_spectra.n_wave,
        norm_band=CONFIG.training_spectra.norm_band,
        min_good_fraction=CONFIG.training_spectra.min_good_fraction,
        min_snr=CONFIG.training_spectra.min_snr,
        cut_percentile=CONFIG.training_spectra.cut_percentile,
        galactic_extinction=CONFIG.training_spectra.galactic_extinction,
        ebv_scale=CONFIG.preprocessing.ebv_scale,
        sky_half_width=CONFIG.preprocessing.sky_half_width,
        validation_fraction=CONFIG.split.validation_fraction,
        test_fraction=CONFIG.split.test_fraction,
        seed=CONFIG.split_seed,
        code=code("training_spectra"),
    message:
        "merge the training spectra"
    script:
        "../workflow/scripts/training_spectra.py"
