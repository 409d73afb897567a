# Spectra without cubes: the simulated survey of many galaxies, whose baxels are made as such.


rule simulate_spectra:
    output:
        extract=EXTRACT,
        truth=f"{ARCHIVE}/truth/{{plateifu}}.h5",
    log:
        f"{LOGS}/simulate_spectra/{{plateifu}}.log",
    benchmark:
        f"{BENCHMARKS}/simulate_spectra/{{plateifu}}.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=1000,
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
        release=RELEASE.name,
        n_baxel=CONFIG.survey.simulated_baxels,
        seed=CONFIG.seed,
        code=code("simulate_spectra"),
    message:
        "simulate the spectra of {wildcards.plateifu}"
    script:
        "../workflow/scripts/simulate_spectra.py"
