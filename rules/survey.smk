# Where the cubes come from: the simulated survey, and the download.
from pathlib import Path

SIMULATED = CONFIG.survey.source == "simulated"
ARCHIVE = f"{RESULTS}/archive"
# Kept cubes are shared by runs, one level per DRP version; those of a simulated survey also by its seed.
STORE = {
    "sdss": f"{CONFIG.survey.data_folder}/{RELEASE.drpver}",
    "simulated": f"{CONFIG.survey.data_folder}/simulated-{CONFIG.seed}/{RELEASE.drpver}",
    "files": f"{CONFIG.survey.data_folder}/{CONFIG.run}",
}[CONFIG.survey.source]
CUBES = STORE if CONFIG.survey.keep_cubes else f"{RESULTS}/scratch"
CUBE = f"{CUBES}/{{plateifu}}.fits" if CONFIG.survey.source == "files" else f"{CUBES}/manga-{{plateifu}}-LOGCUBE.fits.gz"


# Local cubes of a simulated survey are linked, never copied.
LINK = CONFIG.survey.link or SIMULATED


def cube_url(wildcards):
    """Address of a galaxy's cube; a path of the workflow where it makes the archive itself."""
    if SIMULATED:
        return f"{ARCHIVE}/{RELEASE.cube_path(wildcards.plateifu)}"
    if CONFIG.survey.source == "files":
        return releases.address(CONFIG.survey.base, GALAXIES[wildcards.plateifu].path)
    return releases.address(CONFIG.survey.base, RELEASE.cube_path(wildcards.plateifu))


def archived_cube(wildcards):
    """The archive's file as an input, where the workflow makes it."""
    return cube_url(wildcards) if SIMULATED else []


def cube_input(path):
    """A cube as an input of extract: its time stamp does not count, unless the workflow simulates it."""
    return path if SIMULATED else ancient(path)


rule simulate:
    output:
        cube=f"{ARCHIVE}/{RELEASE.folder}/{{plate}}/stack/manga-{{plate}}-{{ifu}}-LOGCUBE.fits.gz",
        truth=f"{ARCHIVE}/truth/{{plate}}-{{ifu}}.h5",
    wildcard_constraints:
        plate=r"\d{4,5}",
        ifu=r"\d{3,5}",
    log:
        f"{LOGS}/simulate/{{plate}}-{{ifu}}.log",
    benchmark:
        f"{BENCHMARKS}/simulate/{{plate}}-{{ifu}}.tsv"
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
        archive=archived_cube,
    output:
        cube=CUBE if CONFIG.survey.keep_cubes else temp(CUBE),
    log:
        f"{LOGS}/download/{{plateifu}}.log",
    benchmark:
        f"{BENCHMARKS}/download/{{plateifu}}.tsv"
    threads: 1
    resources:
        downloads=1,
        mem_mb=500,
    params:
        url=cube_url,
        plateifu=lambda wildcards: "" if CONFIG.survey.source == "files" else wildcards.plateifu,
        link=LINK,
    retries: 2
    message:
        "download {wildcards.plateifu}"
    script:
        "../workflow/scripts/download.py"
