# The fits of many galaxies at once, a job per chunk of them (fit.engine: batched).

# Which outputs a rule has cannot depend on wildcards, so each chunk has a rule of its own. Snakemake leaves in place
# what is flagged with 'update': the job keeps the fits that are current.
for chunk, members in CHUNKS.items():

    rule:
        name:
            f"fit_batched_{chunk}"
        input:
            extracts=[EXTRACT.format(plateifu=name) for name in members],
        output:
            fits=[update(FIT.format(plateifu=name)) for name in members],
        log:
            f"{LOGS}/fit/chunk-{chunk}.log",
        benchmark:
            f"{BENCHMARKS}/fit/chunk-{chunk}.tsv"
        priority: LONGEST_WAY
        conda:
            "../envs/mangrove.yaml"
        threads: CHUNK_THREADS
        resources:
            mem_mb=chunk_memory,
            gpu=FIT_GPU,
        params:
            # Stands for the values of the galaxies, which would fill pages where Snakemake tells why it runs a job.
            digest_of([(name, *values_of_galaxy(name).items()) for name in members]),
            **FIT_SETTINGS,
            z=unrecorded({name: GALAXIES[name].z for name in members}),
            ebv=unrecorded({name: GALAXIES[name].ebv for name in members}),
            ebv_scale=CONFIG.preprocessing.ebv_scale,
            templates=CONFIG.fit.templates,
            library=library_hash(CONFIG.fit.templates),
            seed=CONFIG.seed,
            code=code("fit_batched"),
        message:
            f"fit chunk {chunk}, galaxies: {len(members)}"
        script:
            "../workflow/scripts/fit_batched.py"


give_to_rules(CHUNK_RULES, "fit_batched")
