# Emission-line cubes of galaxies: line windows cut to a square, and all of them in one file.


rule line_cube:
    input:
        extract=EXTRACT,
    output:
        line_cube=f"{RESULTS}/spectra/line_cube/{{plateifu}}.h5",
    log:
        f"{LOGS}/line_cube/{{plateifu}}.log",
    benchmark:
        f"{BENCHMARKS}/line_cube/{{plateifu}}.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=500,
    params:
        size=CONFIG.line_cube.size,
        code=code("line_cube"),
    message:
        "line cube {wildcards.plateifu}"
    script:
        "../workflow/scripts/line_cube.py"


rule line_cube_set:
    input:
        line_cubes=every_galaxy(rules.line_cube.output.line_cube, "convlstm"),
    output:
        line_cube_set=LINE_CUBE_SET,
    log:
        f"{LOGS}/line_cube_set.log",
    benchmark:
        f"{BENCHMARKS}/line_cube_set.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        size=CONFIG.line_cube.size,
        window_pixels=CONFIG.extract.window_pixels,
        validation_fraction=CONFIG.split.validation_fraction,
        test_fraction=CONFIG.split.test_fraction,
        seed=CONFIG.split_seed,
        code=code("line_cube_set"),
    message:
        "merge the line cubes"
    script:
        "../workflow/scripts/line_cube_set.py"
