# From a cube to its baxels.


rule extract:
    input:
        cube=cube_input(rules.download.output.cube),
    output:
        extract=EXTRACT,
    log:
        f"{LOGS}/extract/{{plateifu}}.log",
    benchmark:
        f"{BENCHMARKS}/extract/{{plateifu}}.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        plateifu="{plateifu}",
        mangaid=galaxy("mangaid"),
        z=galaxy("z"),
        ebv=galaxy("ebv"),
        ra=galaxy("ra"),
        dec=galaxy("dec"),
        r_e=galaxy("r_e"),
        pa=galaxy("pa"),
        ba=galaxy("ba"),
        spectrum=galaxy("spectrum"),
        engine=CONFIG.extract.engine,
        target_snr=CONFIG.extract.target_snr,
        min_snr=CONFIG.extract.min_snr,
        continuum_range=CONFIG.extract.continuum_range,
        covariance=CONFIG.extract.covariance,
        window_pixels=CONFIG.extract.window_pixels,
        drop_critical=CONFIG.sample.drop_critical,
        # Whether a damaged cube may be deleted to get another is no reason to extract again.
        fetched=unrecorded(CONFIG.survey.source == "sdss"),
        code=code("extract"),
    message:
        "extract {wildcards.plateifu}"
    script:
        "../workflow/scripts/extract.py"
