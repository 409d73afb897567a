# The fit of each galaxy's baxels by pPXF, a job per galaxy (fit.engine: ppxf).


rule fit:
    input:
        extract=EXTRACT,
    output:
        fit=FIT,
    log:
        f"{LOGS}/fit/{{plateifu}}.log",
    benchmark:
        f"{BENCHMARKS}/fit/{{plateifu}}.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        **FIT_SETTINGS,
        z=galaxy("z"),
        ebv=galaxy("ebv"),
        ebv_scale=CONFIG.preprocessing.ebv_scale,
        templates=CONFIG.fit.templates,
        library=library_hash(CONFIG.fit.templates),
        seed=CONFIG.seed,
        code=code("fit"),
    message:
        "fit {wildcards.plateifu}"
    script:
        "../workflow/scripts/fit.py"
