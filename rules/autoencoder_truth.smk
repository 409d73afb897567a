# The autoencoders against the truth of simulated line cubes.


rule line_cube_components:
    input:
        line_cube_set=LINE_CUBE_SET,
    output:
        components=f"{AUTOENCODER}/line_cube_components.h5",
    log:
        f"{LOGS}/line_cube_components.log",
    benchmark:
        f"{BENCHMARKS}/line_cube_components.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=4000,
    params:
        lines=CONFIG.autoencoder.lines,
        n_component=CONFIG.autoencoder.latent,
        seed=CONFIG.seed,
        code=code("line_cube_components"),
    message:
        "principal components of the line cubes, which the networks are compared with"
    script:
        "../workflow/scripts/line_cube_components.py"


rule autoencoder_truth:
    input:
        line_cube_set=LINE_CUBE_SET,
        description=rules.autoencoder_train.output.description,
        arrays=rules.autoencoder_train.output.arrays,
        components=rules.line_cube_components.output.components,
        held_out=rules.simulate_line_cubes.output.held_out,
        held_out_truth=rules.simulate_line_cubes.output.held_out_truth,
    output:
        truth=f"{NETWORK}/autoencoder_truth.h5",
        scores=figure(
            f"{REPORT}/autoencoder/truth_{{network}}_scores.csv",
            "autoencoder_truth_scores",
            "Anomalies",
            "Truth",
            "planted anomalies",
            network="{network}",
        ),
        measures=figure(
            f"{REPORT}/autoencoder/truth_{{network}}_measures.csv",
            "autoencoder_truth_measures",
            "Anomalies",
            "Truth",
            "reconstruction and latents against truth",
            network="{network}",
        ),
    log:
        f"{LOGS}/autoencoder_truth/{{network}}.log",
    benchmark:
        f"{BENCHMARKS}/autoencoder_truth/{{network}}.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: AUTOENCODER_THREADS
    resources:
        mem_mb=4000,
        gpu=1,
    params:
        network="{network}",
        seed=CONFIG.seed,
        code=code("autoencoder_truth"),
    message:
        "judge the autoencoder by planted anomalies ({wildcards.network})"
    script:
        "../workflow/scripts/autoencoder_truth.py"


rule autoencoder_truth_figures:
    input:
        truth=rules.autoencoder_truth.output.truth,
    output:
        strength=figure(
            f"{REPORT}/autoencoder/{{network}}/truth.png",
            "autoencoder_truth",
            "Anomalies",
            "Truth",
            "planted anomalies by strength",
            network="{network}",
        ),
    log:
        f"{LOGS}/autoencoder_truth_figures/{{network}}.log",
    benchmark:
        f"{BENCHMARKS}/autoencoder_truth_figures/{{network}}.tsv"
    conda:
        "../envs/mangrove.yaml"
    threads: 1
    resources:
        mem_mb=1500,
    params:
        code=code("autoencoder_truth_figures"),
    message:
        "figure of planted anomalies ({wildcards.network})"
    script:
        "../workflow/scripts/autoencoder_truth_figures.py"
