# Emission-line cubes without cubes: a simulated survey of them, with planted anomalies, and its truth.


rule simulate_line_cubes:
    output:
        line_cube_set=LINE_CUBE_SET,
        truth=f"{ARCHIVE}/line_cube_truth.h5",
        # Galaxies that no network has seen, by which the scores are judged.
        held_out=f"{ARCHIVE}/held_out_line_cubes.h5",
        held_out_truth=f"{ARCHIVE}/held_out_truth.h5",
    log:
        f"{LOGS}/simulate_line_cubes.log",
    benchmark:
        f"{BENCHMARKS}/simulate_line_cubes.tsv"
    priority: LONGEST_WAY
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        plateifus=[name for name, row in GALAXIES.items() if row.convlstm],
        window_pixels=CONFIG.extract.window_pixels,
        size=CONFIG.line_cube.size,
        n_held_out=CONFIG.report.truth_cubes,
        seed=CONFIG.seed,
        validation_fraction=CONFIG.split.validation_fraction,
        test_fraction=CONFIG.split.test_fraction,
        split_seed=CONFIG.split_seed,
        code=code("simulate_line_cubes"),
    message:
        "simulate line cubes"
    script:
        "../workflow/scripts/simulate_line_cubes.py"
