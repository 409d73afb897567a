# Where the cubes come from: the simulated survey, and the download.


rule simulate:
    output:
        cube=f"{ARCHIVE}/{RELEASE.folder}/{{plate}}/stack/manga-{{plate}}-{{ifu}}-LOGCUBE.fits.gz",
        truth=f"{ARCHIVE}/truth/{{plate}}-{{ifu}}.h5",
    log:
        f"{LOGS}/simulate/{{plate}}-{{ifu}}.log",
    benchmark:
        f"{BENCHMARKS}/simulate/{{plate}}-{{ifu}}.tsv"
    wildcard_constraints:
        plate=r"\d{4,5}",
        ifu=r"\d{3,5}",
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        plateifu="{plate}-{ifu}",
        release=RELEASE.name,
        seed=CONFIG.seed,
        code=code("simulate"),
    message:
        "simulate {wildcards.plate}-{wildcards.ifu}"
    script:
        "../workflow/scripts/simulate.py"


rule download:
    input:
        archive=simulated_cube if SIMULATED else [],
    output:
        cube=CUBE if CONFIG.survey.keep_cubes else temp(CUBE),
    log:
        f"{LOGS}/download/{{plateifu}}.log",
    benchmark:
        f"{BENCHMARKS}/download/{{plateifu}}.tsv"
    priority: LONGEST_WAY
    retries: 2
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        downloads=1,
        mem_mb=500,
    params:
        url=file_url if CONFIG.survey.source == "files" else archive_url,
        plateifu="" if CONFIG.survey.source == "files" else "{plateifu}",
        link=LINK,
        # Where a cube comes from, and how patiently, is no reason to fetch it again.
        drpver=unrecorded("" if CONFIG.survey.source == "files" else RELEASE.drpver),
        base=unrecorded(CONFIG.survey.base if CONFIG.survey.source == "sdss" else ""),
        mirror=unrecorded(
            CONFIG.survey.mirror if CONFIG.survey.source == "sdss" else ""
        ),
        timeout=unrecorded(CONFIG.survey.timeout),
    message:
        "download {wildcards.plateifu}"
    script:
        "../workflow/scripts/download.py"
