# Where the cubes come from, the simulated survey or the download, and their baxels.


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
